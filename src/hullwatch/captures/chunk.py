r"""The layout of a ``.hwcap`` file: a head, and chunks behind it that are only ever appended.

All numbers are little-endian::

    head   "HWCAP\r\n\x1a", u16 version, u16 0, u32 size of the description,
           the description (JSON, ``Description``), u32 CRC-32 of all before
    chunk  "HWCh", u16 kind, u16 flags, u32 stored bytes, u32 bytes before compression, u32 size of the summary,
           u32 number of events, u64 time of the first and of the last record (ns since the epoch),
           u32 CRC-32 of the stored bytes, the summary (msgpack, ``Summary``), u32 CRC-32 of the chunk's head
           and summary, the stored bytes (a zstd frame that says its size)

A chunk of records (kind 1) holds the bytes that the engine was fed; one of state (kind 2) all that the engine had
learnt by then, so that reading can begin behind it. With the flag 1 (``ANEW``) of a state, what was learnt before is
void: another recording begins there, or a part was left out. The heads are the index: a reader steps from one to the
next without looking at what is stored. Everything is checked before it is used, and sizes are limited: a file may come
from anybody.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import msgspec
import zstandard

from hullwatch.captures.planes import DamagedError, planes, whole

MAGIC = b"HWCAP\r\n\x1a"
VERSION = 1
CHUNK_MAGIC = b"HWCh"
RECORDS, STATE = 1, 2
ANEW = 1
LEVEL = 7  # of zstd: a fifth smaller than 3 for twice its time; higher ones gain nothing more
MOST_STORED = 64 << 20  # bytes of a chunk, compressed or not; the writer makes chunks of about 1 MiB
LONGEST_SUMMARY = 1 << 20
LONGEST_DESCRIPTION = 1 << 16

HEAD = struct.Struct("<8sHHI")
CHUNK = struct.Struct("<4sHHIIIIQQI")
CRC = struct.Struct("<I")


class Description(msgspec.Struct, frozen=True):
    """What a file says of itself.

    Attributes:
        hullwatch: version that wrote it.
        table: version of the event table.
        host: name of the machine.
        kernel: release of its kernel.
        begun: ns since the epoch.
        number: of the file among those that one recording made, from 0.
        is_masked: whether secrets were hidden before anything was written.
        left_out: what is not in it of what happened, as the end of a sentence; empty for nothing.
        why: what the flight recorder saved it for; empty for a recording.
    """

    hullwatch: str
    table: int
    host: str = ""
    kernel: str = ""
    begun: int = 0
    number: int = 0
    is_masked: bool = False
    left_out: str = ""
    why: str = ""


class Summary(msgspec.Struct, frozen=True):
    """What is in a chunk of records: numbers of event types with how often, and 64-digit ids of containers.

    ``masked`` is how many secrets were hidden in it.
    """

    types: dict[int, int] = {}
    containers: tuple[str, ...] = ()
    masked: int = 0


class ChunkHead(msgspec.Struct, frozen=True):
    """The head of a chunk, where in the file it begins, and where its stored bytes lie."""

    kind: int
    stored: int
    size: int
    events: int
    first: int
    last: int
    crc: int
    summary: Summary
    begin: int
    position: int
    anew: bool = False

    @property
    def end(self) -> int:
        """Where the next chunk begins."""
        return self.position + self.stored


def make_head(description: Description) -> bytes:
    """Return the bytes that a file begins with."""
    text = msgspec.json.encode(description)
    head = HEAD.pack(MAGIC, VERSION, 0, len(text)) + text
    return head + CRC.pack(zlib.crc32(head))


def make_chunk(kind: int, data: bytes, first: int, last: int, summary: Summary, *, anew: bool = False) -> bytes:
    """Return a chunk.

    Args:
        kind: ``RECORDS`` or ``STATE``.
        data: the records, or the state.
        first: time of the first record, ns since the epoch.
        last: of the last one.
        summary: of what is in it.
        anew: for a state, whether what was learnt before is void.
    """
    packed = planes(data) if kind == RECORDS else data
    stored = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True).compress(packed)
    about = msgspec.msgpack.encode(summary)
    head = CHUNK.pack(
        CHUNK_MAGIC, kind, ANEW if anew else 0, len(stored), len(packed), len(about),
        sum(summary.types.values()), first, last, zlib.crc32(stored),
    ) + about  # fmt: skip
    return head + CRC.pack(zlib.crc32(head)) + stored


def read_data(head: ChunkHead, stored: bytes, decompressor: zstandard.ZstdDecompressor) -> bytes:
    """Return what a chunk holds; a decompressor can be used again and again, one after another.

    Raises:
        DamagedError: when it is not what was written.
    """
    if zlib.crc32(stored) != head.crc:
        raise DamagedError("its checksum is wrong")
    try:
        if zstandard.get_frame_parameters(stored).content_size != head.size:
            raise DamagedError("it says two sizes")
        data = decompressor.decompress(stored, max_output_size=head.size)
    except zstandard.ZstdError as error:
        raise DamagedError(f"it cannot be decompressed: {error}") from error
    return whole(data) if head.kind == RECORDS else data


def decode_summary(data: bytes) -> Summary:
    """Return the summary of a chunk.

    Raises:
        DamagedError: when these are other bytes.
    """
    return _decode(data, Summary, "summary")


def decode_description(data: bytes) -> Description:
    """Return what a file says of itself.

    Raises:
        DamagedError: when these are other bytes.
    """
    try:
        return msgspec.json.decode(data, type=Description)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedError(f"its description cannot be read: {error}") from error


def _decode(data: bytes, kind: Any, name: str) -> Any:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedError(f"its {name} cannot be read: {error}") from error
