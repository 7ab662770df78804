"""What an event of the audit log says of the cluster's objects: one was written, or is gone.

It is only said where the audit policy's level is RequestResponse, or Request for what is created whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.kubernetes.plain import Plain, entries, moment, table, text
from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.enrich.kubernetes.trimming import trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.enrich.kubernetes.resources import Resource

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_WHOLE = frozenset({"", "status", "ephemeralcontainers", "resize", "scale"})  # subresources answered by the object


class Change(NamedTuple):
    """An object that was written, or is gone.

    Attributes:
        resource: what it is.
        found: trimmed; of one that is gone at least its name.
        gone: whether it is.
        at: ns since the epoch.
    """

    resource: Resource
    found: Plain
    gone: bool
    at: int


def changes_of(event: Mapping[str, object]) -> list[Change]:
    """Return what an audit event changed; nothing for one that only read, was refused, or does not say it."""
    if not _has_written(event):
        return []
    reference = table(event.get("objectRef"))
    resource = BY_NAME.get(text(reference, "resource"))
    if resource is None or resource.group != text(reference, "apiGroup"):
        return []
    at = moment(text(event.get("stageTimestamp")))
    verb, subresource = event["verb"], text(reference, "subresource")
    answer = table(event.get("responseObject"))
    if verb == "deletecollection":
        return [
            Change(resource, trimmed(table(one), resource.kind, resource.version), gone=True, at=at)
            for one in entries(answer, "items")
            if text(one, "metadata", "name")
        ]
    if subresource not in _WHOLE:
        return []
    if verb == "delete":
        return [_deleted(resource, reference, answer, at)]
    return _written(event, resource, at)


def _has_written(event: Mapping[str, object]) -> bool:
    """Tell whether an event is that of a request to write that was done."""
    if event.get("verb") not in _WRITES or event.get("stage") != "ResponseComplete":
        return False
    code = table(event.get("responseStatus")).get("code")
    return isinstance(code, int) and 200 <= code < 300


def _written(event: Mapping[str, object], resource: Resource, at: int) -> list[Change]:
    reference, answer = table(event.get("objectRef")), table(event.get("responseObject"))
    written = answer if text(answer, "kind") == resource.kind else {}
    if not written and event["verb"] != "patch" and not text(reference, "subresource"):
        written = table(event.get("requestObject"))
    if text(written, "kind") not in {"", resource.kind} or not table(written, "metadata"):
        return []
    found = trimmed(written, resource.kind, resource.version)
    metadata = table(found, "metadata")
    for name in ("name", "namespace"):  # what is asked for need not say it: the path does
        if not text(metadata, name) and text(reference, name):
            metadata[name] = text(reference, name)
    return [Change(resource, found, gone=False, at=at)] if text(metadata, "name") else []


def _deleted(resource: Resource, reference: Plain, answer: Plain, at: int) -> Change:
    """Return what a deletion changed: who has time to end, or a finalizer, is still there."""
    named: Plain = {"metadata": {one: text(reference, one) for one in ("name", "namespace", "uid")}}
    found = trimmed(answer if text(answer, "kind") == resource.kind else named, resource.kind, resource.version)
    metadata = table(found, "metadata")
    seconds = metadata.get("deletionGracePeriodSeconds")
    ends = bool(text(metadata, "deletionTimestamp")) and isinstance(seconds, int) and seconds > 0
    return Change(resource, found, gone=not ends and not metadata.get("finalizers"), at=at)
