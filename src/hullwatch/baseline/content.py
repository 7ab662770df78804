"""What a call writes, as values to learn: images, grants, who delivers, and what looks after an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.baseline.managed import NO_MARKER, Manager, field_manager, manager_of, marker_of
from hullwatch.baseline.texts import short
from hullwatch.fields.audit_event import AuditEvent, at, objects, word
from hullwatch.fields.image_name import registry_of, repository_of
from hullwatch.fields.ka_workload import KINDS as WORKLOADS
from hullwatch.fields.ka_workload import workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_PARTS = 100  # containers or subjects of an event that are looked at
BINDINGS = frozenset({"rolebindings", "clusterrolebindings"})
WRITING = frozenset({"create", "update", "patch"})
REMOVING = frozenset({"delete"})
# What is written all the time, and has neither images nor anybody who looks after it.
NEVER = frozenset(
    {
        *("leases", "events", "endpoints", "endpointslices", "controllerrevisions", "nodes", "csinodes"),
        *("tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
        *("selfsubjectreviews", "localsubjectaccessreviews", "componentstatuses", "bindings"),
    }
)
_PARTS = frozenset({"", "ephemeralcontainers", "scale"})
_OWNED_BRIEFLY = frozenset({"pods"})  # of which only the event itself says the owner: there are too many


def has_content(verb: object, resource: object, subresource: object) -> bool:
    """Tell whether a successful call of such a kind has something to learn in its objects."""
    return (
        (verb in WRITING or verb in REMOVING)
        and isinstance(resource, str)
        and resource not in NEVER
        and (subresource or "") in _PARTS
    )


class Written(NamedTuple):
    """What is in a call that writes or removes.

    Attributes:
        values: to learn, each with its kind.
        delivered: who wrote a workload by what, with which marks; empty for what is no workload that somebody wrote.
        manager: what looks after the object, as the call itself says it; None where it does not.
        name: what the object is remembered by; empty where it is not.
        program: that made the call.
    """

    values: tuple[tuple[str, str], ...]
    delivered: str
    manager: Manager | None
    name: str
    program: str


def written(audit: Mapping[str, Any], user: str) -> Written:
    """Return what there is in a call.

    Args:
        audit: the event.
        user: who made it, as they are known.
    """
    reference = audit.get("objectRef")
    resource = word(at(reference, "resource"))
    program = field_manager(audit)
    metadata = [at(audit, one, "metadata") for one in ("responseObject", "requestObject")]
    manager = next((found for one in metadata if (found := manager_of(one)) is not None), None)
    values: list[tuple[str, str]] = []
    delivered = ""
    if audit.get("verb") in WRITING:
        if resource in BINDINGS:
            values += grants(audit)
        elif resource in WORKLOADS and at(reference, "subresource") != "scale":
            found = workload(AuditEvent(audit))
            if found is not None:
                values += _images(found.containers)
                if at(found.whole, "metadata", "ownerReferences") is None:
                    marks = next((mark for one in metadata if (mark := marker_of(one)) is not None), None)
                    delivered = short(f"{user} by {program}, {marks.system if marks is not None else NO_MARKER}")
    return Written(tuple(dict.fromkeys(values)), delivered, manager, _name(reference, resource, metadata), program)


def _name(reference: Any, resource: str, metadata: list[Any]) -> str:
    if resource in _OWNED_BRIEFLY:
        return ""
    name = word(at(reference, "name")) or next((word(at(one, "name")) for one in metadata if at(one, "name")), "")
    return object_name(reference, name)


def object_name(reference: Any, name: str) -> str:
    """Return an object for people and to be remembered by: ``deployments/web in shop``."""
    if not name:
        return ""
    namespace = word(at(reference, "namespace"))
    return short(f"{word(at(reference, 'resource'))}/{name}{f' in {namespace}' if namespace else ''}")


def _images(containers: tuple[dict[str, Any], ...]) -> Iterator[tuple[str, str]]:
    for one in containers[:MOST_PARTS]:
        image = one.get("image")
        if isinstance(image, str) and image:
            yield "registry", short(registry_of(image))
            yield "repository", short(repository_of(image))
            yield "image", short(image)
            if "@" not in image:
                tagged = image if ":" in image.rpartition("/")[2] else f"{image}:latest"
                yield "tag", short(tagged)


def grants(audit: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield who is given which role where."""
    whole = next((one for name in ("responseObject", "requestObject") if at(one := audit.get(name), "subjects")), None)
    role = at(whole, "roleRef") or at(audit, "requestObject", "roleRef")
    if role.__class__ is not dict:
        return
    namespace = word(at(audit, "objectRef", "namespace"))
    given = f"{word(role.get('kind')) or 'Role'}/{word(role.get('name'))}"
    where = f"in {namespace}" if namespace else "everywhere"
    for one in list(objects(at(whole, "subjects")))[:MOST_PARTS]:
        yield "grant", short(f"{_subject(one, namespace)} gets {given} {where}")


def _subject(one: dict[str, Any], namespace: str) -> str:
    name = word(one.get("name"))
    if one.get("kind") == "ServiceAccount":
        return f"sa:{word(one.get('namespace')) or namespace}/{name}"
    return f"{word(one.get('kind')).lower() or 'user'}:{name}"
