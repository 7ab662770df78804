"""Reading bbolt files: what podman and containerd keep of their containers on disk.

Format: the documentation of the Go package ``go.etcd.io/bbolt`` and its page layout, version 2. The file belongs to a
process that may write meanwhile, and it may be damaged or somebody's trap: every length is checked, and what was read
counts only when nothing was written meanwhile.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_PAGE = 64 << 20  # bytes, with what a long value needs beyond one page
PAGES_MAXIMUM = 100_000  # that are looked at for one question
DEPTH_MAXIMUM = 64
ATTEMPTS = 5  # while somebody writes

_PAGE = struct.Struct("<QHHI")  # id, flags, count, overflow
# Magic, version, page size, flags, root, its sequence, free list, end, transaction, checksum.
_META = struct.Struct("<IIIIQQQQQQ")
_LEAF = struct.Struct("<IIII")  # flags, position from here, sizes of key and value
_BRANCH = struct.Struct("<IIQ")  # position from here, size of the key, page
_BUCKET = struct.Struct("<QQ")  # page, sequence
_MAGIC, _VERSION = 0xED0CDAED, 2
_IS_BRANCH, _IS_LEAF = 1, 2
_ENTRY_IS_BUCKET = 1
_PAGE_SIZES = (1 << 10, 1 << 16)

Result = TypeVar("Result")


class BoltError(ValueError):
    """A file is no bbolt file, or is damaged; the message says what is wrong."""


class _Meta(NamedTuple):
    page_size: int
    root: int
    transaction: int


class _File:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.meta = self._read_meta()
        self._left = PAGES_MAXIMUM

    def _read_meta(self) -> _Meta:
        """Return the last state that was written whole: it stands in the first page or in the second."""
        first = self._meta_at(0)
        places = [first.page_size] if first is not None else [1 << power for power in range(10, 17)]
        good = [one for one in (first, *map(self._meta_at, places)) if one is not None]
        if not good:
            raise BoltError("it has no valid beginning")
        return max(good, key=lambda one: one.transaction)

    def _meta_at(self, place: int) -> _Meta | None:
        return _meta(os.pread(self._descriptor, _PAGE.size + _META.size, place))

    def unchanged(self) -> bool:
        return self._read_meta() == self.meta

    def page(self, number: int) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise BoltError(f"it has more than {PAGES_MAXIMUM} pages to look at")
        size = self.meta.page_size
        page = self._read(number * size, size)
        length = (_PAGE.unpack_from(page)[3] + 1) * size
        if length > LONGEST_PAGE:
            raise BoltError("a page of it is too long")
        return page if length == size else self._read(number * size, length)

    def _read(self, place: int, length: int) -> bytes:
        if place >= 1 << 62:
            raise BoltError("it names a page that cannot be")
        data = os.pread(self._descriptor, length, place)
        if len(data) < length:
            raise BoltError("it is cut off")
        return data


def _meta(page: bytes) -> _Meta | None:
    if len(page) < _PAGE.size + _META.size:
        return None
    magic, version, page_size, _, root, _, _, _, transaction, checksum = _META.unpack_from(page, _PAGE.size)
    if (magic, version) != (_MAGIC, _VERSION) or not _PAGE_SIZES[0] <= page_size <= _PAGE_SIZES[1]:
        return None
    if checksum != _fnv(page[_PAGE.size : _PAGE.size + _META.size - 8]):
        return None
    return _Meta(page_size, root, transaction)


def _fnv(data: bytes) -> int:
    """Return the 64-bit FNV-1a hash."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


class Bucket:
    """A table of the file, in the order of its keys; values are bytes or tables."""

    def __init__(self, file: _File, root: int, inline: bytes = b"") -> None:
        """Take the page of its root; or the page itself, for a small one lies within another's value."""
        self._file = file
        self._root = root
        self._inline = inline

    def get(self, key: bytes) -> bytes | None:
        """Return a value; None when there is none of that key."""
        found = self._find(key)
        return found[2] if found is not None and not found[1] else None

    def bucket(self, key: bytes) -> Bucket | None:
        """Return a table within; None when there is none of that key."""
        found = self._find(key)
        return self._within(found[2]) if found is not None and found[1] else None

    def values(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values, without the tables."""
        found = self._all(self._page(self._root), 0)
        return ((key, value) for key, is_bucket, value in found if not is_bucket)

    def buckets(self) -> Iterator[tuple[bytes, Bucket]]:
        """Yield keys and tables."""
        found = self._all(self._page(self._root), 0)
        return ((key, self._within(value)) for key, is_bucket, value in found if is_bucket)

    def _within(self, value: bytes) -> Bucket:
        root = _unpack(_BUCKET, value, 0)[0]
        return Bucket(self._file, root, b"" if root else value[_BUCKET.size :])

    def _page(self, number: int) -> bytes:
        return self._file.page(number) if number else self._inline

    def _find(self, key: bytes) -> tuple[bytes, bool, bytes] | None:
        page = self._page(self._root)
        for _ in range(DEPTH_MAXIMUM):
            if _unpack(_PAGE, page, 0)[1] & _IS_LEAF:
                return next((entry for entry in _entries(page) if entry[0] == key), None)
            below = [number for first, number in _children(page) if first <= key]
            if not below:
                return None
            page = self._page(below[-1] or -1)
        raise BoltError("its pages lie too deep")

    def _all(self, page: bytes, depth: int) -> Iterator[tuple[bytes, bool, bytes]]:
        if depth > DEPTH_MAXIMUM:
            raise BoltError("its pages lie too deep")
        if _unpack(_PAGE, page, 0)[1] & _IS_LEAF:
            yield from _entries(page)
            return
        for _, number in _children(page):
            yield from self._all(self._page(number or -1), depth + 1)


def _entries(page: bytes) -> Iterator[tuple[bytes, bool, bytes]]:
    """Yield key, whether it is a table, and value of a leaf."""
    left = len(page)  # entries do not overlap: many that are all of the page would be more than memory
    for number in range(_unpack(_PAGE, page, 0)[2]):
        place = _PAGE.size + number * _LEAF.size
        flags, position, key_size, value_size = _unpack(_LEAF, page, place)
        begin = place + position
        end = begin + key_size + value_size
        left -= key_size + value_size
        if end > len(page) or left < 0:
            raise BoltError("an entry of it goes beyond its page")
        yield page[begin : begin + key_size], bool(flags & _ENTRY_IS_BUCKET), page[begin + key_size : end]


def _children(page: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the first key and the number of each page below a branch."""
    _, flags, count, _ = _unpack(_PAGE, page, 0)
    if not flags & _IS_BRANCH:
        raise BoltError("a page of it is of no known kind")
    for number in range(count):
        place = _PAGE.size + number * _BRANCH.size
        position, size, child = _unpack(_BRANCH, page, place)
        yield page[place + position : place + position + size], child


def _unpack(form: struct.Struct, data: bytes, place: int) -> tuple[int, ...]:
    try:
        return form.unpack_from(data, place)
    except struct.error:
        raise BoltError("a page of it is too short") from None


def read(descriptor: int, question: Callable[[Bucket], Result]) -> Result:
    """Ask a file something: call ``question`` with the table of all its tables, and return what that returns.

    Args:
        descriptor: of the file.
        question: is called again when the file was written meanwhile.

    Raises:
        BoltError: when it is damaged, no bbolt file, or written all the time.
        OSError: when it cannot be read.
    """
    problem = BoltError("it is written all the time")
    for _ in range(ATTEMPTS):
        file = _File(descriptor)
        try:
            result = question(Bucket(file, file.meta.root))
        except BoltError as error:
            problem = error
            if file.unchanged():
                raise
            continue
        if file.unchanged():
            return result
    raise problem
