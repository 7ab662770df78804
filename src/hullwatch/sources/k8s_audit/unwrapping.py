"""Whatever audit events are wrapped in, found out by looking: bytes in, events and counted reasons out.

A wrapper is a row of ``_WRAPPERS``: how it is recognised and what it holds, which is looked at in the same way, until
there are events. ``hullwatch replay --source k8s_audit``, the webhook and the log files all read through ``unwrap``.

Clouds send logs of containers in the same wrappers. What is such a line is found before anything else: a container can
write an audit event into its log, and it must not become one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.container_logs import records
from hullwatch.sources.container_logs.line import LogLine
from hullwatch.sources.k8s_audit import aws, azure, cloud_events, google
from hullwatch.sources.k8s_audit.counts import CONTAINER_LOG, MOST_ROOM, NO_EVENT, NO_TIME, TOO_DEEP, IntakeCounts
from hullwatch.sources.k8s_audit.origin import NATIVE, Found, Origin
from hullwatch.sources.k8s_audit.payload import values
from hullwatch.sources.k8s_audit.shapes import is_list, is_table, items, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DEEPEST = 8  # wrappers in one another
_MARKS = frozenset({"auditID", "stageTimestamp", "verb"})  # that an event of the core API has none of
_Table = dict[str, object]
_Inner = tuple[object, Origin]
_DECODER = msgspec.json.Decoder(dict[str, object])


def unwrap(documents: Iterable[bytes], counts: IntakeCounts) -> Iterator[Found]:
    """Yield the events of documents, in their order, each with where it came from.

    Args:
        documents: lines, or whole files or bodies; compressed or not.
        counts: gets what was found and what was left out.
    """
    for found in unwrap_all(documents, counts):
        if isinstance(found, LogLine):
            counts.leave_out(CONTAINER_LOG)
        else:
            yield found


def unwrap_all(documents: Iterable[bytes], counts: IntakeCounts) -> Iterator[Found | LogLine]:
    """Yield the events of documents as ``unwrap`` does, and the lines of containers' logs, which are not counted."""
    decode = _DECODER.decode
    for document in documents:
        try:  # the quick way, for most lines are a native event
            event = decode(document)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            for value in values(document, counts):
                yield from _open(value, NATIVE, counts, 0)
        else:
            yield from _open(event, NATIVE, counts, 0)
        counts.room = MOST_ROOM


def _open(value: object, origin: Origin, counts: IntakeCounts, depth: int) -> Iterator[Found | LogLine]:
    """Yield the events and lines of a value, which is one itself or holds some."""
    if isinstance(value, LogLine):
        yield value
        return
    if is_table(value):
        if records.is_record(value):
            yield records.line_of(value)
            return
        kind = value.get("kind")
        if kind == "Event" and not _MARKS.isdisjoint(value):
            if text(value.get("stageTimestamp")):
                counts.take(origin.wrapper)
                yield value, origin
            else:
                counts.leave_out(NO_TIME)
            return
        if kind == cloud_events.KIND and "stageTimestamp" in value:
            counts.take("cloud")
            yield value, origin
            return
    inside = _inside(value, counts)
    if inside is None:
        counts.leave_out(NO_EVENT)
    elif depth >= DEEPEST:
        counts.leave_out(TOO_DEEP)
    else:
        for inner, from_where in inside:
            yield from _open(inner, _more_telling(origin, from_where), counts, depth + 1)


def _inside(value: object, counts: IntakeCounts) -> Iterable[_Inner] | None:
    """Return what a wrapper holds; None for what is no wrapper."""
    if is_list(value):
        return ((one, NATIVE) for one in value)
    if is_table(value):
        for holds, opens in _WRAPPERS:
            if holds(value):
                return opens(value, counts)
    return None


def _more_telling(outer: Origin, inner: Origin) -> Origin:
    """Return where something comes from, of what the outer and the inner wrapper say."""
    if inner.wrapper == NATIVE.wrapper:
        return outer
    return Origin(inner.wrapper, inner.cluster or outer.cluster)


def _has(name: str, kind: type) -> Callable[[_Table], bool]:
    return lambda value: isinstance(value.get(name), kind)


def _items_of(name: str) -> Callable[[_Table, IntakeCounts], Iterator[_Inner]]:
    return lambda value, _: ((one, NATIVE) for one in items(value.get(name)))


def _listed(value: _Table, _: IntakeCounts) -> Iterator[_Inner]:
    """Yield the events of an API server's batch: there only the list says of what kind and version they are."""
    version = text(value.get("apiVersion")) or "audit.k8s.io/v1"
    for one in items(value.get("items")):
        yield ({"kind": "Event", "apiVersion": version, **one} if is_table(one) else one), NATIVE


def _logged(value: _Table, counts: IntakeCounts) -> Iterator[_Inner]:
    """Yield what a line of Docker's json-file holds, of an API server that writes its audit log to its output."""
    for inner in values(text(value.get("log")).encode("utf-8", "replace"), counts):
        yield inner, NATIVE


def _subscribed(value: _Table, counts: IntakeCounts) -> Iterator[_Inner]:
    return ((line, NATIVE) for line in records.subscribed(value, counts))


_WRAPPERS: tuple[tuple[Callable[[_Table], bool], Callable[[_Table, IntakeCounts], Iterator[_Inner]]], ...] = (
    (lambda value: value.get("kind") == "EventList" and "items" in value, _listed),
    (records.is_application, _subscribed),
    (_has("messageType", str), aws.subscription),
    (_has("awslogs", dict), aws.lambda_event),
    (_has("Records", list), aws.records),
    (aws.is_firehose, aws.firehose),
    (cloud_events.is_activity, cloud_events.activity_log),
    (azure.is_resource_log, azure.resource_log),
    (azure.is_audit_row, azure.audit_row),
    (_has("tables", list), azure.query_answer),
    (_has("records", list), _items_of("records")),
    (google.is_pushed, google.pushed),
    (cloud_events.is_admin_activity, cloud_events.admin_activity),
    (_has("protoPayload", dict), google.log_entry),
    (_has("entries", list), google.entries),
    (_has("events", list), aws.filtered),
    (lambda value: isinstance(value.get("detail"), dict) and "detail-type" in value, cloud_events.event_bridge),
    (cloud_events.is_cloudtrail, cloud_events.cloudtrail),
    (lambda value: isinstance(value.get("log"), str) and "stream" in value, _logged),
)
