"""Records to values and back: the layout of ``table.py`` in bytes."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.events.table import BY_NAME, BY_NUMBER, HEADER, LAYOUTS, EventType

if TYPE_CHECKING:
    from collections.abc import Callable

Value = int | str | bytes

MAXIMUM_RECORD = 1 << 18  # far above what the sensor can make; a longer one is a broken stream
MAXIMUM_VARIABLE = 0xFFFF


class Header(NamedTuple):
    """The header of a record; times are ns since boot."""

    length: int
    type: int
    flags: int
    time: int
    process_start: int
    cgroup_id: int
    cgroup_hierarchy: int
    uid: int
    pid: int
    tid: int
    sequence: int
    cpu: int
    reserved: int


class BrokenStreamError(Exception):
    """The bytes are not a sequence of records; the message says where."""


def decode(kind: EventType, record: bytes | memoryview, offset: int = 0) -> dict[str, Value]:
    """Return the parameters of the record that starts at ``offset``, by name.

    Text is decoded as UTF-8 with surrogateescape, for the kernel's strings are bytes.

    Raises:
        BrokenStreamError: when a value would lie outside the record.
    """
    return _decoder(kind.layout.name)(kind, record, offset)


@functools.cache
def _decoder(name: str) -> Callable[[EventType, bytes | memoryview, int], dict[str, Value]]:
    """Return the function that decodes a layout, written out value by value: a loop takes twice the time."""
    layout = LAYOUTS[name]
    lengths = [f"n{index}" for index in range(len(layout.variables))]
    taken = [*(f"s{index}" for index in range(len(layout.scalars))), *lengths]
    values = [f"{scalar!r}: s{index}" for index, scalar in enumerate(layout.scalars)]
    lines = [
        "def decode(kind, record, offset):",
        f"    position = offset + {HEADER.size + layout.fixed.size}",
        "    end = offset + int.from_bytes(record[offset : offset + 4], 'little')",
        "    if position > end or end > len(record):",
        "        raise broken(kind, 'is shorter than its fixed part')",
        f"    {''.join(f'{one}, ' for one in taken)}= unpack(record, offset + {HEADER.size})" if taken else "",
    ]
    for index, (variable, text) in enumerate(zip(layout.variables, layout.text, strict=True)):
        lines.append(f"    v{index} = record[position : (position := position + n{index})]")
        values.append(
            f"{variable!r}: " + (f"str(v{index}, 'utf-8', 'surrogateescape')" if text else f"bytes(v{index})")
        )
    lines += [
        "    if position > end:",
        "        raise broken(kind, 'has values that end behind it')",
        f"    return {{{', '.join(values)}}}",
    ]
    namespace: dict[str, Any] = {"unpack": layout.fixed.unpack_from, "broken": _broken}
    exec(compile("\n".join(lines), f"<layout {name}>", "exec"), namespace)  # noqa: S102 - from the event table alone
    return namespace["decode"]


def _broken(kind: EventType, what: str) -> BrokenStreamError:
    return BrokenStreamError(f"a record of type {kind.name} {what}")


_NO_HEADER = [0] * (len(Header._fields) - 2)  # all but length and type


@functools.cache
def _parameters(name: str) -> frozenset[str]:
    return frozenset(parameter.name for parameter in LAYOUTS[name].parameters)


def encode(kind: EventType | str, /, header: dict[str, int] | None = None, **values: Value) -> bytes:
    """Return one record; missing parameters are 0 or empty, ``header`` gives header fields by name.

    Raises:
        KeyError: for a parameter that the event does not have.
        ValueError: for a variable-size value of more than 65,535 bytes.
    """
    row = BY_NAME[kind] if isinstance(kind, str) else kind
    layout = row.layout
    if not values.keys() <= _parameters(layout.name):
        unknown = min(values.keys() - _parameters(layout.name))
        raise KeyError(f"event {row.name} has no parameter {unknown}")
    blobs: list[bytes] = []
    for name in layout.variables:
        value = values.get(name, b"")
        blob = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
        if len(blob) > MAXIMUM_VARIABLE:
            raise ValueError(f"parameter {name} of event {row.name} has {len(blob)} bytes, 65535 are the most")
        blobs.append(blob)
    fixed = layout.fixed.pack(*(values.get(name, 0) for name in layout.scalars), *map(len, blobs))
    body = fixed + b"".join(blobs)
    body += bytes(-len(body) % 8)
    if header is None:
        return HEADER.pack(HEADER.size + len(body), row.number, *_NO_HEADER) + body
    fields = dict.fromkeys(Header._fields, 0) | header
    fields["length"] = HEADER.size + len(body)
    fields["type"] = row.number
    return HEADER.pack(*fields.values()) + body


_BEGINNING = struct.Struct("<IH")  # of the header: length and type


def check_record(batch: bytes | memoryview, offset: int) -> tuple[int, int]:
    """Return length and type of the record that begins at an offset of a batch and lies within it.

    Raises:
        BrokenStreamError: when there is no whole record.
    """
    left = len(batch) - offset
    if left < HEADER.size:
        raise BrokenStreamError(f"{left} bytes are left behind the last record of a batch")
    length, number = _BEGINNING.unpack_from(batch, offset)
    if length < HEADER.size or length % 8 or length > left:
        raise BrokenStreamError(f"a record at byte {offset} of a batch claims {length} bytes")
    return length, number


def walk(batch: bytes | memoryview) -> list[tuple[int, Header]]:
    """Return the offset and header of each record in a batch.

    Raises:
        BrokenStreamError: when a length is impossible.
    """
    records: list[tuple[int, Header]] = []
    offset = 0
    while offset < len(batch):
        length, _ = check_record(batch, offset)
        records.append((offset, Header._make(HEADER.unpack_from(batch, offset))))
        offset += length
    return records


def type_of(header: Header) -> EventType | None:
    """Return the row of the event table for a record, or None for an unknown number."""
    return BY_NUMBER.get(header.type)
