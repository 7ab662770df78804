"""Fields of roles and bindings that a call to the Kubernetes API brings (``ka.req.role``, ``ka.req.binding``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.fields.audit_event import MOST_ITEMS, at, items, objects, text, texts, word
from hullwatch.fields.field import FieldType, Multiplicity, field
from hullwatch.fields.json_patch import requested

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.fields.audit_event import AuditEvent

Texts = tuple[str, ...] | None


def _subjects(event: AuditEvent, kind: str) -> Iterator[dict[str, Any]]:
    return (one for one in objects(at(requested(event), "subjects")) if one.get("kind") == kind)


def _rules(event: AuditEvent, index: str | None = None) -> list[dict[str, Any]]:
    found = list(objects(at(requested(event), "rules")))
    return found if index is None else found[int(index) :][:1]


def _of_rules(event: AuditEvent, index: str | None, key: str) -> Texts:
    return texts([value for one in _rules(event, index) for value in items(one.get(key))])


@field("ka.req.binding.subjects")
def subjects(event: AuditEvent) -> Texts:
    """Who a binding gives its role to, each as JSON."""
    return texts(at(requested(event), "subjects"))


@field("ka.req.binding.subjects.user_names")
def user_names(event: AuditEvent) -> Texts:
    """Users that a binding gives its role to."""
    return texts([one.get("name") for one in _subjects(event, "User")])


@field("ka.req.binding.subjects.serviceaccount_names")
def serviceaccount_names(event: AuditEvent) -> Texts:
    """Service accounts that a binding gives its role to, by name."""
    return texts([one.get("name") for one in _subjects(event, "ServiceAccount")])


@field("ka.req.binding.subjects.serviceaccount_ns_names")
def serviceaccount_ns_names(event: AuditEvent) -> Texts:
    """Service accounts that a binding gives its role to, as namespace:name."""
    found = _subjects(event, "ServiceAccount")
    return texts([f"{text(one.get('namespace')) or ''}:{text(one.get('name')) or ''}" for one in found])


@field("ka.req.binding.subjects.group_names")
def group_names(event: AuditEvent) -> Texts:
    """Groups that a binding gives its role to."""
    return texts([one.get("name") for one in _subjects(event, "Group")])


@field("ka.req.binding.role")
def binding_role(event: AuditEvent) -> str | None:
    """Name of the role that a binding gives."""
    return text(at(requested(event), "roleRef", "name"))


@field("ka.req.binding.role.kind", FieldType.CHARBUF)
def binding_role_kind(event: AuditEvent) -> str | None:
    """Kind of the role that a binding gives: Role or ClusterRole."""
    return text(at(requested(event), "roleRef", "kind"))


@field("ka.req.binding.subject.has_name")
def subject_has_name(event: AuditEvent, argument: str) -> str:  # noqa: ARG001 - every such field takes its argument
    """Always N/A, as in Falco; use ka.req.binding.subjects.user_names and the like."""
    return "N/A"


@field("ka.req.role.rules")
def rules(event: AuditEvent) -> Texts:
    """What a role allows, each rule as JSON."""
    return texts(at(requested(event), "rules"))


@field("ka.req.role.rules.apiGroups")
def api_groups(event: AuditEvent, argument: str | None = None) -> Texts:
    """API groups that the rules of a role name; empty text is the core group."""
    return _of_rules(event, argument, "apiGroups")


@field("ka.req.role.rules.nonResourceURLs")
def non_resource_urls(event: AuditEvent, argument: str | None = None) -> Texts:
    """Paths beside resources that the rules of a role name."""
    return _of_rules(event, argument, "nonResourceURLs")


@field("ka.req.role.rules.verbs")
def verbs(event: AuditEvent, argument: str | None = None) -> Texts:
    """Verbs that the rules of a role name."""
    return _of_rules(event, argument, "verbs")


@field("ka.req.role.rules.resources")
def resources(event: AuditEvent, argument: str | None = None) -> Texts:
    """Resources that the rules of a role name."""
    return _of_rules(event, argument, "resources")


@field("ka.req.role.grants", FieldType.CHARBUF, Multiplicity.LIST)
def grants(event: AuditEvent) -> Texts:
    """What a role allows, each verb with each resource of its rule: "get secrets", "create pods/exec", "* *"."""
    return event.once("grants", _grants)


def _grants(event: AuditEvent) -> Texts:
    found: dict[str, None] = {}
    for one in _rules(event):
        named = [word(resource) for resource in items(one.get("resources"))]
        named += [word(path) for path in items(one.get("nonResourceURLs"))]
        for verb in items(one.get("verbs")):
            found.update(dict.fromkeys(f"{word(verb)} {name}" for name in named))
            if len(found) > MOST_ITEMS:
                return tuple(found)
    return tuple(found) or None
