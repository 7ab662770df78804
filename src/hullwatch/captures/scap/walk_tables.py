"""The tables of what is done with the types of events, as the walk in C takes them (``native/classifier/scap.h``)."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.scap.calls import CALL_CODES, CALL_NUMBERS
from hullwatch.captures.scap.conversion import is_stored, newest
from hullwatch.captures.scap.descriptor_changes import CHANGING_COMMANDS, MAKING, TELLING
from hullwatch.captures.scap.state import ANONYMOUS, META
from hullwatch.captures.scap.table import KINDS, LONG_LENGTHS, SIGNED, SIZES, TEXTS

if TYPE_CHECKING:
    from collections.abc import Collection

    from hullwatch.captures.scap.remembered import Remembered
    from hullwatch.captures.scap.table import EventKind

# As in native/classifier/scap.h; tests/native/test_scap.py compares them.
TYPES = 512
VALUES = 64
SIZES_KNOWN = 62
CALLS = 1024
COMMANDS = 256
ANY, TEXT, NOWHERE = 0, 255, 255
KNOWN, BEGINS, ANNOUNCES, GENERIC, CLOSES, AGAIN, MAKES, NUMBERED = 1, 2, 4, 8, 16, 32, 64, 128
COUNTED, NEEDED = 1, 2
CALL_SKIPPED, CALL_NEEDED, CALL_BY_NUMBER = 0, 1, 2
TYPE = struct.Struct(f"<BB{SIZES_KNOWN}s{VALUES + 1}sBBB{VALUES + 1}H")
CALLS_LAYOUT = struct.Struct(f"<{CALLS}s{CALLS}s{CALLS}H{COMMANDS}s")
_ANY_NUMBER = 0xFFFF
_NOT_TOLD = TYPES - 1  # of events that have a number and that nobody is told of
LAST_GENERIC = 1
CLOSING = "close"
_CONTROLLING = frozenset({"fcntl"})
_RESULT = 8  # bytes


class Asked(NamedTuple):
    """What is asked for.

    Attributes:
        wanted: names of the events that rules ask for.
        changing: names of the calls that change the state; closing a descriptor does so too.
        remembered: knows which of those that rules ask for need not be looked at again; None where all have to be.
    """

    wanted: frozenset[str]
    changing: frozenset[str]
    remembered: Remembered | None = None

    @property
    def needed(self) -> frozenset[str]:
        """Names of the events that have to be looked at."""
        return self.wanted | self.changing - {CLOSING} | META


def types_table(asked: Asked) -> bytes:
    """Return the table of types."""
    return b"".join(_row(KINDS.get(number), asked) for number in range(TYPES))


def _row(kind: EventKind | None, asked: Asked) -> bytes:
    if kind is None or LONG_LENGTHS in kind.marks:
        return bytes(TYPE.size)
    sizes = bytes(TEXT if one.type in TEXTS else SIZES.get(one.type, ANY) for one in kind.parameters)
    end = KINDS.get(kind.number + 1) if kind.enters else kind
    names = names_of(end) if end is not None else frozenset[str]()
    is_needed = not names.isdisjoint(asked.needed)
    actions, counted_as = bytearray(), list[int]()
    for count in range(len(kind.parameters) + 1):
        becomes = newest(kind.number, count)
        is_kept = becomes is not None or is_stored(kind.number, count)
        actions.append(COUNTED * (becomes is not None) | NEEDED * (is_needed and is_kept))
        counted_as.append(_NOT_TOLD if becomes is None or kind.enters else becomes)
    more = VALUES - len(kind.parameters)  # values: they are not looked at
    actions += actions[-1:] * more
    counted_as += counted_as[-1:] * more
    flags = KNOWN
    flags |= BEGINS * kind.enters | ANNOUNCES * (kind.name not in META | ANONYMOUS)
    flags |= GENERIC * (kind.number <= LAST_GENERIC)
    flags |= CLOSES * (kind.name == CLOSING and CLOSING not in asked.needed)
    flags |= _known_again(kind, names, asked) if is_needed and not kind.enters else 0
    places = _places(kind, names, asked)
    return TYPE.pack(len(kind.parameters), flags, sizes, bytes(actions), *places, *counted_as)


def _known_again(kind: EventKind, names: frozenset[str], asked: Asked) -> int:
    """Return the flags that say whether, and by what, the end of a call can be known again."""
    wanted = names & asked.wanted
    if kind.number % 2 == 0 or kind.number <= LAST_GENERIC or kind.name in ANONYMOUS or kind.descriptor >= 0:
        return 0
    if wanted and (
        asked.remembered is None or not all(asked.remembered.looks_at(one).is_known_again for one in wanted)
    ):
        return 0
    if not names.isdisjoint(asked.changing):
        first = kind.parameters[0].type if kind.parameters else ""
        is_made = names <= MAKING and first in SIGNED and SIZES[first] == _RESULT
        has_number = any(asked.remembered.looks_at(one).has_number for one in wanted) if asked.remembered else False
        return AGAIN | MAKES | NUMBERED * has_number if is_made else 0
    return AGAIN if kind.marks.isdisjoint({"uses_fd", "creates_fd"}) else 0


def _places(kind: EventKind, names: frozenset[str], asked: Asked) -> tuple[int, int, int]:
    """Return the places of the inode, the tuple and the command; ``NOWHERE`` where they decide nothing."""
    places = {one.name: place for place, one in enumerate(kind.parameters)}
    wanted = names & asked.wanted
    inode = places.get("ino", NOWHERE)
    is_same = all(newest(kind.number, count) in {kind.number, None} for count in range(len(kind.parameters) + 1))
    if not is_same or any(_is_argument(one, inode, asked.remembered) for one in wanted):
        inode = NOWHERE
    tuple_ = places.get("tuple", NOWHERE) if not wanted and names <= TELLING else NOWHERE
    command = places.get("cmd", NOWHERE) if not wanted and names == _CONTROLLING else NOWHERE
    return inode, tuple_, command


def _is_argument(name: str, inode: int, remembered: Remembered | None) -> bool:
    return remembered is None or not remembered.looks_at(name).arguments.isdisjoint({"ino", str(inode)})


@functools.cache
def names_of(kind: EventKind) -> frozenset[str]:
    """Return the names of what an event can become, however many values it has."""
    found = {kind.name}
    for count in range(len(kind.parameters) + 1):
        becomes = newest(kind.number, count)
        if becomes is not None:
            found.add(KINDS[becomes].name)
    return frozenset(found) if kind.number > LAST_GENERIC else frozenset()


def calls_table(needed: Collection[str]) -> bytes:
    """Return what is done with calls that have no type of their own, and with commands."""
    by_code = bytearray([CALL_BY_NUMBER]) * CALLS
    by_number = bytearray([CALL_NEEDED]) * CALLS  # those without a name are looked at
    number_of = [_ANY_NUMBER] * CALLS
    for number, name in CALL_NUMBERS.items():
        by_number[number] = CALL_NEEDED if name in needed else CALL_SKIPPED
    for code, (name, number) in CALL_CODES.items():
        by_code[code] = CALL_NEEDED if name in needed else CALL_SKIPPED
        number_of[code] = number
    changes = bytes(command in CHANGING_COMMANDS for command in range(COMMANDS))
    return CALLS_LAYOUT.pack(bytes(by_code), bytes(by_number), *number_of, changes)
