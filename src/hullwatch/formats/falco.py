"""Alerts as Falco's JSON, one object a line, so that what reads Falco's alerts reads Hullwatch's."""

from __future__ import annotations

import functools
import re
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.alerts.alert import in_order
from hullwatch.formats.escape import escape_json

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert

_SURROGATES = re.compile("[\ud800-\udfff]")
_DELETE = 0x7F
_TIME, _TIME_TEXT = msgspec.Raw(b"\0"), msgspec.Raw(b'"\0"')  # no JSON has this character but where we put it
_WITHOUT_TIME_FIELD = 3  # pieces
_SECOND = 1_000_000_000  # ns


def falco(alert: Alert) -> bytes:
    """Return an alert as one line of JSON in UTF-8, without the newline.

    The keys are Falco 0.44's, sorted: hostname, output, output_fields, priority, rule, source, tags,
    time; and three that Falco does not have, only when there are any: ``labels``, ``evidence``, the
    earlier events that a rule with state alerts for, oldest first, each an object of fields as in
    ``output_fields``, and ``capture``, the path of the capture that the alert is saved in.
    ``time`` is UTC with nine digits and Z. ``output`` is the whole line as Falco prints
    it: local time, priority, message. ``output_fields`` has ``evt.time`` (ns since the epoch) in any case,
    and ``hullwatch.metadata`` (``late`` or ``missing``) when the container's metadata was not there in time,
    and ``evt.notes`` when the sensor could not tell all: a cut text, a path outside of the process's root, ....
    """
    reused = alert.reused
    pieces = reused.falco if reused is not None else None
    if pieces is None:
        pieces = _pieces(alert)
        if reused is not None:
            reused.falco = pieces
    local, universal = times(alert.time)
    if len(pieces) == _WITHOUT_TIME_FIELD:
        begin, middle, end = pieces
        return f"{begin}{local}{middle}{universal}{end}".encode()
    begin, middle, after, end = pieces
    return f"{begin}{local}{middle}{alert.time}{after}{universal}{end}".encode()


def _pieces(alert: Alert) -> list[str]:
    """Return the line without its times, split where they belong: local, as a number unless the rule gives it, UTC."""
    fields = alert.output_fields.copy()
    fields.setdefault("evt.time", _TIME)
    document: dict[str, Any] = {
        "hostname": alert.hostname,
        "output": f"{alert.priority} {alert.message}",
        "output_fields": fields,
        "priority": alert.priority,
        "rule": alert.rule,
        "source": alert.source,
        "tags": in_order(alert.tags),
        "time": _TIME_TEXT,
    }
    if alert.labels:
        document["labels"] = alert.labels
    if alert.evidence:
        document["evidence"] = alert.evidence
    if alert.capture:
        document["capture"] = alert.capture
    try:
        return _encoded(document)
    except UnicodeEncodeError:  # a text with half of a surrogate pair, where Falco writes U+FFFD
        return _encoded(_valid(document))


def _encoded(document: dict[str, Any]) -> list[str]:
    output = msgspec.Raw(b'"\0: ' + _ENCODER.encode(document["output"])[1:])
    data = _ENCODER.encode(document | {"output": output})
    pieces = data.decode().split("\0")
    if data.isascii() and _DELETE not in data:  # all other control characters are escaped in any JSON
        return pieces
    return [escape_json(piece) for piece in pieces]


def second(nanoseconds: int) -> str:
    """Return ns since the epoch as date and time in UTC, for people: ``2026-11-21 23:40:05``."""
    return times(nanoseconds)[1][:19].replace("T", " ")


def times(nanoseconds: int) -> tuple[str, str]:
    """Return ns since the epoch as Falco's ``evt.time`` in local time, and as date and time in UTC.

    They look like ``23:40:05.123456789`` and ``2026-11-21T23:40:05.123456789Z``.
    """
    seconds, rest = divmod(nanoseconds, _SECOND)
    local, universal = _second(seconds, time.timezone)
    digits = str(rest).zfill(9)
    return f"{local}.{digits}", f"{universal}.{digits}Z"


@functools.lru_cache(maxsize=16)
def _second(seconds: int, _zone: int) -> tuple[str, str]:
    """Return a second's part of both times: many alerts share it, as long as the time zone is the same."""
    local, universal = time.localtime(seconds), time.gmtime(seconds)
    return time.strftime("%H:%M:%S", local), time.strftime("%Y-%m-%dT%H:%M:%S", universal)


def _other(value: object) -> str:
    """Give a value of a type that JSON does not have as text."""
    return _SURROGATES.sub("\ufffd", str(value))


_ENCODER = msgspec.json.Encoder(enc_hook=_other, order="sorted")


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value)
        return {_valid(key): _valid(item) for key, item in items.items()}
    if isinstance(value, (list, tuple)):
        return [_valid(item) for item in cast("list[Any]", value)]
    return value
