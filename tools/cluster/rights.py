"""Hullwatch's answers about rights beside those of a real API server: each must be the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.posture.inventory import Inventory
from hullwatch.posture.resources import requested_namespace
from hullwatch.posture.rights import Rights
from hullwatch.posture.subject import of_user
from tools.cluster import questions

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tools.cluster.api import Api
    from tools.cluster.questions import Question

_RBAC = f"/apis/{questions.RBAC}/v1"
LISTS = (f"{_RBAC}/clusterroles", f"{_RBAC}/clusterrolebindings", f"{_RBAC}/roles", f"{_RBAC}/rolebindings",
         "/api/v1/serviceaccounts", "/api/v1/namespaces")  # fmt: skip


class Compared(NamedTuple):
    """How many questions were asked, how many of them were allowed, and each one that was answered differently."""

    asked: int
    allowed: int
    differences: list[str]


def fill(api: Api, random: Random, roles: int = 60, bindings: int = 60) -> None:
    """Create made-up roles and bindings."""
    for made in questions.objects(random, roles, bindings):
        api.create(made.path, made.body)


def read(api: Api) -> Rights:
    """Return what Hullwatch knows of the rights in a cluster."""
    return Rights(Inventory(api.get(path) for path in LISTS))


def decided(api: Api, question: Question) -> bool:
    """Return what the API server's authoriser says."""
    request = question.request
    about: dict[str, object]
    if request.resource:
        about = {"resourceAttributes": {
            "verb": request.verb, "group": request.group, "resource": request.resource, "name": request.name,
            "subresource": request.subresource, "namespace": requested_namespace(request),
        }}  # fmt: skip
    else:
        about = {"nonResourceAttributes": {"verb": request.verb, "path": request.path}}
    body = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": question.user, "groups": list(question.groups), **about},
    }  # fmt: skip
    answer: Any = api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"].get("allowed"))


def told(rights: Rights, question: Question) -> bool:
    """Return whether somebody is among those of who ``k8s rbac who-can`` says that they may do something."""
    request = question.request
    mine = {of_user(question.user)}
    namespace = requested_namespace(request)
    for answer in rights.who_can(request, namespaced=request.resource not in questions.OUTSIDE):
        subject = answer.subject
        is_meant = subject in mine or (subject.kind == "Group" and subject.name in question.groups)
        if is_meant and answer.namespace in {"", namespace} and (not answer.names or request.name in answer.names):
            return True
    return False


def compare(api: Api, random: Random, number: int) -> Compared:
    """Ask both whether somebody may do something."""
    rights = read(api)
    return _compare(api, random, number, lambda asked: rights.allows(asked.user, asked.groups, asked.request))


def compare_who_can(api: Api, random: Random, number: int) -> Compared:
    """Ask the API server whether somebody may do something, and Hullwatch for all who may."""
    rights = read(api)
    return _compare(api, random, number, lambda asked: told(rights, asked))


def _compare(api: Api, random: Random, number: int, answer: Callable[[Question], bool]) -> Compared:
    allowed, differences = 0, list[str]()
    for _ in range(number):
        question = questions.question(random)
        truth, said = decided(api, question), answer(question)
        allowed += truth
        if said != truth:
            differences.append(f"allowed: {truth}, Hullwatch says {said}: {question}")
    return Compared(number, allowed, differences)
