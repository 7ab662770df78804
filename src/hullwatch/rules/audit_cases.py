"""Events of the Kubernetes API in test cases of rules.

A case has one as ``event``, or several among its ``events``, each as ``- event: ...``. It is a map, or a text of
JSON as an audit log has it::

    cases:
      - it: alerts when somebody enters a pod
        event:
          verb: create
          user: {username: alice}
          objectRef: {resource: pods, subresource: exec, namespace: shop, name: web}
        alerts: [Pod entered]

Numbers, true, false and null are those of YAML; what is in quotes is text. What nearly all events have need not be
written: ``kind``, ``apiVersion``, ``level`` (RequestResponse), ``stage`` (ResponseComplete), ``auditID``,
``stageTimestamp``, ``requestReceivedTimestamp``, ``responseStatus`` (code 200, or 101 for a session) and the
authorisation's ``allow``. A value of null leaves one out.

Rules that ask for what is new are judged behind a ``history``, of which nothing is told::

    cases:
      - it: alerts when somebody calls whom nobody knows
        history:
          - {event: {verb: get, user: {username: bob}, objectRef: {resource: pods}}, times: 20, after: 1h}
        event: {verb: get, user: {username: alice}, objectRef: {resource: pods}}
        alerts: [New user]
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.config.values import parse_duration
from hullwatch.errors import UsageError
from hullwatch.fields.audit_event import AuditEvent, at, items, objects
from hullwatch.fields.ka import target_session
from hullwatch.rules.case_events import case_error, check_keys, plain
from hullwatch.rules.document import Mapping, Scalar

if TYPE_CHECKING:
    from hullwatch.rules.document import Node

_KEYS = frozenset({"event", "after", "times"})
MOST_TIMES = 1000  # that an event of a history is there
_DEFAULT_TIME = 1_700_000_000_000_000_000  # ns since the epoch; any moment will do
_SECOND = 1_000_000_000
_ALLOWED = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""}


def is_audit_event(node: Node) -> bool:
    """Tell whether an entry of ``events`` is one of the API."""
    return isinstance(node, Mapping) and node.get("event") is not None


def read_audit_event(node: Node, number: int, before: int | None, keys: frozenset[str] = _KEYS) -> AuditEvent:
    """Return the event that stands under ``event`` in a map.

    Args:
        node: the map.
        number: of the event.
        before: the time of the event before it, ns since the epoch; None for the first.
        keys: that the map may have.

    Raises:
        ProblemError: when it is none; the place is that of the value.
    """
    assert isinstance(node, Mapping)
    check_keys(node, keys, "An event of the API")
    written = node.get("event") or node
    audit = _json(written) if isinstance(written, Scalar) else plain(written)
    if not isinstance(audit, dict):
        sentence = "'event' is a map such as {verb: get, objectRef: {resource: pods}}, or such an object as JSON."
        raise case_error(sentence, written)
    return AuditEvent(completed(audit, number, _time(node, _DEFAULT_TIME if before is None else before)), number)  # pyright: ignore[reportUnknownArgumentType] - a YAML map


def completed(written: dict[str, Any], number: int = 1, moment: int = _DEFAULT_TIME) -> dict[str, Any]:
    """Return an event with what nearly all events have; what is None is left out.

    Args:
        written: what is said of it.
        number: of the event.
        moment: when it is, ns since the epoch.
    """
    session = target_session(AuditEvent(written)) is not None
    code = 101 if session else 200
    audit = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"00000000-0000-4000-8000-{number:012d}",
        "stage": "ResponseStarted" if session else "ResponseComplete",
        "requestReceivedTimestamp": (written_at := _timestamp(moment)),
        "stageTimestamp": written_at,
        "responseStatus": {"code": code},
        **written,
    }
    annotations = written.get("annotations", {})
    if isinstance(annotations, dict):
        audit["annotations"] = {**_ALLOWED, **annotations}
    return {name: value for name, value in audit.items() if value is not None}


def known_objects(node: Node | None) -> tuple[dict[str, object], ...]:
    """Return the objects that stand under ``known``.

    Raises:
        ProblemError: when it is no list of objects with a kind and a name; the place is that of the value.
    """
    if node is None:
        return ()
    found = plain(node)
    listed = list(objects(found))
    if not listed or len(listed) != len(items(found)) or not all(_is_object(one) for one in listed):
        sentence = "'known' lists objects such as {kind: Pod, apiVersion: v1, metadata: {name: web}}."
        raise case_error(sentence, node)
    return tuple(listed)


def _is_object(one: dict[str, Any]) -> bool:
    return bool(at(one, "metadata", "name")) and bool(at(one, "kind"))


def read_times(node: Node) -> int:
    """Return how often an event of a history is there, as ``times`` says; each time it is ``after`` later."""
    times = node.get("times") if isinstance(node, Mapping) else None
    if times is None:
        return 1
    if not isinstance(times, Scalar) or not times.text.isdecimal() or not 0 < int(times.text[:9]) <= MOST_TIMES:
        raise case_error(f"'times' is how often an event of the history is there: 1 to {MOST_TIMES}.", times)
    return int(times.text)


def _timestamp(moment: int) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment // _SECOND))}.{moment % _SECOND:09d}Z"


def _json(written: Scalar) -> Any:
    try:
        return msgspec.json.decode(written.text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise case_error(f"This is no JSON: {error}.", written) from None


def _time(node: Mapping, before: int) -> int:
    after = node.get("after")
    if after is None:
        return before
    if not isinstance(after, Scalar):
        raise case_error("'after' is the time since the event before it, such as 30s.", after)
    try:
        return before + round(parse_duration(after.text) * 1e9)
    except UsageError as error:
        raise case_error(str(error), after) from None
