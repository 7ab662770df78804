"""A log file that is open: plain, or compressed with gzip, whose places are those of what it was before."""

from __future__ import annotations

import contextlib
import io
import os
import zlib
from typing import BinaryIO, cast

from hullwatch.sources.k8s_audit.log_place import FINGERPRINTED, Place, fingerprint, fits
from hullwatch.sources.unpacking import GZIP_MAGIC, GzipStream, TooMuchError

CHUNK = 1 << 20  # bytes that are read at once


class OpenedLog:
    """Takes a descriptor, which it closes.

    Attributes:
        identity: device and inode.
        offset: where it stands, in bytes.
    """

    def __init__(self, descriptor: int) -> None:
        """Stand at the beginning."""
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self.identity = found.st_dev, found.st_ino
        self.offset = 0
        self._unpacked: io.BufferedReader[io.RawIOBase] | None = None
        if os.pread(descriptor, len(GZIP_MAGIC), 0) == GZIP_MAGIC:
            raw = cast("BinaryIO", _At(descriptor))
            self._unpacked = io.BufferedReader(GzipStream(raw), CHUNK)
        self._begin = self._first()

    def _first(self) -> bytes:
        if self._unpacked is None:
            return os.pread(self._descriptor, FINGERPRINTED, 0)
        with contextlib.suppress(OSError, EOFError, zlib.error, TooMuchError):
            return bytes(self._unpacked.peek(FINGERPRINTED)[:FINGERPRINTED])
        return b""

    def go_to(self, place: Place) -> bool:
        """Stand at a place, if this is its file or a copy of that; tell whether it is."""
        if place.length == 0:  # of an empty file only the inode is known
            return self.identity[1] == place.inode
        if not fits(place, self._begin):
            return False
        if self._unpacked is None:
            if os.fstat(self._descriptor).st_size < place.offset:
                return False
            self.offset = place.offset
            return True
        try:
            while self.offset < place.offset:
                if not self.read(place.offset - self.offset):
                    return False
        except (OSError, EOFError, zlib.error, TooMuchError):
            return False
        return True

    def seek_end(self) -> None:
        """Stand behind the last line that is whole."""
        if self._unpacked is None:
            size = os.fstat(self._descriptor).st_size
            data = os.pread(self._descriptor, CHUNK, max(0, size - CHUNK))
            self.offset = size - len(data) + data.rfind(b"\n") + 1

    def read(self, most: int = CHUNK) -> bytes:
        """Return what comes next, at most so many bytes; nothing at the end.

        Raises:
            OSError: when it cannot be read.
            EOFError, zlib.error, TooMuchError: when what is compressed is damaged.
        """
        if self._unpacked is None:
            data = os.pread(self._descriptor, min(most, CHUNK), self.offset)
        else:
            data = self._unpacked.read1(min(most, CHUNK))
        self.offset += len(data)
        return data

    def place(self, before: int) -> Place:
        """Return where it stands, so many bytes before its offset."""
        if len(self._begin) < FINGERPRINTED:  # it has grown since
            self._begin = self._first() if self._unpacked is None else self._begin
        begin = self._begin
        return Place(self.identity[1], fingerprint(begin) if begin else "", len(begin), self.offset - before)

    def was_cut(self) -> bool:
        """Tell whether the file is another one under the same inode: shorter, or with another beginning."""
        if self._unpacked is not None:
            return False
        if os.fstat(self._descriptor).st_size < self.offset:
            return True
        return bool(self._begin) and os.pread(self._descriptor, len(self._begin), 0) != self._begin

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


class _At(io.RawIOBase):
    """What a descriptor has, from the beginning, wherever others stand."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._offset = 0

    def read(self, size: int = -1, /) -> bytes:
        data = os.pread(self._descriptor, size, self._offset)
        self._offset += len(data)
        return data
