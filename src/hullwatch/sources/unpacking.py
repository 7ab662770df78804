"""How much compressed data may become: a small file that unpacks to endless bytes is refused, not read to its end."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

MOST_TIMES = 250  # what deflate makes of events is 5 to 50 times as long; of the same byte again and again 1,030 times
ALWAYS = 64 << 20  # bytes that any file may become: the same line again and again is no bomb yet
GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, 2.3.1
_READ = 1 << 16
_UNPACKED = 1 << 16
_GZIP = 31  # zlib's word for it


class TooMuchError(Exception):
    """It becomes far more than it is; the message completes a sentence."""


class UnpackLimit:
    """Compares what was read with what it became."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._packed = 0
        self._unpacked = 0

    def read(self, packed: int) -> None:
        """Note so many bytes of the file."""
        self._packed += packed

    def became(self, unpacked: int) -> None:
        """Note so many bytes that were unpacked.

        Raises:
            TooMuchError: when they are too many.
        """
        self._unpacked += unpacked
        if self._unpacked > max(ALWAYS, MOST_TIMES * self._packed):
            raise TooMuchError(
                f"it unpacks to more than {MOST_TIMES} times of what it is, as bombs do (gunzip it to have it read)"
            )


class GzipStream(io.RawIOBase):
    """Reads data that is compressed with gzip, of one member or several, within limits."""

    def __init__(self, stream: BinaryIO) -> None:
        """Take the stream, which stays its owner's."""
        self._stream = stream
        self._limit = UnpackLimit()
        self._unpacker = zlib.decompressobj(_GZIP)
        self._packed = b""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - what BufferedReader gives
        """Fill a buffer with what comes next; return how much it is, 0 at the end.

        Raises:
            EOFError: when the end is missing.
            zlib.error: when the data is damaged.
            TooMuchError: when it becomes too much.
        """
        while self._packed or self._fill():
            if self._unpacker.eof:
                self._packed = self._packed.lstrip(b"\0")  # padding
                if not self._packed:
                    continue
                self._unpacker = zlib.decompressobj(_GZIP)
            piece = self._unpacker.decompress(self._packed, min(len(buffer), _UNPACKED))
            self._packed = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
            if piece:
                self._limit.became(len(piece))
                buffer[: len(piece)] = piece
                return len(piece)
        return 0

    def _fill(self) -> bool:
        """Read on in the file; return whether there is more.

        Raises:
            EOFError: when the end is missing.
        """
        self._packed = self._stream.read(_READ)
        self._limit.read(len(self._packed))
        if not self._packed and not self._unpacker.eof:
            raise EOFError
        return bool(self._packed)
