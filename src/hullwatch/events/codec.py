"""Records to values and back: the layout of ``table.py`` in bytes."""

from __future__ import annotations

from typing import NamedTuple

from hullwatch.events.table import BY_NAME, BY_NUMBER, HEADER, EventType

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
    layout = kind.layout
    end = offset + int.from_bytes(record[offset : offset + 4], "little")
    position = offset + HEADER.size + layout.fixed.size
    if position > end or end > len(record):
        raise BrokenStreamError(f"a record of type {kind.name} is shorter than its fixed part")
    fixed = layout.fixed.unpack_from(record, offset + HEADER.size)
    values: dict[str, Value] = dict(zip(layout.scalars, fixed, strict=False))
    index = len(layout.scalars)
    for name, text in zip(layout.variables, layout.text, strict=False):  # of one length: checking costs 10 %
        stop = position + fixed[index]
        if stop > end:
            raise BrokenStreamError(f"the value {name} of a record of type {kind.name} ends behind the record")
        raw = record[position:stop]
        values[name] = str(raw, "utf-8", "surrogateescape") if text else bytes(raw)
        position = stop
        index += 1
    return values


def encode(kind: EventType | str, header: dict[str, int] | None = None, **values: Value) -> bytes:
    """Return one record; missing parameters are 0 or empty, ``header`` gives header fields by name.

    Raises:
        KeyError: for a parameter that the event does not have.
        ValueError: for a variable-size value of more than 65,535 bytes.
    """
    row = BY_NAME[kind] if isinstance(kind, str) else kind
    layout = row.layout
    unknown = values.keys() - {parameter.name for parameter in layout.parameters}
    if unknown:
        raise KeyError(f"event {row.name} has no parameter {min(unknown)}")
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
    fields = dict.fromkeys(Header._fields, 0) | (header or {})
    fields["length"] = HEADER.size + len(body)
    fields["type"] = row.number
    return HEADER.pack(*fields.values()) + body


def walk(batch: bytes | memoryview) -> list[tuple[int, Header]]:
    """Return the offset and header of each record in a batch.

    Raises:
        BrokenStreamError: when a length is impossible.
    """
    records: list[tuple[int, Header]] = []
    offset, size = 0, len(batch)
    while offset < size:
        if size - offset < HEADER.size:
            raise BrokenStreamError(f"{size - offset} bytes are left behind the last record of a batch")
        header = Header._make(HEADER.unpack_from(batch, offset))
        if header.length < HEADER.size or header.length % 8 or header.length > size - offset:
            raise BrokenStreamError(f"a record at byte {offset} of a batch claims {header.length} bytes")
        records.append((offset, header))
        offset += header.length
    return records


def type_of(header: Header) -> EventType | None:
    """Return the row of the event table for a record, or None for an unknown number."""
    return BY_NUMBER.get(header.type)
