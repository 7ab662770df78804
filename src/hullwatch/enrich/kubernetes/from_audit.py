"""What an event of the audit log says of the cluster's objects: one was written, is gone, or was there to be read.

It is only said where the audit policy's level is RequestResponse, or Request for what is created whole. What was read
counts, for much of a cluster is older than its log: the roles that an API server makes at its start are in no write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.kubernetes.audit_objects import VERBS, answer_of
from hullwatch.enrich.kubernetes.plain import Plain, moment, table, text
from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.enrich.kubernetes.trimming import trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hullwatch.enrich.kubernetes.resources import Resource


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


def changes_of(event: Mapping[str, object], known: Callable[[str, Plain], bool] | None = None) -> list[Change]:
    """Return what an audit event changed or showed; nothing for one that was refused, or does not say it.

    Args:
        event: of the log.
        known: tells of a kind and an object that is there whether it is known just so; None: nobody remembers.
    """
    if text(event.get("verb")) not in VERBS:
        return []
    reference = table(event.get("objectRef"))
    resource = BY_NAME.get(text(reference, "resource"))
    if resource is None or resource.group != text(reference, "apiGroup"):
        return []
    shown = answer_of(event, resource.kind).shown
    if known is not None:
        shown = tuple([one for one in shown if one.gone or not known(resource.kind, one.found)])
    at = moment(text(event.get("stageTimestamp"))) if shown else 0
    return [Change(resource, trimmed(one.found, resource.kind, resource.version), one.gone, at) for one in shown]
