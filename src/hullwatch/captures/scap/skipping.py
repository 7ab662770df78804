"""Walking over the events of a .scap file that change nothing and that no rule asks for.

Most events of a capture are such ones. In C where it was built (``native/classifier/scap.c``), a walk ends at each
event that Python has to look at; what was walked over is counted. Without it Python looks at all, which gives the same.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import weakref
from typing import TYPE_CHECKING, Any

from hullwatch.captures.scap.calls import CALL_CODES, CALL_NUMBERS
from hullwatch.captures.scap.conversion import is_stored, newest
from hullwatch.captures.scap.table import KINDS, LONG_LENGTHS, SIZES, TEXTS
from hullwatch.detect.native import library

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from hullwatch.captures.scap.table import EventKind

# As in native/classifier/scap.h; tests/native/test_scap.py compares them.
TYPES = 512
VALUES = 64
SIZES_KNOWN = 62
CALLS = 1024
ANY, TEXT = 0, 255
KNOWN, BEGINS, ANNOUNCES, GENERIC = 1, 2, 4, 8
CLOSES = 16
COUNTED, NEEDED, STORED = 1, 2, 4
CLOSED = 1024
CALL_SKIPPED, CALL_NEEDED, CALL_BY_NUMBER = 0, 1, 2
TYPE = struct.Struct(f"<BB{SIZES_KNOWN}s{VALUES + 1}sx{VALUES + 1}H")
CALLS_LAYOUT = struct.Struct(f"<{CALLS}s{CALLS}s{CALLS}H")
_ANY_NUMBER = 0xFFFF
_NOT_TOLD = TYPES - 1  # of events that have a number and that nobody is told of
_LAST_GENERIC = 1
CLOSING = "close"


class Counts(ctypes.Structure):
    """``struct hw_scap_counts``."""

    _fields_ = (
        ("blocks", ctypes.c_uint64),
        ("events", ctypes.c_uint64),
        ("types", ctypes.c_uint64 * TYPES),
        ("codes", ctypes.c_uint64 * CALLS),
        ("numbers", ctypes.c_uint64 * CALLS),
        ("closed", ctypes.c_uint64),
        ("list", ctypes.c_int64 * (2 * CLOSED)),
    )


class Skipper:
    """Walks over events, in C.

    Args:
        needed: names of the events that Python has to look at: those that rules ask for, and those that change the
            state; closing a descriptor need not be among them.
        anonymous: names of those that make no thread known.
        close: called with thread and number of each descriptor that was closed.

    Raises:
        MemoryError: when there is none.
    """

    def __init__(
        self, needed: Collection[str], anonymous: Collection[str], close: Callable[[Iterable[tuple[int, int]]], None]
    ) -> None:
        """Give the tables to the library, which has to be there."""
        self._close = close
        self._library: Any = library()
        types, calls = types_table(needed, anonymous), calls_table(needed)
        self._counts = Counts()
        self._handle: Any = self._library.hw_scap_new(types, TYPES, calls, ctypes.byref(self._counts))
        if not self._handle:
            raise MemoryError
        weakref.finalize(self, self._library.hw_scap_free, self._handle)
        self._skip = self._library.hw_scap_skip
        self._told: set[int] = set()
        self._blocks = self._events = 0

    def skip(self, data: bytes, begin: int) -> tuple[int, int]:
        """Return where the first block begins that has to be looked at, and how many were walked over."""
        counts = self._counts
        begin = self._skip(self._handle, data, begin, len(data))
        while counts.closed:
            numbers = counts.list[: 2 * counts.closed]
            is_full, counts.closed = counts.closed == CLOSED, 0
            self._close(zip(numbers[::2], numbers[1::2], strict=True))
            if is_full:
                begin = self._skip(self._handle, data, begin, len(data))
        blocks = self._counts.blocks
        skipped, self._blocks = blocks - self._blocks, blocks
        return begin, skipped

    def take_number(self) -> int:
        """Return how many events that have a number were walked over since the last time."""
        events = self._counts.events
        number, self._events = events - self._events, events
        return number

    def know(self, tid: int) -> None:
        """Say that a thread is known."""
        if tid not in self._told:
            self._told.add(tid)
            self._library.hw_scap_know(self._handle, tid, 1)

    def forget(self, tid: int) -> None:
        """Say that a thread is no longer known."""
        if tid in self._told:
            self._told.discard(tid)
            self._library.hw_scap_know(self._handle, tid, 0)

    def counts(self) -> Mapping[str, int]:
        """Return how many events of each type were walked over."""
        found: dict[str, int] = {}
        rows = (
            *((KINDS[number].name, self._counts.types[number]) for number in KINDS if number > _LAST_GENERIC),
            *((name, self._counts.codes[code]) for code, (name, _) in CALL_CODES.items()),
            *((name, self._counts.numbers[number]) for number, name in CALL_NUMBERS.items()),
        )
        for name, number in rows:
            if number:
                found[name] = found.get(name, 0) + number
        return found


def types_table(needed: Collection[str], anonymous: Collection[str]) -> bytes:
    """Return the table of types as the library takes it."""
    rows = [_row(KINDS.get(number), needed, anonymous) for number in range(TYPES)]
    return b"".join(rows)


def _row(kind: EventKind | None, needed: Collection[str], anonymous: Collection[str]) -> bytes:
    if kind is None or LONG_LENGTHS in kind.marks:
        return bytes(TYPE.size)
    sizes = bytes(TEXT if one.type in TEXTS else SIZES.get(one.type, ANY) for one in kind.parameters)
    flags = KNOWN
    flags |= BEGINS * kind.enters | ANNOUNCES * (kind.name not in anonymous)
    flags |= GENERIC * (kind.number <= _LAST_GENERIC)
    actions = bytearray(VALUES + 1)
    counted_as = [_NOT_TOLD] * (VALUES + 1)
    for count in range(VALUES + 1):
        becomes = newest(kind.number, min(count, len(kind.parameters)))
        if is_stored(kind.number, min(count, len(kind.parameters))):
            actions[count] |= STORED
        if becomes is not None:
            actions[count] |= COUNTED
            if not kind.enters:
                counted_as[count] = becomes
    if kind.name == CLOSING and CLOSING not in needed:
        flags |= CLOSES
    end = KINDS.get(kind.number + 1) if kind.enters else kind
    if end is not None and any(name in needed for name in names_of(end)):
        actions = bytearray(action | NEEDED for action in actions)
    return TYPE.pack(len(kind.parameters), flags, sizes, bytes(actions), *counted_as)


@functools.cache
def names_of(kind: EventKind) -> set[str]:
    """Return the names of what an event can become, however many values it has."""
    found = {kind.name}
    for count in range(len(kind.parameters) + 1):
        becomes = newest(kind.number, count)
        if becomes is not None:
            found.add(KINDS[becomes].name)
    return found if kind.number > _LAST_GENERIC else set()


def calls_table(needed: Collection[str]) -> bytes:
    """Return what is done with calls that have no type of their own, as the library takes it."""
    by_code = bytearray([CALL_BY_NUMBER]) * CALLS
    by_number = bytearray([CALL_NEEDED]) * CALLS  # those without a name are looked at
    number_of = [_ANY_NUMBER] * CALLS
    for number, name in CALL_NUMBERS.items():
        by_number[number] = CALL_NEEDED if name in needed else CALL_SKIPPED
    for code, (name, number) in CALL_CODES.items():
        by_code[code] = CALL_NEEDED if name in needed else CALL_SKIPPED
        number_of[code] = number
    return CALLS_LAYOUT.pack(bytes(by_code), bytes(by_number), *number_of)
