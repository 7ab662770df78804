"""What is remembered of an event that a rule with state may still need: little, and of a size that is known."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.process import Process
from hullwatch.fields.audit_event import AuditEvent, text
from hullwatch.fields.log_event import LogEvent
from hullwatch.rules.value_events import ValueEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.enrich.process import Program
    from hullwatch.events.event import Event

_EVENT_SIZE = 2000  # bytes of an event with its process and parent, about, without their texts


class Evidence(NamedTuple):
    """A remembered event and about how many bytes it takes."""

    event: Event
    size: int


def remember(event: Event) -> Evidence:
    """Return a copy of an event that keeps nothing alive but its own values, its process and its parent.

    The whole line of ancestors would have no bound, and a process may run something larger later.
    """
    if isinstance(event, AuditEvent):
        kept = event.remembered()
        return Evidence(kept, _EVENT_SIZE + len(text(kept.audit) or ""))
    if isinstance(event, LogEvent):
        begin = event.remembered()
        return Evidence(begin, _EVENT_SIZE + 50 + len(begin.line.text))
    kept = _copied(event)
    kept.params = dict(event.params)  # not the record that they may still have to be read from
    size = _EVENT_SIZE + _length(kept.params.values())
    if event.program is not None:
        size += _program(event.program)
    process = event.process
    if process is not None:
        kept.process = _detached(process)
        if process.program is not event.program:
            size += _program(process.program)
        if process.parent is not None:
            kept.process.parent = _detached(process.parent)
            size += _program(process.parent.program)
    if isinstance(event, ValueEvent):
        size += _length(event.values.values())
    return Evidence(kept, size)


def _copied(event: Event) -> Event:
    kept = event.__class__.__new__(event.__class__)
    for name in _slots(event.__class__):
        setattr(kept, name, getattr(event, name))
    return kept


@functools.cache
def _slots(kind: type[Event]) -> tuple[str, ...]:
    return tuple(name for one in kind.__mro__ for name in getattr(one, "__slots__", ()))


def _detached(process: Process) -> Process:
    """Return a copy without relatives."""
    kept = Process(process.key, None, process.program, process.container_id)
    kept.vpid = process.vpid
    kept.alive = process.alive
    return kept


def _program(program: Program) -> int:
    names = len(program.exe) + len(program.exepath) + len(program.cwd) + len(program.filename)
    return names + 50 * len(program.args) + 2 * sum(map(len, program.args))  # once more in its command line


def _length(values: Iterable[object]) -> int:
    """Return about how many bytes some values take: texts by their length, also those in lists."""
    total = 0
    for value in values:
        if isinstance(value, str | bytes):
            total += 50 + len(value)
        elif isinstance(value, tuple):
            total += _length(value)  # pyright: ignore[reportUnknownArgumentType] - Any
    return total
