"""What an event of the audit log says of the cluster's objects: one was written, is gone, or was there to be read.

It is only said where the audit policy's level is RequestResponse, or Request for what is created whole. What was read
counts, for much of a cluster is older than its log: the roles that an API server makes at its start are in no write.
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
_READS = frozenset({"get", "list"})
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
    """Return what an audit event changed or showed; nothing for one that was refused, or does not say it."""
    if not _is_done(event):
        return []
    reference = table(event.get("objectRef"))
    resource = BY_NAME.get(text(reference, "resource"))
    if resource is None or resource.group != text(reference, "apiGroup"):
        return []
    at = moment(text(event.get("stageTimestamp")))
    verb, subresource = event["verb"], text(reference, "subresource")
    answer = table(event.get("responseObject"))
    if verb in _READS:
        return _read(verb, resource, subresource, answer, at)
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


def _is_done(event: Mapping[str, object]) -> bool:
    """Tell whether an event is that of a request that was done, and may say something of objects."""
    verb = event.get("verb")
    if verb not in _WRITES and (verb not in _READS or "responseObject" not in event):
        return False
    code = table(event.get("responseStatus")).get("code")
    return event.get("stage") == "ResponseComplete" and isinstance(code, int) and 200 <= code < 300


def _read(verb: object, resource: Resource, subresource: str, answer: Plain, at: int) -> list[Change]:
    """Return what a request to read was answered with: objects as they were, whole; tables and parts are none."""
    if subresource:
        return []
    wanted = f"{resource.kind}List" if verb == "list" else resource.kind
    if text(answer, "kind") != wanted:
        return []
    shown = [table(one) for one in entries(answer, "items")] if verb == "list" else [answer]
    return [
        Change(resource, trimmed(one, resource.kind, resource.version), gone=False, at=at)
        for one in shown
        if text(one, "metadata", "name")
    ]


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
