"""The log of kept events: frames that are only ever appended, each with its length and checksum.

A file begins with ``HWEVLOG1``, the length of a description in JSON (u32) and the description: the names of the
columns. Then come frames: length (u32), CRC-32 (u32) and number of events (u32), little-endian, and as many bytes of
msgpack: ``[processes, events]``, the values of processes that are new in this file, and of each event which process of
the file did it, its time in ns, the rule of its alert, and its values. What is cut off while it is written is a frame
that is too short or has a wrong checksum: reading ends before it.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hullwatch.store.kept.columns import OF_EVENT, OF_PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAGIC = b"HWEVLOG1"
LARGEST_FRAME = 64 << 20  # bytes
_LARGEST_HEAD = 1 << 16
_LENGTH = struct.Struct("<I")
_FRAME = struct.Struct("<III")


class Columns(msgspec.Struct, frozen=True):
    """What the values of a file are, by name."""

    event: tuple[str, ...] = OF_EVENT
    process: tuple[str, ...] = OF_PROCESS


class LogEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event as it is in the log: its process by number in the file, ns since the epoch, the rule, its values."""

    process: int
    time: int
    rule: str
    values: list[Any]


class _Content(msgspec.Struct, frozen=True, array_like=True):
    processes: list[list[Any]]
    events: list[LogEvent]


class Frame(NamedTuple):
    """A frame that was read: the values of new processes, and events."""

    processes: list[list[Any]]
    events: list[LogEvent]


_CONTENT = msgspec.msgpack.Decoder(_Content)
_ENCODER = msgspec.msgpack.Encoder()


def head() -> bytes:
    """Return what a file begins with."""
    about = msgspec.json.encode(Columns())
    return MAGIC + _LENGTH.pack(len(about)) + about


def frame(processes: Sequence[msgspec.Raw], events: Sequence[tuple[int, int, str, msgspec.Raw]]) -> bytes:
    """Return a frame, ready to be written."""
    data = _ENCODER.encode((processes, events))
    return _FRAME.pack(len(data), zlib.crc32(data), len(events)) + data


class LogReader:
    """Reads a file as far as it is whole.

    Attributes:
        columns: what its values are.
        problem: why reading ended before the end of the file; empty when it did not.
    """

    def __init__(self, descriptor: int) -> None:
        """Read its beginning; a file that was cut off within it has nothing."""
        self._descriptor = descriptor
        self._position = 0
        self._size = os.fstat(descriptor).st_size
        self.problem = ""
        self.columns = Columns()
        try:
            self._read_head()
        except (ValueError, msgspec.MsgspecError):
            self._stop("its beginning is cut off or is none")

    def _read_head(self) -> None:
        start = self._read(len(MAGIC) + _LENGTH.size)
        if start[: len(MAGIC)] != MAGIC or len(start) < len(MAGIC) + _LENGTH.size:
            raise ValueError
        length = _LENGTH.unpack(start[len(MAGIC) :])[0]
        if length > _LARGEST_HEAD:
            raise ValueError
        self.columns = msgspec.json.decode(self._read(length), type=Columns)

    def _read(self, size: int) -> bytes:
        data = os.pread(self._descriptor, size, self._position)
        self._position += len(data)
        return data

    def _stop(self, problem: str) -> None:
        self.problem = problem
        self._position = self._size

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that are whole, up to the first that is not."""
        while self._position + _FRAME.size <= self._size:
            length, checksum, number = _FRAME.unpack(self._read(_FRAME.size))
            data = self._read(length) if length <= LARGEST_FRAME else b""
            if len(data) < length or zlib.crc32(data) != checksum:
                self._stop("its end is cut off or is none")
                return
            try:
                content = _CONTENT.decode(data)
            except msgspec.MsgspecError:
                self._stop("a frame has another form")
                return
            if len(content.events) != number:
                self._stop("a frame has another number of events than it says")
                return
            yield Frame(content.processes, content.events)
        if self._position < self._size:
            self._stop("its end is cut off")

    def count(self) -> int:
        """Return how many events the frames say that they have, without reading them."""
        events = 0
        while self._position + _FRAME.size <= self._size:
            length, _, number = _FRAME.unpack(self._read(_FRAME.size))
            if length > LARGEST_FRAME or self._position + length > self._size:
                break
            self._position += length
            events += number
        return events


def count(path: Path) -> int:
    """Return how many events a log has; 0 when it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return LogReader(descriptor).count()
    finally:
        os.close(descriptor)
