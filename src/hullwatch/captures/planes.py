"""Records in an order that compresses better, and back: in C where it was built, the same in Python."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

from hullwatch.detect.native import library

PLANE = 56  # bytes of a record's header
_LENGTH = struct.Struct("<I")

# Makes bytes that nobody has filled yet, nor seen.
_new_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_bytes.restype, _new_bytes.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_ssize_t]


class DamagedError(Exception):
    """The bytes are not what was written; the text says what is wrong, as the rest of a sentence."""


def planes(records: bytes) -> bytes:
    """Return records with all first bytes of their headers, then all second ones and so on, then their rests.

    Before them is a u32 with their number. Times, processes and sizes of neighbours are alike, so these columns
    shrink to a fraction.

    Raises:
        DamagedError: when these are no whole records.
    """
    native = library()
    if native is not None:
        return _called(native.hw_planes, records, _LENGTH.size)
    return planes_in_python(records)


def whole(data: bytes) -> bytes:
    """Return the records that ``planes`` was given.

    Raises:
        DamagedError: when these are no such bytes.
    """
    native = library()
    if native is not None:
        if len(data) < _LENGTH.size:
            raise DamagedError("its records contradict themselves")
        return _called(native.hw_whole, data, -_LENGTH.size)
    return whole_in_python(data)


def _called(function: Any, data: bytes, more: int) -> bytes:
    """Have the library fill new bytes: to copy them from a buffer would take as long as it takes to fill them."""
    made: bytes = _new_bytes(None, max(0, len(data) + more))
    size = function(data, len(data), made)
    if size != len(made):
        raise DamagedError("its records contradict themselves")
    return made


def planes_in_python(records: bytes) -> bytes:
    """Do what ``planes`` does."""
    heads, rests = bytearray(), bytearray()
    offset, size, number = 0, len(records), 0
    while offset < size:
        if size - offset < PLANE:
            raise DamagedError("its records contradict themselves")
        (length,) = _LENGTH.unpack_from(records, offset)
        if length < PLANE or length > size - offset:
            raise DamagedError("its records contradict themselves")
        heads += records[offset : offset + PLANE]
        rests += records[offset + PLANE : offset + length]
        offset += length
        number += 1
    return b"".join((_LENGTH.pack(number), *[heads[plane::PLANE] for plane in range(PLANE)], rests))


def whole_in_python(data: bytes) -> bytes:
    """Do what ``whole`` does."""
    if len(data) < _LENGTH.size:
        raise DamagedError("its records contradict themselves")
    (number,) = _LENGTH.unpack_from(data)
    at = _LENGTH.size + number * PLANE
    if at > len(data):
        raise DamagedError("its records contradict themselves")
    heads = bytearray(number * PLANE)
    for plane in range(PLANE):
        begin = _LENGTH.size + plane * number
        heads[plane::PLANE] = data[begin : begin + number]
    pieces: list[bytes | bytearray] = []
    for offset in range(0, len(heads), PLANE):
        (length,) = _LENGTH.unpack_from(heads, offset)
        if length < PLANE or at + length - PLANE > len(data):
            raise DamagedError("its records contradict themselves")
        pieces += (heads[offset : offset + PLANE], data[at : at + length - PLANE])
        at += length - PLANE
    if at != len(data):
        raise DamagedError("its records contradict themselves")
    return b"".join(pieces)
