"""The records within a chunk, and when each of them was."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.codec import BrokenStreamError, check_record, decode
from hullwatch.events.table import BY_NAME, HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.captures.reader import Chunk

HEAD = struct.Struct("<IH")
"""Length and type of a record."""

_CLOCK = BY_NAME["clock"]


class Record(NamedTuple):
    """Where a record lies, its type, and its time in ns since the epoch."""

    begin: int
    end: int
    number: int
    time: int


def records(batch: bytes, clock_offset: int) -> Iterator[Record]:
    """Yield the records of a batch.

    Args:
        batch: of records.
        clock_offset: wall clock minus time since boot at its beginning, ns.

    Raises:
        BrokenStreamError: when these are no whole records.
    """
    offset, size = 0, len(batch)
    while offset < size:
        length, number = check_record(batch, offset)
        if number == _CLOCK.number:
            clock_offset = told_offset(batch, offset, clock_offset)
        yield Record(offset, offset + length, number, HEADER.unpack_from(batch, offset)[3] + clock_offset)
        offset += length


def told_offset(batch: bytes, offset: int, before: int) -> int:
    """Return the wall clock minus the time since boot that a record of the clock tells; else what was before."""
    try:
        realtime = decode(_CLOCK, batch, offset)["realtime"]
    except BrokenStreamError:
        return before
    assert isinstance(realtime, int)
    return realtime - HEADER.unpack_from(batch, offset)[3]


def clock_offset(chunk: Chunk) -> int:
    """Return the wall clock minus the time since boot as the head of a chunk of records has it, ns."""
    data, offset = chunk.data, 0
    while offset < len(data):
        length, _ = check_record(data, offset)
        time = HEADER.unpack_from(data, offset)[3]
        if time:
            return chunk.head.first - time
        offset += length
    return 0
