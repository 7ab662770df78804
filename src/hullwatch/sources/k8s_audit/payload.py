"""Bytes to JSON values: compressed or not, one value, one a line, or one behind the other."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.k8s_audit.counts import DAMAGED, KLOG, NOT_JSON, TOO_LARGE
from hullwatch.sources.unpacking import GZIP_MAGIC, TooMuchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.sources.k8s_audit.counts import IntakeCounts

LARGEST = 64 << 20  # bytes that one document may become
LONGEST_PREFIX = 120  # characters of a time and a stream in front of an event
_GZIP = 31  # zlib's word for it
_DECODER = msgspec.json.Decoder()
_KLOG = re.compile(rb"^[IWEF]\d{4} \d\d:\d\d:\d\d")
_TRUNCATED = b"[Truncated...]"  # what CloudWatch Logs puts at the end of what is too long
_AUDIT_ID = re.compile(rb'\\?"auditID\\?":\s*\\?"([0-9A-Za-z-]{1,64})')


def unpack(data: bytes, largest: int = LARGEST) -> bytes | None:
    """Return what is compressed with gzip, of one member or several; None when it is damaged.

    Raises:
        TooMuchError: when it becomes more than ``largest`` bytes.
    """
    parts: list[bytes] = []
    room = largest
    while data:
        unpacker = zlib.decompressobj(_GZIP)
        try:
            part = unpacker.decompress(data, room + 1)
        except zlib.error:
            return None
        room -= len(part)
        if room < 0:
            raise TooMuchError(f"it unpacks to more than {largest} bytes")
        if not unpacker.eof:
            return None
        parts.append(part)
        data = unpacker.unused_data.lstrip(b"\0")
    return b"".join(parts)


def from_base64(data: str, counts: IntakeCounts) -> bytes:
    """Return the bytes of a text in base64, unpacked if they are compressed; nothing, and counted, when damaged."""
    try:
        found: bytes | None = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        found = None
    if found is None:
        counts.leave_out(DAMAGED)
        return b""
    return _unpacked(found, counts)


def _unpacked(data: bytes, counts: IntakeCounts) -> bytes:
    """Return data, unpacked if it is compressed; nothing, and counted, when that cannot be done."""
    if not data.startswith(GZIP_MAGIC):
        return data
    most = min(LARGEST, counts.room)
    try:
        found = unpack(data, most)
    except TooMuchError:
        counts.room -= most
        counts.leave_out(TOO_LARGE)
        return b""
    if found is None:
        counts.leave_out(DAMAGED)
        return b""
    counts.room -= len(found)
    return found


def values(data: bytes, counts: IntakeCounts) -> Iterator[object]:
    """Yield the JSON values of a document; what is none is counted.

    Args:
        data: one value; or one a line, each perhaps with a time in front; or several without anything between.
        counts: gets what is left out.
    """
    data = _unpacked(data, counts)
    if not data:
        return
    if len(data) > LARGEST:
        counts.leave_out(TOO_LARGE)
        return
    try:
        yield _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lines = data.split(b"\n") if b"\n" in data else [data]
        for line in lines:
            if line.strip():
                yield from _of_line(line.strip(), counts)


def _of_line(line: bytes, counts: IntakeCounts) -> Iterator[object]:
    if not line.startswith((b"{", b"[")):
        begin = line.find(b"{", 0, LONGEST_PREFIX)
        if begin < 0 or _KLOG.match(line):
            counts.leave_out(KLOG if _KLOG.match(line) else NOT_JSON)
            return
        line = line[begin:]
    try:
        yield _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield from _one_behind_the_other(line, counts)


def _one_behind_the_other(line: bytes, counts: IntakeCounts) -> Iterator[object]:
    """Yield values that stand without anything between them, as Firehose puts them in files."""
    if line.rstrip(b'"}\\ \r').endswith(_TRUNCATED) or (line.startswith(b"{") and not line.endswith(b"}")):
        note_truncated(line, counts)
        return
    decoder, rest = json.JSONDecoder(), line.decode("utf-8", "replace")
    if "}{" not in rest and "} {" not in rest:
        counts.leave_out(NOT_JSON)
        return
    at = 0
    while at < len(rest):
        try:
            value, at = decoder.raw_decode(rest, at)
        except (ValueError, RecursionError):
            counts.leave_out(NOT_JSON)
            return
        yield value
        while at < len(rest) and rest[at].isspace():
            at += 1


def is_truncated(message: str) -> bool:
    """Tell whether the carrier has cut the end of a message off."""
    return message.endswith(_TRUNCATED.decode())


def note_truncated(message: bytes, counts: IntakeCounts) -> None:
    """Count a message of which the end is missing, by the id of its event if that can be read."""
    found = _AUDIT_ID.search(message)
    counts.truncate(found[1].decode() if found else "")
