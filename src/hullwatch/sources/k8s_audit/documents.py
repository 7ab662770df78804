"""A file to documents: lines, or the whole of a file that is one value; compressed or not."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from hullwatch.sources.k8s_audit.counts import DAMAGED, TOO_LARGE
from hullwatch.sources.k8s_audit.payload import LARGEST
from hullwatch.sources.long_lines import skip_line
from hullwatch.sources.unpacking import GZIP_MAGIC, GzipStream, TooMuchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

LONGEST_LINE = 32 << 20  # bytes


def documents(stream: BinaryIO, counts: IntakeCounts) -> Iterator[bytes]:
    """Yield the documents of a file, which is read as it is asked for.

    Args:
        stream: of bytes; one that is compressed with gzip is unpacked, within limits.
        counts: gets what could not be read.

    Raises:
        UsageError: when a line has no end.
    """
    begin = stream.read(len(GZIP_MAGIC))
    rest: io.RawIOBase = _Behind(begin, stream)
    if begin == GZIP_MAGIC:
        rest = GzipStream(cast("BinaryIO", rest))
    buffered: io.BufferedReader[io.RawIOBase] = io.BufferedReader(rest, 1 << 16)
    try:
        first = buffered.readline(LONGEST_LINE)
        number = first.count(b"\n")
        if first.rstrip()[:1] in {b"[", b"{"} and not _is_value(first):
            first += buffered.read(LARGEST)
            number = first.count(b"\n")
            if len(first) > LARGEST:  # no value of several lines, but many lines of which the first is broken
                yield from first.splitlines()
                first = b""
        if first.strip():
            yield first
        yield from _lines(buffered, counts, number)
    except (EOFError, zlib.error, TooMuchError):
        counts.leave_out(DAMAGED)


def _lines(stream: io.BufferedReader[io.RawIOBase], counts: IntakeCounts, number: int) -> Iterator[bytes]:
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            skip_line(stream, number)
            counts.leave_out(TOO_LARGE)
        elif line != b"\n":
            yield line


def _is_value(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


class _Behind(io.RawIOBase):
    """A stream with the bytes in front that were read of it to see what it is."""

    def __init__(self, begin: bytes, stream: BinaryIO) -> None:
        self._begin = begin
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - what BufferedReader gives
        data = self._begin or self._stream.read(len(buffer))
        self._begin = b""
        buffer[: len(data)] = data
        return len(data)
