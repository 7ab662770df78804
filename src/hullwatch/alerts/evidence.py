"""The earlier events that a rule with state alerts for, as an alert shows them: a few fields of each.

They are Falco's fields, as in ``output_fields``; what an event does not have is left out.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from hullwatch.alerts.mask import CUT
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.fields.catalogue import catalogue
from hullwatch.fields.log_event import LogEvent
from hullwatch.rules.audit_lookup import from_audit
from hullwatch.rules.log_lookup import from_log
from hullwatch.rules.terms import from_event
from hullwatch.rules.value_events import ValueEvent, from_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.alerts.mask import Masker
    from hullwatch.events.event import Event
    from hullwatch.rules.terms import Lookup

Earlier = dict[str, object]
"""Fields of an event by name; ``evt.time`` is always there, ns since the epoch."""

MOST_EVENTS = 16  # the longest sequence has 15 before its last step
LONGEST_VALUE = 1024  # characters
_FIELDS = (
    "evt.type",
    "proc.name",
    "proc.pid",
    "proc.cmdline",
    "proc.exepath",
    "fd.name",
    "fs.path.name",  # also of a call that failed
    "user.name",
)
_FIELDS_OF_LOGS = ("evt.type", "log.text", "log.stream")
_FIELDS_OF_API = ("ka.user.name", "ka.verb", "ka.target.resource", "ka.target.namespace", "ka.target.name")


def make_evidence(events: Sequence[Event], masker: Masker) -> tuple[Earlier, ...]:
    """Return what an alert shows of the events before it, oldest first; secrets are masked and texts cut.

    Args:
        events: oldest first; of more than ``MOST_EVENTS`` the last.
        masker: hides secrets; it sees the whole of a text that is cut.
    """
    return tuple(_earlier(event, masker) for event in events[-MOST_EVENTS:])


def _earlier(event: Event, masker: Masker) -> Earlier:
    lookup = _lookup(event)
    found: Earlier = {}
    for name in _names(lookup):
        value = _reader(name, lookup)(event)
        if value is not None and value != "":
            found[name] = value
    if found.get("fs.path.name") == found.get("fd.name"):
        found.pop("fs.path.name", None)
    program = event.program.comm if event.program is not None else ""
    _, masked = masker.alert("", found, program)
    shown: Earlier = {name: _cut(value) for name, value in masked.items()}
    shown["evt.time"] = event.time
    container = event.container
    shown["container.id"] = container.id
    if container.name:
        shown["container.name"] = container.name
    return shown


def _names(lookup: Lookup) -> tuple[str, ...]:
    """Return the fields that are told of an event."""
    if lookup is from_audit:
        return _FIELDS_OF_API
    return _FIELDS_OF_LOGS if lookup is from_log else _FIELDS


def _lookup(event: Event) -> Lookup:
    if isinstance(event, AuditEvent):
        return from_audit
    if isinstance(event, LogEvent):
        return from_log
    return from_values if isinstance(event, ValueEvent) else from_event


@functools.cache
def _reader(name: str, lookup: Lookup) -> Callable[[Event], Any]:
    """Return the function of a field."""
    function = lookup(catalogue()[name], None)
    return function if function is not None else lambda _: None


def _cut(value: object) -> object:
    return value[:LONGEST_VALUE] + CUT if isinstance(value, str) and len(value) > LONGEST_VALUE else value
