"""Files of events of the Kubernetes API: one JSON value a line, or one value in all; plain or compressed with gzip.

A value is an event of ``audit.k8s.io``, an ``EventList``, or a list of either. Files come from outside: what is no
event is counted by its reason and left out.
"""

from __future__ import annotations

import io
import re
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec

from hullwatch.sources.unpacking import GZIP_MAGIC, GzipStream, TooMuchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_LINE = 32 << 20  # bytes
LARGEST_VALUE = 256 << 20  # bytes of a value on several lines
MOST_WRAPPED = 4  # lists in lists

NOT_JSON = "not JSON"
KLOG = "a component's own log line (klog)"
TRUNCATED = "truncated by its carrier"
NO_EVENT = "JSON, but no event that is known"
NO_TIME = "an event without stageTimestamp"
TOO_LARGE = "too large"
DAMAGED = "damaged gzip"

_KLOG = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d\d")
_CUT = b"[Truncated...]"  # what CloudWatch Logs puts at the end of what is too long
_DECODER = msgspec.json.Decoder()

Audit = dict[str, Any]


def audit_events(stream: BinaryIO, leave_out: Callable[[str], None]) -> Iterator[Audit]:
    """Yield the events of a stream, which is read as they are asked for.

    Args:
        stream: of bytes.
        leave_out: is called with the reason for each value that is no event.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", stream))
    try:
        packed = buffered.peek(2).startswith(GZIP_MAGIC)
        source: io.BufferedIOBase = io.BufferedReader(GzipStream(buffered)) if packed else buffered
        first = source.readline(LONGEST_LINE + 1)
        if _goes_on(first):
            first += source.read(LARGEST_VALUE)
            if not _is_json(first):  # many lines, of which the first is broken
                source = io.BufferedReader(cast("io.RawIOBase", io.BytesIO(first + source.read(LARGEST_VALUE))))
                first = source.readline(LONGEST_LINE + 1)
        while first:
            if len(first) > LONGEST_LINE and not first.endswith(b"\n") and not _is_json(first):
                _skip_line(source)
                leave_out(TOO_LARGE)
            elif not first.isspace():
                yield from _events_of(first, leave_out)
            first = source.readline(LONGEST_LINE + 1)
    except (EOFError, zlib.error, TooMuchError):
        leave_out(DAMAGED)
    finally:
        buffered.detach()  # the stream is its owner's to close


def _goes_on(line: bytes) -> bool:
    """Tell whether a value begins on a first line that does not end there."""
    return line.lstrip()[:1] in {b"[", b"{"} and not _is_json(line)


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _skip_line(source: io.BufferedIOBase) -> None:
    while (data := source.readline(1 << 16)) and not data.endswith(b"\n"):
        pass


def _events_of(data: bytes, leave_out: Callable[[str], None]) -> Iterator[Audit]:
    try:
        value = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        leave_out(_reason(data))
        return
    if value.__class__ is dict and value.get("kind") == "Event" and "stageTimestamp" in value:
        yield value
    else:
        yield from events_in(value, leave_out)


def events_in(value: Any, leave_out: Callable[[str], None], depth: int = 0) -> Iterator[Audit]:
    """Yield the events that a decoded value is or holds."""
    if value.__class__ is list and depth < MOST_WRAPPED:
        for one in value:
            yield from events_in(one, leave_out, depth + 1)
    elif value.__class__ is not dict:
        leave_out(NO_EVENT)
    elif value.get("kind") == "EventList" and value.get("items").__class__ is list and depth < MOST_WRAPPED:
        yield from events_in(value["items"], leave_out, depth + 1)
    elif "stageTimestamp" in value:
        yield value
    else:
        is_event = value.get("kind") == "Event" and ("auditID" in value or "verb" in value)
        leave_out(NO_TIME if is_event else NO_EVENT)


def _reason(data: bytes) -> str:
    """Return why a line is no JSON."""
    if _KLOG.match(data.lstrip()):
        return KLOG
    end = data.rstrip()
    if end.endswith(_CUT) or (end.startswith(b"{") and not end.endswith(b"}")):
        return TRUNCATED
    return NOT_JSON
