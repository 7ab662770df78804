"""Roles that allow what was really done and nothing else, as YAML to be applied."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.inventory import RBAC
from hullwatch.posture.policy_rule import NAMELESS
from hullwatch.posture.resources import Request, is_in_itself

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.posture.plain import Plain
    from hullwatch.posture.subject import Subject
    from hullwatch.posture.usage import UserUse

MOST_NAMES = 10  # of one rule; beyond them it is not limited by names
_NAME = re.compile(r"[^a-z0-9.-]+")
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


class Suggestion(NamedTuple):
    """Roles and bindings for a subject, and sentences about what they leave out."""

    objects: list[Plain]
    remarks: list[str]


def suggest(subject: Subject, use: UserUse | None, *, names: bool = False, acted: bool = False) -> Suggestion:
    """Return roles that allow what a subject did.

    Args:
        subject: whose.
        use: what it did; None when the log does not have it.
        names: limit rules to the names of the objects, where there are few.
        acted: also what others did acting as it.
    """
    if use is None or not (use.allowed or (acted and use.acted)):
        return Suggestion([], [f"The log has nothing that {subject.words} was allowed to do."])
    done = [*use.allowed, *(use.acted if acted else ())]
    places: defaultdict[str, list[Request]] = defaultdict(list)
    for request in done:
        places[request.name if is_in_itself(request) and request.name else request.namespace].append(request)
    everywhere = set(_rights(places.get("", ())))
    objects: list[Plain] = []
    base = _base(subject)
    for namespace, requests in sorted(places.items()):
        wanted = requests
        if namespace:  # what the role of the whole cluster gives already is not given again
            wanted = [request for request in requests if _right(request) not in everywhere]
        rules = _rules(wanted, names=names)
        if rules:
            objects += _role_and_binding(subject, base, namespace, rules)
    return Suggestion(objects, _remarks(subject, use, acted=acted))


def _remarks(subject: Subject, use: UserUse, *, acted: bool) -> list[str]:
    remarks = [
        "Only what the log shows is in it: what happens once a month, and what the audit policy leaves out, is not.",
    ]
    if subject.groups():
        remarks.append(f"What all of {', '.join(subject.groups())} may do is in it as well, if it was used.")
    for request, used in sorted(use.refused.items())[:20]:
        remarks.append(f"Refused {used.number} times, and not in it: {_words(request)}.")
    if len(use.refused) > 20:
        remarks.append(f"{len(use.refused) - 20} more refused requests are not in it.")
    if use.acted and not acted:
        remarks.append(f"{len(use.acted)} different requests that others made acting as it are not in it: --acted-as.")
    if use.cut:
        remarks.append(f"The names of {use.cut} requests were left out, for they are too many.")
    return remarks


def _words(request: Request) -> str:
    resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    where = f" in {request.namespace}" if request.namespace else ""
    return f"{request.verb} {resource or request.path}{f' {request.name}' if request.name else ''}{where}"


def _right(request: Request) -> tuple[str, str, str]:
    resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
    return request.verb, request.group, resource or request.path


def _rights(requests: Iterable[Request]) -> Iterable[tuple[str, str, str]]:
    return (_right(request) for request in requests if not request.name)


def _rules(requests: Iterable[Request], *, names: bool) -> list[Plain]:
    """Return rules: resources of one group that have the same verbs and names share one."""
    verbs: defaultdict[tuple[str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    paths: defaultdict[str, set[str]] = defaultdict(set)
    objects: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for request in requests:
        verb, group, resource = _right(request)
        if request.resource:
            objects[verb, group, resource].add("" if verb in NAMELESS and not request.subresource else request.name)
        else:
            paths[resource].add(verb)
    for (verb, group, resource), found in objects.items():
        limited = names and "" not in found and len(found) <= MOST_NAMES
        verbs[group, resource, tuple(sorted(found)) if limited else ()].add(verb)
    shared: defaultdict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource, named), found in verbs.items():
        shared[group, _ordered(found), named].append(resource)
    rules: list[Plain] = []
    for (group, ordered, named), found in sorted(shared.items()):
        rule: Plain = {"apiGroups": [group], "resources": sorted(found), "verbs": list(ordered)}
        if named:
            rule["resourceNames"] = list(named)
        rules.append(rule)
    same: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for path, found in paths.items():
        same[_ordered(found)].append(path)
    for ordered, found in sorted(same.items()):
        rules.append({"nonResourceURLs": sorted(found), "verbs": list(ordered)})
    return rules


def _ordered(verbs: set[str]) -> tuple[str, ...]:
    return tuple(sorted(verbs, key=lambda verb: (_VERBS.index(verb) if verb in _VERBS else len(_VERBS), verb)))


def _base(subject: Subject) -> str:
    """Return a name that Kubernetes takes, for any name of a subject."""
    written = subject.name.lower()
    plain = _NAME.sub("-", written).strip("-.")[:60]
    if plain != written:
        plain += f"-{hashlib.sha256(subject.words.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
    return f"{plain.strip('-.')}-used"


def _role_and_binding(subject: Subject, base: str, namespace: str, rules: list[Plain]) -> list[Plain]:
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": base} | ({"namespace": namespace} if namespace else {})
    whom = {"kind": subject.kind, "name": subject.name}
    whom |= {"namespace": subject.namespace} if subject.kind == "ServiceAccount" else {"apiGroup": RBAC}
    version = f"{RBAC}/v1"
    return [
        {"apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": version,
            "kind": f"{kind}Binding",
            "metadata": dict(metadata),
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": base},
            "subjects": [whom],
        },
    ]
