"""A stream taken apart by control group, and put together again: in C where it was built, the same in Python.

Records are numbered from 0 in their order, so that those of some parts find their order again. Times would not do:
records that the engine makes are later than what the sensor has not sent yet.
"""

from __future__ import annotations

import ctypes
import struct
from array import array
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.planes import PLANE, DamagedError
from hullwatch.detect.native import library

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GROUP = slice(24, 36)  # of a header: id and hierarchy of the control group, 12 bytes
_LENGTH = struct.Struct("<I")
_FOUND = struct.Struct("<QQII")  # struct hw_group: id, bytes, hierarchy, records
_PLACE = struct.Struct("<QQQ")
_PART = struct.Struct("<QQQQQ")
_KEY = struct.Struct("<QI")
_NUMBER = 4  # bytes


class Part(NamedTuple):
    """Some records of a stream, and by how much the number of each is larger than that of the one before (u32)."""

    records: bytes
    steps: bytes


def split(records: bytes, name_of: Callable[[bytes], str]) -> dict[str, Part]:
    """Return the records by the names of their control groups.

    Args:
        records: whole ones.
        name_of: returns the name for a control group (12 bytes, as in the header); several may have the same.

    Raises:
        DamagedError: when these are no whole records.
    """
    native = library()
    if native is None or not records:
        return split_in_python(records, name_of)
    most = len(records) // PLANE
    groups = ctypes.create_string_buffer(most * _FOUND.size)
    group_of = ctypes.create_string_buffer(most * _NUMBER)
    count = native.hw_groups(records, len(records), groups, group_of)
    if count < 0:
        raise DamagedError("its records contradict themselves")
    sizes: dict[str, list[int]] = {}
    parts = array("I")
    for number, size, hierarchy, found in _FOUND.iter_unpack(memoryview(groups)[: count * _FOUND.size]):
        name = name_of(_KEY.pack(number, hierarchy))
        one = sizes.setdefault(name, [len(sizes), 0, 0])
        parts.append(one[0])
        one[1] += found * _NUMBER
        one[2] += size
    places = bytearray()
    position = 0
    for _, numbers, size in sizes.values():
        places += _PLACE.pack(position, position + numbers, 0)
        position += numbers + size
    made = ctypes.create_string_buffer(position)
    native.hw_split(
        records, len(records), group_of, parts.buffer_info()[0], (ctypes.c_char * len(places)).from_buffer(places), made
    )
    view = memoryview(made)
    found_parts: dict[str, Part] = {}
    position = 0
    for name, (_, numbers, size) in sizes.items():
        middle = position + numbers
        found_parts[name] = Part(bytes(view[middle : middle + size]), bytes(view[position:middle]))
        position = middle + size
    return found_parts


def split_in_python(records: bytes, name_of: Callable[[bytes], str]) -> dict[str, Part]:
    """Do what ``split`` does."""
    names: dict[bytes, str] = {}
    found: dict[str, tuple[list[bytes], list[int]]] = {}
    for number, record in enumerate(each(records)):
        group = record[GROUP]
        name = names.get(group)
        if name is None:
            name = names[group] = name_of(group)
        pieces, numbers = found.setdefault(name, ([], []))
        pieces.append(record)
        numbers.append(number)
    return {
        name: Part(b"".join(pieces), _packed([number - before for before, number in pairwise([0, *numbers])]))
        for name, (pieces, numbers) in found.items()
    }


def each(records: bytes) -> list[bytes]:
    """Return the records one by one.

    Raises:
        DamagedError: when these are no whole records.
    """
    found: list[bytes] = []
    offset, size = 0, len(records)
    while offset < size:
        length = _LENGTH.unpack_from(records, offset)[0] if size - offset >= PLANE else 0
        if length < PLANE or length > size - offset:
            raise DamagedError("its records contradict themselves")
        found.append(records[offset : offset + length])
        offset += length
    return found


def whole_records(batch: bytes) -> bytes:
    """Return the beginning of a batch up to the last whole record."""
    offset, size = 0, len(batch)
    while size - offset >= PLANE:
        (length,) = _LENGTH.unpack_from(batch, offset)
        if length < PLANE or length > size - offset:
            break
        offset += length
    return batch[:offset]


def merge(parts: Sequence[Part]) -> bytes:
    """Return the records of parts of one stream, in their order.

    Raises:
        DamagedError: when the parts are no such ones.
    """
    parts = [part for part in parts if part.records]
    if len(parts) <= 1:
        return parts[0].records if parts else b""
    native = library()
    if native is None:
        return merge_in_python(parts)
    described = bytearray()
    kept: list[ctypes.c_char_p] = []  # alive while the library reads
    for records, steps in parts:
        pair = [ctypes.c_char_p(records), ctypes.c_char_p(steps)]
        kept += pair
        places = [ctypes.cast(one, ctypes.c_void_p).value or 0 for one in pair]
        described += _PART.pack(*places, len(records), len(steps) // _NUMBER, 0)
    made = ctypes.create_string_buffer(sum(len(part.records) for part in parts))
    size = native.hw_merge((ctypes.c_char * len(described)).from_buffer(described), len(parts), made)
    if size != len(made):
        raise DamagedError("its records contradict themselves")
    return made.raw


def merge_in_python(parts: Sequence[Part]) -> bytes:
    """Do what ``merge`` does."""
    numbered = [pair for part in parts for pair in numbers_and_records(part)]
    return b"".join(record for _, record in sorted(numbered, key=lambda pair: pair[0]))


def numbers_and_records(part: Part) -> list[tuple[int, bytes]]:
    """Return each record of a part with its number.

    Raises:
        DamagedError: when the part has other steps than records.
    """
    records = each(part.records)
    if len(part.steps) != len(records) * _NUMBER:
        raise DamagedError("its records contradict themselves")
    return list(zip(accumulate(struct.unpack(f"<{len(records)}I", part.steps)), records, strict=True))


def _packed(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)
