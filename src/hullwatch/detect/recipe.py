"""Where the values that a kind is judged by lie in its records: offsets for both classifiers."""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.namespaces import NAMESPACES
from hullwatch.events.table import HEADER, HEADER_FIELDS, LAYOUTS, TYPES
from hullwatch.fields.inputs import PEER, RESULT, result_parameter

if TYPE_CHECKING:
    from collections.abc import Collection

    from hullwatch.detect.plan import Kind
    from hullwatch.events.table import EventType, Layout

_BYTES = {"u64": 8, "u32": 4, "u16": 2}
_PEER_TUPLE, _PEER_PROTOCOL = "tuple", "l4proto"


def _header_offset(name: str) -> int:
    offset = 0
    for field, kind in HEADER_FIELDS:
        if field == name:
            return offset
        offset += _BYTES[kind]
    raise KeyError(name)


# The process's start, control group and hierarchy, effective user and process id: what makes a process context.
CONTEXT_BEGIN = _header_offset("process_start")
CONTEXT_END = _header_offset("pid") + 4
CONTEXT = struct.Struct("<QQIII")


class StateChange(enum.IntEnum):
    """What a type of records changes; the numbers are those of ``native/classifier/classifier.h``."""

    NONE = 0
    """Nothing."""
    CHILD = 1
    """A process is new; what is known around others stays, or the assembler says so."""
    END = 2
    """A process is gone, and has no more records of its own."""
    ANY = 3
    """Whatever is known."""
    UNLESS_FAILED = 4
    """Whatever is known; nothing when the call failed."""
    PROGRAM = 5
    """The same, of a process that runs a program: nothing, either, when all is known by others that did so."""


_CHANGES = {
    "new_process": StateChange.CHILD,
    "process_end": StateChange.END,
    "program": StateChange.PROGRAM,
}


def state_of(kind: EventType, heard: Collection[str] = ()) -> StateChange:
    """Return what records of a type change.

    Args:
        kind: the type.
        heard: names of types that change what some rules ask for, see ``Plan``.
    """
    if not kind.is_event or kind.origin != "sensor" or kind.name in heard:
        return StateChange.ANY
    if not kind.state:
        return StateChange.NONE
    other = StateChange.ANY if result_parameter(kind.layout) is None else StateChange.UNLESS_FAILED
    return _CHANGES.get(kind.layout.name, other)


class StringPlace(NamedTuple):
    """A string of a record.

    Attributes:
        variable: its position among the values of variable size.
        peer: whether it is an address pair without the client's port, and with ``protocol`` behind it.
        protocol: offset of the protocol's byte; 0 without.
    """

    variable: int
    peer: bool = False
    protocol: int = 0


class Recipe(NamedTuple):
    """Where a kind's values lie; offsets count from the record's first byte.

    Attributes:
        fixed_end: where the values of variable size begin.
        lengths: offset of the u16 length of the first of them; the others follow.
        variables: how many there are.
        scalars: offset and size of each small value that is looked at.
        strings: at most two.
    """

    fixed_end: int
    lengths: int
    variables: int
    scalars: tuple[tuple[int, int], ...]
    strings: tuple[StringPlace, ...]


FINGERPRINT = "fingerprint"
# What the kernel makes a fingerprint of, besides the process and the type, by layout (native/bpf/ruled_out.h and
# ruled_out_peer.h). Where the result is among it failed calls have one too.
_FINGERPRINTED = {
    "open": frozenset({"dirfd", "name", "flags", "mode", "dev", "ino", "inode_mode"}),
    "connection": frozenset({PEER, "l4proto", RESULT}),
    "accepted": frozenset({PEER, "l4proto"}),
    "message": frozenset({PEER, "l4proto", "connected"}),
}


def fingerprint_offset(layout: Layout) -> int:
    """Return where the fingerprint of a call lies, by which the sensor can remember it; 0 if it has none."""
    return scalar_offset(layout, FINGERPRINT)[0] if FINGERPRINT in layout.scalars else 0


def is_told(kind: Kind) -> bool:
    """Tell whether calls of a kind that are ruled out can be left out by their fingerprints.

    A condition that looks at anything else, as the number of the descriptor, could hold for the next such call.
    """
    return has_fingerprints(kind) and not untold(kind)


def has_fingerprints(kind: Kind) -> bool:
    """Tell whether calls of a kind have fingerprints."""
    return kind.layout.name in _FINGERPRINTED and (kind.failed is False or tells_results(kind.layout))


def tells_results(layout: Layout) -> bool:
    """Tell whether fingerprints tell results apart, so that failed calls have one too."""
    return RESULT in _FINGERPRINTED.get(layout.name, ())


def untold(kind: Kind) -> set[str]:
    """Return what conditions of a kind look at, though it is in no fingerprint."""
    asked = {*kind.scalar_names, *(string.name for string in kind.strings)}
    return asked - _FINGERPRINTED.get(kind.layout.name, frozenset())


def result_offset(layout: Layout) -> int:
    """Return where the result lies, a signed number of 8 bytes; 0 for events that have none."""
    name = result_parameter(layout)
    return 0 if name is None else scalar_offset(layout, name)[0]


def scalar_offset(layout: Layout, name: str) -> tuple[int, int]:
    """Return offset and size of a value of fixed size."""
    types = {parameter.name: TYPES[parameter.type] for parameter in layout.parameters}
    offset = HEADER.size
    for one in layout.scalars:
        if one == name:
            return offset, types[one].size
        offset += types[one].size
    raise KeyError(name)


def recipe(kind: Kind) -> Recipe:
    """Return where the values of a kind lie."""
    layout = kind.layout
    scalars = [
        (result_offset(layout), 8) if name == RESULT else scalar_offset(layout, name) for name in kind.scalar_names
    ]
    return Recipe(
        fixed_end=HEADER.size + layout.fixed.size,
        lengths=_lengths_offset(layout),
        variables=len(layout.variables),
        scalars=tuple(sorted(scalars)),
        strings=tuple(_place(layout, string.name) for string in kind.strings),
    )


def peer_place(layout: Layout) -> tuple[int, int, int]:
    """Return where a record has the addresses of a connection: the lengths' offset, which of them, the protocol's."""
    place = _place(layout, PEER)
    return _lengths_offset(layout), place.variable, place.protocol


def _lengths_offset(layout: Layout) -> int:
    last = scalar_offset(layout, layout.scalars[-1]) if layout.scalars else (HEADER.size, 0)
    return sum(last) + sum(last) % 2


def _place(layout: Layout, name: str) -> StringPlace:
    if name != PEER:
        return StringPlace(layout.variables.index(name))
    return StringPlace(
        layout.variables.index(_PEER_TUPLE), peer=True, protocol=scalar_offset(layout, _PEER_PROTOCOL)[0]
    )


# What processes that run a program are the same by, besides its texts, whether they are the first of their pid
# namespace, and what stands in the header: the same as of ``Program.content``.
_SAME_BY = ("res", "tty", "gid", "loginuid", "flags", *(f"{kind}_ns" for kind in NAMESPACES))


class StartPlaces(NamedTuple):
    """Where the records that processes begin with have what they are the same by; offsets from the first byte.

    Attributes:
        child: of a child's record: where its name begins, its id, start and own id, and its name's length.
        program: of a program's: where its texts begin, its own id, the lengths of the texts, how many there are,
            which of them the arguments are.
        scalars: offset and size of each small value of a program's.
    """

    child: tuple[int, ...]
    program: tuple[int, ...]
    scalars: tuple[tuple[int, int], ...]


def start_places() -> StartPlaces:
    """Return where those values lie."""
    child, program = LAYOUTS["new_process"], LAYOUTS["program"]
    assert program.variables[-1] == "ancestors"
    return StartPlaces(
        (
            HEADER.size + child.fixed.size,
            *(scalar_offset(child, name)[0] for name in ("res", "child_start", "vpid")),
            _lengths_offset(child),
        ),
        (
            HEADER.size + program.fixed.size,
            scalar_offset(program, "vpid")[0],
            _lengths_offset(program),
            len(program.variables),
            program.variables.index("argv"),
        ),
        tuple(scalar_offset(program, name) for name in _SAME_BY),
    )
