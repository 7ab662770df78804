"""The blocks of a .scap file, plain or compressed with gzip, one after another and never more than one in memory.

Layout: pcapng's. A block is its type and its length (u32, little-endian), a body, and the length again. The format has
no checksums: what is read is what the lengths allow.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from hullwatch.errors import UsageError
from hullwatch.sources.unpacking import GZIP_MAGIC, TooMuchError, UnpackLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECTION = 0x0A0D0D0A
MACHINE = frozenset({0x201, 0x8002ABCD})
INTERFACES = frozenset({0x205, 0x219, 0x8011ABCD})
USERS = frozenset({0x206, 0x220, 0x8012ABCD})
PROCESSES = {
    0x202: 1,
    0x207: 2,
    0x209: 3,
    0x210: 4,
    0x211: 5,
    0x212: 6,
    0x213: 7,
    0x214: 8,
    0x215: 9,
    0x8000ABCD: 1,
    0x8013ABCD: 2,
    0x8014ABCD: 3,
}
"""The version of each list of processes."""
DESCRIPTORS = {0x203: 1, 0x8001ABCD: 1, 0x218: 2}
EVENTS = frozenset({0x204, 0x208, 0x216, 0x217, 0x221, 0x222, 0x8010ABCD})
LARGE_EVENTS = frozenset({0x221, 0x222})
V1_EVENTS = frozenset({0x204, 0x208, 0x8010ABCD})
FLAGGED_EVENTS = frozenset({0x208, 0x217, 0x222})

MAGIC = b"\n\r\r\n"
LONGEST_EVENT = (1 << 16) + 64  # bytes of an event's block
LONGEST_LARGE = 16 << 20  # of one that may be larger
LONGEST_LIST = 128 << 20  # of any other block: a host has some ten thousand threads, of 2 kB each

_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_SECTION = struct.Struct("<IHH")
_ORDER_MAGIC = 0x1A2B3C4D
_SWAPPED_MAGIC = 0x4D3C2B1A
_SMALLEST = _HEAD.size + _LENGTH.size
_READ = 1 << 20  # bytes at once
_PACKED_READ = 1 << 16
_DAMAGED_READ = 64
_TORN = "it ends within a block"


class DamagedError(Exception):
    """The file is not what it should be; the message completes a sentence."""


class Block(NamedTuple):
    """A block: its type, and where its body begins and ends in the data."""

    type: int
    data: bytes
    begin: int
    end: int
    position: int


def is_scap(beginning: bytes) -> bool:
    """Tell whether a file that begins so is a .scap file; of a compressed one the beginning is unpacked."""
    if beginning.startswith(GZIP_MAGIC):
        try:
            beginning = zlib.decompressobj(31).decompress(beginning, 64)
        except zlib.error:
            return False
    return beginning.startswith(MAGIC)


class BlockReader:
    """Reads the blocks of one file.

    Attributes:
        problem: what is wrong with its end, as a sentence; empty while nothing is.
        damaged: whether that is more than an end that is missing.
        position: in the data, unpacked; bytes.
        blocks_read: whole ones.
        packed: whether it is compressed.
        skip: walks over blocks that nobody has to look at, from a place in some data on; returns where it ended and
            over how many. The whole block that it has ended at is the next one that is given.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Begin at the stream's position.

        Args:
            stream: of the file.
            name: of the file, for the sentences.
        """
        self._stream = stream
        self._name = name
        self._cut = False  # the compressed data has no end
        self._pieces = self._read()
        self._data, self._begin = b"", 0  # what was read, and where the next block begins in it
        self.problem, self.damaged = "", False
        self.position = 0
        self.blocks_read = 0
        self.packed = False
        self.skip: Callable[[bytes, int], tuple[int, int]] | None = None

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks, up to the last whole one.

        Raises:
            UsageError: when it cannot be read, or is no .scap file.
        """
        try:
            yield from self._blocks()
        except (DamagedError, TooMuchError, zlib.error) as error:
            what = "its compressed data is damaged" if isinstance(error, zlib.error) else str(error)
            if not self.blocks_read:
                raise UsageError(f"The file {self._name} is no capture (.scap) that can be read: {what}.") from error
            self._stop(what)
        except OSError as error:
            raise UsageError(f"The file {self._name} cannot be read: {error.strerror or error}.") from error

    def stop(self, position: int, what: str) -> None:
        """Note that what a block holds cannot be read."""
        self.position = position
        self._stop(what)

    def _stop(self, what: str) -> None:
        self.damaged = what != _TORN
        unpacked = " (unpacked)" if self.packed else ""
        self.problem = (
            f"The capture {self._name} can be read up to byte {self.position}{unpacked}: {what}. "
            "What follows is left out."
        )

    def _blocks(self) -> Iterator[Block]:
        while self._fill(_HEAD.size):
            if self.skip is not None and self.blocks_read:
                self._walk(self.skip)
                if len(self._data) - self._begin < _HEAD.size:
                    continue
            kind, length = _HEAD.unpack_from(self._data, self._begin)
            self._check(kind, length)
            if len(self._data) - self._begin < length:
                if not self._fill(length):
                    break
                continue
            data, begin, end = self._data, self._begin + _HEAD.size, self._begin + length - _LENGTH.size
            if _LENGTH.unpack_from(data, end)[0] != length:
                raise DamagedError("the two lengths of a block differ")
            if kind == SECTION:
                _check_section(data, begin, end)
            yield Block(kind, data, begin, end, self.position)
            self._advance(1, length)
        if len(self._data) > self._begin or self._cut:
            if not self.blocks_read:
                raise DamagedError(_TORN)
            self._stop(_TORN)

    def _fill(self, size: int) -> bool:
        """Have so many bytes of data at hand; return whether there are as many."""
        have = len(self._data) - self._begin
        if have >= size:
            return True
        found = [self._data[self._begin :]]
        while have < size and (piece := next(self._pieces, None)) is not None:
            found.append(piece)
            have += len(piece)
        self._data, self._begin = b"".join(found), 0
        return have >= size

    def _walk(self, skip: Callable[[bytes, int], tuple[int, int]]) -> None:
        """Walk over blocks that nobody has to look at."""
        end, blocks = skip(self._data, self._begin)
        self._advance(blocks, end - self._begin)

    def _advance(self, blocks: int, length: int) -> None:
        self.blocks_read += blocks
        self.position += length
        self._begin += length

    def _check(self, kind: int, length: int) -> None:
        """Refuse what is no block, before anything is kept of it."""
        if not self.blocks_read and kind != SECTION:
            raise DamagedError("it does not begin as one")
        if length < _SMALLEST or length % 4:
            raise DamagedError(f"a block claims {length} bytes, which no block has")
        most = LONGEST_LARGE if kind in LARGE_EVENTS else LONGEST_EVENT if kind in EVENTS else LONGEST_LIST
        if length > most:
            raise DamagedError(f"a block claims {length} bytes, and {most} are the most")

    def _read(self) -> Iterator[bytes]:
        """Yield the file's data, unpacked, in pieces of bounded size."""
        first = self._stream.read(_PACKED_READ)
        self.packed = first.startswith(GZIP_MAGIC)
        if not self.packed:
            while first:
                yield first
                first = self._stream.read(_READ)
            return
        yield from self._unpacked(first)

    def _unpacked(self, first: bytes) -> Iterator[bytes]:
        """Yield the data of a compressed file that begins so."""
        unpacker, limit = zlib.decompressobj(31), UnpackLimit()
        limit.read(len(first))
        while first:
            before = unpacker.copy()
            try:
                piece = unpacker.decompress(first, _READ)
            except zlib.error:
                yield from _unpacked_slowly(before, first)
                raise
            limit.became(len(piece))
            if piece:
                yield piece
            first = unpacker.unconsumed_tail
            if unpacker.eof:
                first = unpacker.unused_data or self._read_packed(limit)
                if not first.startswith(GZIP_MAGIC):
                    return  # another program's padding
                unpacker = zlib.decompressobj(31)
            elif not first:
                first = self._read_packed(limit)
        self._cut = not unpacker.eof

    def _read_packed(self, limit: UnpackLimit) -> bytes:
        packed = self._stream.read(_PACKED_READ)
        limit.read(len(packed))
        return packed


def _unpacked_slowly(unpacker: Any, data: bytes) -> Iterator[bytes]:
    """Yield what can be unpacked of damaged data: an error takes with it what came before it in the same call."""
    for begin in range(0, len(data), _DAMAGED_READ):
        try:
            piece = unpacker.decompress(data[begin : begin + _DAMAGED_READ])
        except zlib.error:
            return
        if piece:
            yield piece


def _check_section(data: bytes, begin: int, end: int) -> None:
    """Refuse a section that was written in another byte order, or by a newer version of the format."""
    if end - begin < 16:
        raise DamagedError("a section's header is too short")
    magic, major, _ = _SECTION.unpack_from(data, begin)
    if magic == _SWAPPED_MAGIC:
        raise DamagedError("it was written by a machine of the other byte order")
    if magic != _ORDER_MAGIC:
        raise DamagedError("a section's header has a wrong magic number")
    if major != 1:
        raise DamagedError(f"it has version {major} of the format, and this Hullwatch reads version 1")
