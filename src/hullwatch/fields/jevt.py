"""Fields of an event that is a JSON object (``jevt.*``): any value of it by its JSON pointer (RFC 6901)."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from hullwatch.fields.audit_event import text
from hullwatch.fields.evt_time import clock, iso8601
from hullwatch.fields.field import FieldType, field

if TYPE_CHECKING:
    from hullwatch.fields.audit_event import AuditEvent

_LONGEST_INDEX = 9  # digits


@field("jevt.value")
def value(event: AuditEvent, argument: str) -> str | None:
    """What a JSON pointer such as /objectRef/name leads to: text as it is, anything else as JSON."""
    return text(find(event.audit, argument))


@field("jevt.obj")
def obj(event: AuditEvent) -> str | None:
    """The whole event as JSON."""
    return text(event.audit)


@field("jevt.rawtime")
def rawtime(event: AuditEvent) -> str:
    """Time of the event as text, ns since the epoch."""
    return str(event.time)


@field("jevt.time", FieldType.CHARBUF)
def clock_of(event: AuditEvent) -> str:
    """Time of day of the event with nanoseconds, in the host's time zone."""
    return clock(event)


@field("jevt.time.iso8601", FieldType.CHARBUF)
def iso8601_of(event: AuditEvent) -> str:
    """Date and time of the event with nanoseconds in UTC."""
    return iso8601(event)


@field("jevt.date", FieldType.CHARBUF)
def date(event: AuditEvent) -> str:
    """Date of the event in UTC, such as 2026-11-28."""
    return time.strftime("%Y-%m-%d", time.gmtime(event.time // 1_000_000_000))


def find(node: Any, pointer: str) -> Any:
    """Return what a JSON pointer leads to; None where it leads to nothing."""
    for key in _keys(pointer):
        if node.__class__ is dict:
            node = node.get(key)
        elif node.__class__ is list and key.isascii() and key.isdecimal() and len(key) <= _LONGEST_INDEX:
            number = int(key)
            node = node[number] if number < len(node) else None
        else:
            return None
    return node


@functools.lru_cache(4096)
def _keys(pointer: str) -> tuple[str, ...]:
    """Return the keys of a pointer; one that does not begin with a slash is taken as if it did."""
    if not pointer:
        return ()
    return tuple([key.replace("~1", "/").replace("~0", "~") for key in pointer.removeprefix("/").split("/")])
