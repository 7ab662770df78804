"""A bbolt file as podman and containerd write it, made up: small, or with pages enough for branches."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = 4096
_LEAF, _BRANCH, _META = 2, 1, 4


class BoltFile:
    """Writes tables into pages; ``leaf`` entries stand on a page, more get branches above them."""

    def __init__(self, leaf: int = 1000) -> None:
        self._pages: list[bytes] = [b"", b"", b"", b""]  # two beginnings, the free list, an empty leaf
        self._leaf = leaf

    def write(self, tables: Mapping[bytes, object], transaction: int = 7) -> bytes:
        """Return the file."""
        root = self._table(tables)
        content = list(self._pages)
        for number in (0, 1):
            content[number] = self._page(number, _META, 0, beginning(root, len(content), transaction - number))
        content[2] = self._page(2, 16, 0, b"")
        content[3] = self._page(3, _LEAF, 0, b"")
        return b"".join(content)

    def _table(self, tables: Mapping[bytes, object]) -> int:
        entries: list[tuple[bytes, int, bytes]] = []
        for key, value in sorted(tables.items()):
            if isinstance(value, bytes):
                entries.append((key, 0, value))
                continue
            below = cast("dict[bytes, Any]", value)
            if all(isinstance(one, bytes) for one in below.values()):  # a small one lies within the value
                inline = _leaf([(name, 0, one) for name, one in sorted(below.items())])
                entries.append((key, 1, struct.pack("<QQ", 0, 0) + _head(0, _LEAF, len(below), 0) + inline))
            else:
                entries.append((key, 1, struct.pack("<QQ", self._table(below), 0)))
        parts = [entries[first : first + self._leaf] for first in range(0, len(entries), self._leaf)] or [[]]
        pages = [(part[0][0] if part else b"", self._add(_LEAF, len(part), _leaf(part))) for part in parts]
        if len(pages) == 1:
            return pages[0][1]
        return self._add(_BRANCH, len(pages), _branch(pages))

    def _add(self, flags: int, count: int, body: bytes) -> int:
        number = len(self._pages)
        page = self._page(number, flags, count, body)
        self._pages += [page[place : place + PAGE] for place in range(0, len(page), PAGE)]
        return number

    @staticmethod
    def _page(number: int, flags: int, count: int, body: bytes) -> bytes:
        pages = -(-(16 + len(body)) // PAGE)
        return (_head(number, flags, count, pages - 1) + body).ljust(pages * PAGE, b"\0")


def beginning(root: int, end: int, transaction: int) -> bytes:
    """Return what the first two pages hold."""
    data = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, end, transaction)
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return data + struct.pack("<Q", value)


def _head(number: int, flags: int, count: int, overflow: int) -> bytes:
    return struct.pack("<QHHI", number, flags, count, overflow)


def _leaf(entries: list[tuple[bytes, int, bytes]]) -> bytes:
    heads, bodies, place = b"", b"", len(entries) * 16
    for number, (key, is_table, value) in enumerate(entries):
        heads += struct.pack("<IIII", is_table, place + len(bodies) - number * 16, len(key), len(value))
        bodies += key + value
    return heads + bodies


def _branch(pages: list[tuple[bytes, int]]) -> bytes:
    heads, bodies, place = b"", b"", len(pages) * 16
    for number, (key, page) in enumerate(pages):
        heads += struct.pack("<IIQ", place + len(bodies) - number * 16, len(key), page)
        bodies += key
    return heads + bodies
