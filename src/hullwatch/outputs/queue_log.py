"""One priority's part of an output's queue: entries in files that are only appended to, each with a checksum.

A file is called ``P-NUMBER.queue``; P is the priority's place in Falco's list. An entry is a header and its payload;
what was cut by a crash or changed on the disk is found by the checksum and left out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import zlib
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".queue"
MAGIC = b"HWQ1"
_HEADER = struct.Struct("<4sIIQQ")  # magic, bytes of the payload, checksum of what follows, number, ns since the epoch
_CHECKED = struct.Struct("<QQ")  # the part of it that the checksum is of, beside the payload
OVERHEAD = _HEADER.size
LARGEST_ENTRY = 64 << 20  # bytes; a longer one in a file is damage
READ_AHEAD = 256 << 10  # bytes of entries that are in memory, ready to be taken


class Place(NamedTuple):
    """A place in a log: the number of a file, and bytes from its beginning."""

    file: int
    offset: int


class Entry(NamedTuple):
    """One entry.

    Attributes:
        number: larger than that of each entry that was appended before it, to any priority's log of the queue.
        at: when it was appended, ns since the epoch.
        payload: what was appended.
        end: where it ends.
    """

    number: int
    at: int
    payload: bytes
    end: Place


class _File(msgspec.Struct):
    number: int
    path: Path
    size: int


def encode(number: int, at: int, payload: bytes) -> bytes:
    """Return an entry as it stands in a file."""
    checked = _CHECKED.pack(number, at)
    check = zlib.crc32(payload, zlib.crc32(checked))
    return b"".join((_HEADER.pack(MAGIC, len(payload), check, number, at), payload))


class _Found(msgspec.Struct):
    """What is in a piece of a file: entries, bytes that are none, and where the last entry ends."""

    entries: list[Entry]
    damaged: int = 0
    end: int = 0


def _decode(data: bytes, file: int, offset: int, *, last: bool) -> _Found:
    """Return the entries of data that begins at an offset of a file; one that is cut at the end is left there.

    ``last``: nothing comes behind the data, so an entry that seems to be cut may be one whose length was damaged.
    """
    found = _Found([], 0, offset)
    position = 0
    while len(data) - position >= OVERHEAD:
        magic, size, check, number, at = _HEADER.unpack_from(data, position)
        end = position + OVERHEAD + size
        if (
            magic == MAGIC
            and size <= LARGEST_ENTRY
            and end > len(data)
            and not (last and MAGIC in data[position + 1 :])
        ):
            break
        payload = data[position + OVERHEAD : end]
        if magic != MAGIC or zlib.crc32(payload, zlib.crc32(_CHECKED.pack(number, at))) != check:
            after = data.find(MAGIC, position + 1)
            after = len(data) if after < 0 else after
            found.damaged += after - position
            position = after
        else:
            position = end
            found.entries.append(Entry(number, at, payload, Place(file, offset + end)))
        found.end = offset + position
    return found


class QueueLog:
    """The entries of one priority, oldest first.

    Attributes:
        pending: how many were not read yet.
        size: bytes of those, in files.
        damaged: bytes that were no entries.
        last_number: of the last entry; 0 when there is none.
    """

    def __init__(self, directory: Path, priority: int, file_size: int) -> None:
        """Open nothing yet; ``recover`` looks at what is there.

        Args:
            directory: of the queue.
            priority: its place in Falco's list.
            file_size: bytes after which another file is begun.
        """
        self._directory = directory
        self.priority = priority
        self._file_size = file_size
        self._files: deque[_File] = deque()
        self._descriptor = -1  # of the last file, to append
        self._unsynced: list[int] = []  # descriptors of files that are full and not on the disk for sure
        self._dirty = False
        self._ahead: deque[Entry] = deque()  # read and not taken
        self._ahead_size = 0
        self._read_to = Place(0, 0)  # what is before was read
        self.pending = 0
        self.size = 0
        self.damaged = 0
        self.last_number = 0

    def recover(self, done: Place) -> None:
        """Take over what a process before has left.

        Args:
            done: what is before it was settled.
        """
        for path in sorted(self._directory.glob(f"{self.priority}-*{SUFFIX}")):
            digits = path.name[2 : -len(SUFFIX)]
            if not digits.isdecimal() or path.is_symlink():
                continue
            number = int(digits)
            if number < done.file:
                path.unlink()
                continue
            self._files.append(_File(number, path, self._recover_file(path, number, done)))
        if self._files:
            first = self._files[0].number
            self._read_to = done if done.file == first else Place(first, 0)
            self._descriptor = os.open(self._files[-1].path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        else:
            self._read_to = Place(done.file + 1, 0)

    def _recover_file(self, path: Path, number: int, done: Place) -> int:
        """Count the entries of a file, take out what is none and what a crash has cut; return its size."""
        data = path.read_bytes()
        begin = min(done.offset, len(data)) if number == done.file else 0
        found = _decode(data[begin:], number, begin, last=True)
        self.damaged += found.damaged
        self.pending += len(found.entries)
        whole = bytearray(data[:begin])
        for entry in found.entries:
            whole += encode(entry.number, entry.at, entry.payload)
            self.last_number = max(self.last_number, entry.number)
        self.size += len(whole) - begin
        if len(whole) != len(data):
            cleaned = path.with_suffix(".new")
            cleaned.write_bytes(whole)
            cleaned.chmod(0o600)
            cleaned.replace(path)
        return len(whole)

    def append(self, entries: list[tuple[int, int, bytes]]) -> None:
        """Append entries, given as number, time and payload; all are in files when it returns.

        Raises:
            OSError: the disk is full or broken; then none is there.
        """
        data = [encode(*entry) for entry in entries]
        file = self._file_to_append()
        whole = b"".join(data)
        try:
            written = os.write(self._descriptor, whole)
            if written < len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, file.size)
            file.size = os.fstat(self._descriptor).st_size
            raise
        self._dirty = True
        self.pending += len(entries)
        self.size += len(whole)
        reads_along = self._read_to == Place(file.number, file.size)
        for (number, at, payload), encoded in zip(entries, data, strict=True):
            file.size += len(encoded)
            if reads_along and self._ahead_size < READ_AHEAD:  # need not be read again
                self._read_to = Place(file.number, file.size)
                self._put_ahead(Entry(number, at, payload, self._read_to))
            else:
                reads_along = False
        self.last_number = entries[-1][0]

    def _file_to_append(self) -> _File:
        if self._files and self._files[-1].size < self._file_size:
            return self._files[-1]
        number = self._files[-1].number + 1 if self._files else max(self._read_to.file, 1)
        path = self._directory / f"{self.priority}-{number:016d}{SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        if self._descriptor >= 0:
            self._unsynced.append(self._descriptor)
        self._descriptor = descriptor
        at_end = not self._files or self._read_to == Place(self._files[-1].number, self._files[-1].size)
        if at_end:
            self._read_to = Place(number, 0)
        self._files.append(_File(number, path, 0))
        return self._files[-1]

    def first(self) -> Entry | None:
        """Return the oldest entry that was not taken; None when there is none."""
        if not self._ahead:
            self._read_ahead()
        return self._ahead[0] if self._ahead else None

    def take(self) -> Entry:
        """Return the entry that ``first`` has returned, and go on to the next."""
        entry = self._ahead.popleft()
        self._ahead_size -= len(entry.payload)
        self.pending -= 1
        self.size -= OVERHEAD + len(entry.payload)
        return entry

    def _put_ahead(self, entry: Entry) -> None:
        self._ahead.append(entry)
        self._ahead_size += len(entry.payload)

    def _read_ahead(self) -> None:
        for file in list(self._files):
            if file.number < self._read_to.file:
                continue
            offset = self._read_to.offset if file.number == self._read_to.file else 0
            if offset < file.size:
                data = _read(file, offset)
                found = _decode(data, file.number, offset, last=offset + len(data) >= file.size)
                self.damaged += found.damaged
                for entry in found.entries:
                    self._put_ahead(entry)
                self._read_to = Place(file.number, found.end)
                if found.end == offset:  # nothing but a cut entry, in a file that was changed under us
                    self.damaged += file.size - offset
                    self._read_to = Place(file.number, file.size)
            if self._ahead:
                return
        # What was counted but is not there was damaged while we ran.
        self.pending, self.size = 0, 0

    def place(self) -> Place:
        """Return the place behind which nothing was taken."""
        if not self._ahead:
            return self._read_to
        first = self._ahead[0]
        return Place(first.end.file, first.end.offset - OVERHEAD - len(first.payload))

    def forget(self, kept: frozenset[int]) -> None:
        """Remove the files whose entries were all taken, but for those with these numbers."""
        now = self.place()
        gone = [file for file in self._files if file.number < now.file and file.number not in kept]
        for file in gone:
            self._files.remove(file)
            file.path.unlink()

    def sync(self) -> Iterator[int]:
        """Give a copy of each descriptor that has to be synced; the caller closes them."""
        descriptors, self._unsynced = self._unsynced, []
        yield from descriptors
        if self._dirty:
            self._dirty = False
            yield os.dup(self._descriptor)

    def close(self) -> None:
        """Close the files."""
        for descriptor in (*self._unsynced, self._descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        self._unsynced, self._descriptor = [], -1

    @property
    def on_disk(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self._files)


def _read(file: _File, offset: int) -> bytes:
    """Return a piece of a file that has at least one whole entry."""
    descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        data = os.pread(descriptor, min(READ_AHEAD, file.size - offset), offset)
        if len(data) >= OVERHEAD:
            magic, size, *_ = _HEADER.unpack_from(data)
            if magic == MAGIC and size <= LARGEST_ENTRY and OVERHEAD + size > len(data):
                data += os.pread(descriptor, min(OVERHEAD + size, file.size - offset) - len(data), offset + len(data))
        return data
    finally:
        os.close(descriptor)
