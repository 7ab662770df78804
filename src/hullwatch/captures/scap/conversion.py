"""Old events as new ones: what was said at the beginning of a call is put to its end, and old types become new ones."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.scap.raw_event import RawEvent, text_of
from hullwatch.captures.scap.table import CONVERSIONS, KINDS, NO_ID, SIZES, TEXTS, Conversion

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from hullwatch.captures.scap.table import EventKind, Parameter

MOST_BEGUN = 1 << 16  # calls, of as many threads
LONGEST_BEGUN = 1 << 13  # bytes of one
_GENERIC = 1  # number of the end of a call that has no type of its own
_DROPPED = Conversion("drop", 0, ())
_MOST_STEPS = 16  # from the oldest execve to the newest


def convert(event: RawEvent, begun: MutableMapping[int, RawEvent]) -> RawEvent | None:
    """Return an event in its newest form; None when only its end is shown.

    Args:
        event: as it was written.
        begun: the beginning of the call that each thread is in; is kept here.
    """
    for _ in range(_MOST_STEPS):
        conversion = _conversion(event.kind.number, len(event.values))
        if conversion is None:
            return event
        if conversion is _DROPPED:
            return None
        if conversion.action in {"store", "store_and_pass"}:
            keep(begun, event)
        if conversion.action == "store":
            return None
        if conversion.action in {"pass", "store_and_pass"}:
            return event
        event = _changed(event, conversion, begun)
    return event


def keep(begun: MutableMapping[int, RawEvent], event: RawEvent) -> None:
    """Keep the beginning of a thread's call in the place of the one before; one that is too long is not kept."""
    if len(begun) >= MOST_BEGUN:
        begun.clear()
    begun.pop(event.tid, None)
    if sum(map(len, event.values)) <= LONGEST_BEGUN:
        begun[event.tid] = event


@functools.cache
def _conversion(number: int, count: int) -> Conversion | None:
    """Return what is done with an event of a type and so many values; None when it is in its newest form."""
    kind = KINDS[number]
    if "converted_on_read" not in kind.marks:
        return _DROPPED if kind.enters and "old_version" in kind.marks else None
    if not (kind.enters or "old_version" in kind.marks or count < len(kind.parameters)):
        return None
    return CONVERSIONS.get((number, count))


@functools.cache
def newest(number: int, count: int) -> int | None:
    """Return the type that an event becomes; None when only its end is shown.

    Args:
        number: of its type.
        count: of its values.
    """
    for _ in range(_MOST_STEPS):
        conversion = _conversion(number, count)
        if conversion is None or conversion.action in {"pass", "store_and_pass"}:
            return number
        if conversion is _DROPPED or conversion.action == "store":
            return None
        adds = conversion.action == "add_params"
        number = number if adds else conversion.number
        count = min(count * adds + len(conversion.fill), len(KINDS[number].parameters))
    return number


@functools.cache
def is_stored(number: int, count: int) -> bool:
    """Tell whether an event of a type, with so many values, is kept until its call ends."""
    for _ in range(_MOST_STEPS):
        conversion = _conversion(number, count)
        if conversion is None:
            return False
        if conversion.action in {"store", "store_and_pass"}:
            return True
        if conversion.action not in {"add_params", "change_type"}:
            return False
        adds = conversion.action == "add_params"
        number = number if adds else conversion.number
        count = min(count * adds + len(conversion.fill), len(KINDS[number].parameters))
    return False


class _Source(NamedTuple):
    """Where a value comes from: ``old``, ``enter``, ``callback`` or nowhere; and what stands for one that is absent."""

    what: str
    place: int
    absent: bytes


@functools.cache
def _steps(number: int, count: int) -> tuple[EventKind, tuple[_Source, ...]]:
    """Return the type that an event becomes, and where its values come from: as many steps as can be made at once."""
    conversion = _conversion(number, count)
    assert conversion is not None
    if conversion.action != "add_params":
        kind = KINDS[conversion.number]
        return kind, _sources(conversion.fill, kind, 0)
    kind, sources = KINDS[number], list[_Source]()
    while conversion is not None and conversion.action == "add_params" and len(sources) < len(kind.parameters):
        if not conversion.fill or (sources and not _is_at_once(conversion.fill)):
            break
        sources += _sources(conversion.fill, kind, count + len(sources))
        conversion = _conversion(number, min(count + len(sources), len(kind.parameters)))
    return kind, tuple(sources)


def _is_at_once(fill: tuple[str, ...]) -> bool:
    """Tell whether values can be found without those of the step before."""
    return not any(source.startswith(("old", "callback")) for source in fill)


def _sources(fill: tuple[str, ...], kind: EventKind, begin: int) -> tuple[_Source, ...]:
    found: list[_Source] = []
    for place, source in enumerate(fill[: max(len(kind.parameters) - begin, 0)], begin):
        what, _, index = source.rstrip("?").partition(":")
        absent = b"" if what == "empty" or source.endswith("?") else default(kind.parameters[place])
        found.append(_Source(what, int(index or 0), absent))
    return tuple(found)


def _changed(event: RawEvent, conversion: Conversion, begun: MutableMapping[int, RawEvent]) -> RawEvent:
    kind, sources = _steps(event.kind.number, len(event.values))
    begin = begun.get(event.tid)
    if begin is not None and begin.kind.number != event.kind.number - 1:
        begin = None
    if begin is not None and event.kind.number == _GENERIC and begin.bytes(0) != event.bytes(0):
        begin = None  # of another call
    values = list(event.values) if conversion.action == "add_params" else []
    for what, index, absent in sources:
        if what == "old":
            values.append(event.bytes(index))
        elif what == "enter" and begin is not None:
            values.append(begin.bytes(index))
        else:
            values.append(_container(event) if what == "callback" else absent)
    return RawEvent(event.number, event.time, event.tid, event.cpu, event.flags, kind, tuple(values))


def default(parameter: Parameter) -> bytes:
    """Return the value of a parameter that nobody knows."""
    if parameter.type in {"UID", "GID"}:
        return NO_ID
    if parameter.type in TEXTS:
        return b""
    return bytes(SIZES.get(parameter.type, 0))


def _container(event: RawEvent) -> bytes:
    """Return the four values of the oldest event of a container as the JSON of the newer ones."""
    names = ("id", "type", "name", "image")
    values = [text_of(event.bytes(index)) for index in (0, 2, 3)]
    values.insert(1, "")
    container: dict[str, object] = dict(zip(names, values, strict=True))
    container["type"] = event.integer(1)
    return json.dumps({"container": container}).encode() + b"\0"
