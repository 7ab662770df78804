"""The events of .scap files as they are: a header, and values that nobody has looked into."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.scap.blocks import FLAGGED_EVENTS, V1_EVENTS, Block, DamagedError
from hullwatch.captures.scap.table import KINDS, LONG_LENGTHS, SIGNED, SIZES, TEXTS

if TYPE_CHECKING:
    from hullwatch.captures.scap.table import EventKind

Values = tuple[bytes, ...]
"""The values of an event, each as its bytes; empty where there is none."""

_HEAD = struct.Struct("<QQIH")  # time, thread, length, type
_COUNT = struct.Struct("<I")
_CPU = struct.Struct("<H")
_FLAGS = struct.Struct("<I")
_MOST_VALUES = 64
LONGEST_LIST = 4096  # bytes of arguments, environment or control groups; writers cut them there
_LONGEST_TEXT = 4096  # bytes of a text; no path is longer
_LONGER_BY_3 = frozenset({280, 286})  # whose length some writers have stored wrongly
_UNKNOWN_THREAD = 0xFFFF_FFFF_FFFF_FFFF
_INDEXES = {
    number: {parameter.name: index for index, parameter in reversed(list(enumerate(kind.parameters)))}
    for number, kind in KINDS.items()
}
_TEXT = -1
_SHORT, _LONG = 2, 4  # bytes of the length of a value
_SIZES = {
    number: tuple(_TEXT if one.type in TEXTS else SIZES.get(one.type, 0) for one in kind.parameters)
    for number, kind in KINDS.items()
}
_SHORT_LENGTHS = [struct.Struct(f"<{count}H") for count in range(_MOST_VALUES + 1)]
_LONG_LENGTHS = [struct.Struct(f"<{count}I") for count in range(_MOST_VALUES + 1)]
STATE_ONLY = 1  # flag: the event is for the state, and not to be shown


class RawEvent(NamedTuple):
    """An event.

    Attributes:
        number: counted from 1; 0 before that.
        time: ns since the epoch.
        tid: of the thread, on the host; -1 without.
        cpu: number of the CPU.
        flags: of the block.
        kind: the row of the event table.
        values: of the parameters; those that an older writer did not know are missing.
    """

    number: int
    time: int
    tid: int
    cpu: int
    flags: int
    kind: EventKind
    values: Values

    def integer(self, index: int, absent: int = 0) -> int:
        """Return a value that is a number; ``absent`` when there is none."""
        value = self.values[index] if index < len(self.values) else b""
        if not value:
            return absent
        return int.from_bytes(value, "little", signed=self.kind.parameters[index].type in SIGNED)

    def text(self, index: int) -> str:
        """Return a value that is text; empty when there is none."""
        value = self.values[index] if index < len(self.values) else b""
        return text_of(value)

    def bytes(self, index: int) -> bytes:
        """Return a value as it is."""
        return self.values[index] if index < len(self.values) else b""

    def numbered(self, number: int) -> RawEvent:
        """Return it with a number."""
        return RawEvent(number, *self[1:])

    def place(self, name: str) -> int:
        """Return the index of a parameter; one behind the last where the event has none of that name."""
        return _INDEXES[self.kind.number].get(name, len(self.values))

    def number_of(self, name: str, absent: int = 0) -> int:
        """Return the value of a parameter that is a number; ``absent`` when there is none."""
        return self.integer(self.place(name), absent)

    def text_of(self, name: str) -> str:
        """Return the value of a parameter that is text; empty when there is none."""
        return self.text(self.place(name))

    def bytes_of(self, name: str) -> bytes:
        """Return the value of a parameter as it is."""
        return self.bytes(self.place(name))


def text_of(value: bytes) -> str:
    """Return the text of a value, up to its first NUL, and of 4096 bytes at most."""
    return value[:_LONGEST_TEXT].partition(b"\0")[0].decode("utf-8", "surrogateescape")


def strings_of(value: bytes) -> tuple[str, ...]:
    """Return strings that stand behind each other, each with a NUL; the last one's may be missing, and be all."""
    text = value.removesuffix(b"\0").decode("utf-8", "surrogateescape")
    return tuple(text.split("\0")) if text else ()


def read_event(block: Block) -> RawEvent | None:
    """Return the event of a block; None for a type that is not known.

    Raises:
        DamagedError: when its lengths contradict each other.
    """
    data, begin, end = block.data, block.begin, block.end
    flags = 0
    cpu = _CPU.unpack_from(data, begin)[0] if end - begin >= 2 else 0
    begin += 2
    if block.type in FLAGGED_EVENTS:
        if end - begin < 4:
            raise DamagedError("an event's block is too short")
        flags = _FLAGS.unpack_from(data, begin)[0]
        begin += 4
    if end - begin < _HEAD.size:
        raise DamagedError("an event's block is too short")
    time, tid, length, code = _HEAD.unpack_from(data, begin)
    if length < _HEAD.size or begin + length > end:
        raise DamagedError(f"an event claims {length} bytes, and its block has {end - begin}")
    kind = KINDS.get(code)
    if kind is None:
        return None
    end = begin + length
    size = _LONG if LONG_LENGTHS in kind.marks else _SHORT
    begin += _HEAD.size
    if block.type in V1_EVENTS:
        lengths = _find_lengths(data, begin, end, kind, size)
    else:
        lengths = _lengths(data, begin, end, size)
        begin += _COUNT.size
    values: list[bytes] = []
    begin += len(lengths) * size
    for one in lengths[: len(kind.parameters)]:
        values.append(data[begin : begin + one])
        begin += one
    _check_values(kind, values)
    if tid == _UNKNOWN_THREAD:
        tid = -1
    return RawEvent(0, time, tid, cpu, flags, kind, tuple(values))


def _lengths(data: bytes, begin: int, end: int, size: int) -> tuple[int, ...]:
    """Return the lengths of an event's values, whose number stands before them."""
    if end - begin < _COUNT.size:
        raise DamagedError("an event is too short")
    count: int = _COUNT.unpack_from(data, begin)[0]
    begin += _COUNT.size
    if count > _MOST_VALUES or begin + count * size > end:
        raise DamagedError(f"an event claims {count} values")
    lengths = (_SHORT_LENGTHS if size == _SHORT else _LONG_LENGTHS)[count].unpack_from(data, begin)
    if begin + count * size + sum(lengths) != end:
        raise DamagedError("the values of an event do not end where it does")
    return lengths


def _find_lengths(data: bytes, begin: int, end: int, kind: EventKind, size: int) -> tuple[int, ...]:
    """Return the lengths of an event's values, whose number is what fits."""
    right = {end - begin, end - begin - (3 if kind.number in _LONGER_BY_3 else 0)}
    most = min(len(kind.parameters), (end - begin) // size)
    lengths = (_SHORT_LENGTHS if size == _SHORT else _LONG_LENGTHS)[most].unpack_from(data, begin)
    sizes = list(itertools.accumulate(lengths, initial=0))
    for count in range(most, -1, -1):
        if sizes[count] + count * size in right:
            return lengths[:count]
    raise DamagedError("the values of an event do not end where it does")


def _check_values(kind: EventKind, values: list[bytes]) -> None:
    """Refuse values that cannot be of their types: the format has no checksums, so that this has to tell damage."""
    for place, (value, size) in enumerate(zip(values, _SIZES[kind.number], strict=False)):
        if not value or not size:
            continue
        if size > 0:
            if len(value) != size:
                name = kind.parameters[place].name
                raise DamagedError(f"{name} of {kind.name} has {len(value)} bytes, and {size} are right")
        elif value[-1]:
            raise DamagedError(f"{kind.parameters[place].name} of {kind.name} has no end")
