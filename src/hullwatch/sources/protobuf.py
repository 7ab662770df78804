"""Protocol buffers as bytes: the few messages that engines are asked with and answer, without generated code.

A message is read into its fields by number; what a number means stands where it is used, with the
name that the engine's definition has for it. Source of the format: the page "Encoding" of the
documentation of Protocol Buffers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAXIMUM_FIELDS = 100_000  # of one message; an engine's list of containers has one for each

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10  # bytes
_HIGH_BIT = 0x80

Value = int | str | bytes


class BrokenMessageError(ValueError):
    """The bytes are no message; the text says why."""


class Message:
    """A message that was read; a field that is absent or of another kind has the empty value, as the format has it."""

    __slots__ = ("_fields",)

    def __init__(self, data: bytes = b"") -> None:
        """Read a message.

        Raises:
            BrokenMessageError: when it is none, or has more than 100,000 fields.
        """
        self._fields: dict[int, list[int | bytes]] = {}
        for number, value in _read(data):
            self._fields.setdefault(number, []).append(value)

    def number(self, field: int) -> int:
        """Return a whole number; negative ones are not told apart from great ones."""
        value = self._fields.get(field, (0,))[-1]
        return value if isinstance(value, int) else 0

    def signed(self, field: int) -> int:
        """Return a whole number that may be negative (int32, int64)."""
        value = self.number(field)
        return value - (1 << 64) if value >> 63 else value

    def bytes(self, field: int) -> bytes:
        """Return bytes."""
        value = self._fields.get(field, (b"",))[-1]
        return value if isinstance(value, bytes) else b""

    def text(self, field: int) -> str:
        """Return a text; bytes that are not UTF-8 are replaced."""
        return self.bytes(field).decode("utf-8", "replace")

    def texts(self, field: int) -> list[str]:
        """Return the texts of a repeated field."""
        return [one.decode("utf-8", "replace") for one in self._all(field)]

    def message(self, field: int) -> Message:
        """Return a message within; an empty one where there is none."""
        return Message(self.bytes(field))

    def messages(self, field: int) -> list[Message]:
        """Return the messages of a repeated field."""
        return [Message(one) for one in self._all(field)]

    def table(self, field: int) -> dict[str, str]:
        """Return a map from text to text."""
        return {entry.text(1): entry.text(2) for entry in self.messages(field)}

    def nanoseconds(self, field: int) -> int:
        """Return a ``google.protobuf.Timestamp`` in ns since the epoch; 0 where there is none."""
        moment = self.message(field)
        return max(moment.signed(1) * 1_000_000_000 + moment.signed(2), 0)  # seconds, nanos

    def _all(self, field: int) -> Iterator[bytes]:
        return (one for one in self._fields.get(field, ()) if isinstance(one, bytes))


def write(fields: Iterable[tuple[int, Value]]) -> bytes:
    """Return a message of numbers (not negative), texts and bytes, which may be messages."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += _varint(number << 3 | _VARINT) + _varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | _LENGTH) + _varint(len(data)) + data
    return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= _HIGH_BIT:
        out.append(value & 0x7F | _HIGH_BIT)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position, end = 0, len(data)
    for _ in range(MAXIMUM_FIELDS):
        if position >= end:
            return
        key, position = _read_varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _read_varint(data, position)
            yield key >> 3, value
            continue
        if kind == _LENGTH:
            size, position = _read_varint(data, position)
        elif kind in {_FIXED32, _FIXED64}:
            size = 4 if kind == _FIXED32 else 8
        else:
            raise BrokenMessageError(f"a field is of the kind {kind}, which there is not")
        if position + size > end:
            raise BrokenMessageError("a field is longer than its message")
        yield key >> 3, data[position : position + size]
        position += size
    if position < end:
        raise BrokenMessageError(f"it has more than {MAXIMUM_FIELDS} fields")


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[position : position + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * place
        if byte < _HIGH_BIT:
            return value & 0xFFFFFFFFFFFFFFFF, position + place + 1
    raise BrokenMessageError("a number has no end")
