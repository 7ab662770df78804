"""Reading a ``.hwcap`` file: as far as it is whole, and a sentence about what is not."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import zstandard

from hullwatch.captures.chunk import (
    ANEW,
    CHUNK,
    CHUNK_MAGIC,
    CRC,
    HEAD,
    LONGEST_DESCRIPTION,
    LONGEST_SUMMARY,
    MAGIC,
    MOST_STORED,
    RECORDS,
    STATE,
    VERSION,
    ChunkHead,
    Description,
    decode_description,
    decode_summary,
    read_data,
)
from hullwatch.captures.planes import DamagedError
from hullwatch.captures.scap.blocks import is_scap
from hullwatch.errors import UsageError
from hullwatch.events.table import VERSION as TABLE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator


OLDEST_TABLE = 6  # of the event table: the records of later versions are the same, and some more
_TORN = "it ends within a chunk"
_ENOUGH = 1 << 12  # bytes that tell whether a compressed file is a .scap file


class Chunk(NamedTuple):
    """A chunk that was read: its head and what it holds."""

    head: ChunkHead
    data: bytes


class CaptureReader:
    """Reads one file.

    Attributes:
        stream: that is read.
        name: of the file, for sentences.
        description: what the file says of itself.
        problem: what is wrong with its end, as a sentence; empty while nothing is, or nothing is known of it yet.
        damaged: whether that is more than an end that is missing, as after a crash.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read the head.

        Args:
            stream: that can be sought in.
            name: of the file, for the sentences.

        Raises:
            UsageError: when it is no capture that this version can read.
        """
        self.stream = stream
        self.name = name
        self.problem, self.damaged = "", False
        try:
            self._size = stream.seek(0, 2)
            self.description = self._read_head()
            self._check_table()
        except OSError as error:
            raise UsageError(f"The file {name} cannot be read: {error.strerror or error}.") from error
        except DamagedError as error:
            raise UsageError(f"The file {name} is damaged: {error}.") from error
        self._begin = stream.tell()
        self._decompressor = zstandard.ZstdDecompressor()

    def _check_table(self) -> None:
        """Refuse records whose layouts are other ones."""
        if not OLDEST_TABLE <= self.description.table <= TABLE_VERSION:
            raise UsageError(
                f"The capture {self.name} was written by Hullwatch {self.description.hullwatch} with version "
                f"{self.description.table} of the event table, and this one reads versions {OLDEST_TABLE} to "
                f"{TABLE_VERSION}: judge it with the version that wrote it."
            )

    def _read_head(self) -> Description:
        self.stream.seek(0)
        data = self.stream.read(HEAD.size)
        if not data.startswith(MAGIC) or len(data) < HEAD.size:
            if is_scap(data + self.stream.read(_ENOUGH)):
                raise UsageError(
                    f"The file {self.name} is a .scap file (sysdig, Falco, Stratoshark), and this works only on "
                    "Hullwatch's own captures (.hwcap); replay, events, capture info, capture "
                    "export, backtest and rules test read both."
                )
            raise UsageError(f"The file {self.name} is no capture of Hullwatch: it does not begin as one (.hwcap).")
        _, version, _, size = HEAD.unpack(data)
        if version > VERSION:
            raise UsageError(
                f"The capture {self.name} has format {version}, and this Hullwatch reads up to format {VERSION}: "
                "read it with the version that wrote it, or a newer one."
            )
        if size > LONGEST_DESCRIPTION:
            raise DamagedError("its description is longer than any is")
        text = self.stream.read(size + CRC.size)
        if len(text) < size + CRC.size:
            raise DamagedError("it ends within its head")
        if CRC.unpack(text[size:]) != (zlib.crc32(data + text[:size]),):
            raise DamagedError("the checksum of its head is wrong")
        return decode_description(text[:size])

    def heads(self, position: int = 0) -> Iterator[ChunkHead]:
        """Yield the heads of all whole chunks, without looking at what they hold.

        Args:
            position: of the first chunk; 0 for the first of all.
        """
        position = position or self._begin
        self.problem, self.damaged = "", False
        while position < self._size:
            try:
                head = self._chunk_head(position)
            except DamagedError as error:
                self._stop(position, str(error))
                return
            yield head
            position = head.end

    def position_before(self, begin: int) -> int:
        """Return where to read from, to know all that was known at a time: the last state before it.

        Args:
            begin: ns since the epoch; 0 for the beginning.
        """
        position = 0
        if begin:
            for head in self.heads():
                if head.first > begin:
                    break
                if head.kind == STATE:
                    position = head.begin
        return position

    def _chunk_head(self, position: int) -> ChunkHead:
        self.stream.seek(position)
        data = self.stream.read(CHUNK.size)
        if len(data) < CHUNK.size:
            raise DamagedError(_TORN)
        magic, kind, flags, stored, size, about, events, first, last, crc = CHUNK.unpack(data)
        if magic != CHUNK_MAGIC:
            raise DamagedError("no chunk begins there")
        if kind not in {RECORDS, STATE} or max(stored, size) > MOST_STORED or about > LONGEST_SUMMARY:
            raise DamagedError("a chunk has a kind or a size that no chunk has")
        summary = self.stream.read(about + CRC.size)
        if len(summary) < about + CRC.size:
            raise DamagedError(_TORN)
        if CRC.unpack(summary[about:]) != (zlib.crc32(data + summary[:about]),):
            raise DamagedError("the checksum of a chunk's head is wrong")
        begin = position + CHUNK.size + about + CRC.size
        if begin + stored > self._size:
            raise DamagedError(_TORN)
        told, anew = decode_summary(summary[:about]), bool(flags & ANEW)
        return ChunkHead(kind, stored, size, events, first, last, crc, told, position, begin, anew)

    def read(self, head: ChunkHead) -> Chunk | None:
        """Return a chunk; None when what it holds is damaged, which ``problem`` tells."""
        self.stream.seek(head.position)
        stored = self.stream.read(head.stored)
        try:
            return Chunk(head, read_data(head, stored, self._decompressor))
        except DamagedError as error:
            self._stop(head.position, f"a chunk there is damaged ({error})")
            return None

    def stored(self, head: ChunkHead) -> bytes | None:
        """Return all bytes of a chunk as they are in the file; None when they are damaged, which ``problem`` tells."""
        self.stream.seek(head.begin)
        data = self.stream.read(head.end - head.begin)
        if zlib.crc32(memoryview(data)[head.position - head.begin :]) == head.crc:
            return data
        self._stop(head.position, "a chunk there is damaged (its checksum is wrong)")
        return None

    def chunks(self, position: int = 0) -> Iterator[Chunk]:
        """Yield all whole chunks; those behind a damaged one are not given, for what they mean depends on it."""
        for head in self.heads(position):
            chunk = self.read(head)
            if chunk is None:
                return
            yield chunk

    def _stop(self, position: int, why: str) -> None:
        left = self._size - position
        self.damaged = why != _TORN
        self.problem = (
            f"The capture {self.name} can be read up to byte {position}: {why}. The last {left} bytes are left out."
        )

    @property
    def position(self) -> int:
        """How far it was read, bytes."""
        return self.stream.tell()

    @property
    def size(self) -> int:
        """Of the file, bytes."""
        return self._size
