"""Alerts as Falco's JSON, one object a line, so that what reads Falco's alerts reads Hullwatch's."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.formats.escape import escape_json

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert

_SURROGATES = re.compile("[\ud800-\udfff]")
_SECOND = 1_000_000_000  # ns


def falco(alert: Alert) -> str:
    """Return an alert as one line of JSON, without the newline.

    The keys are Falco 0.44's, sorted: hostname, output, output_fields, priority, rule, source, tags,
    time; and ``labels``, which Falco does not have, only when labels were given. ``time`` is UTC with
    nine digits and Z. ``output`` is the whole line as Falco prints it: local time, priority, message.
    ``output_fields`` has ``evt.time`` (ns since the epoch) in any case, and ``hullwatch.metadata``
    (``late`` or ``missing``) when the container's metadata was not there in time.
    """
    document: dict[str, Any] = {
        "hostname": alert.hostname,
        "output": f"{local_time(alert.time)}: {alert.priority} {alert.message}",
        "output_fields": {"evt.time": alert.time, **alert.output_fields},
        "priority": alert.priority,
        "rule": alert.rule,
        "source": alert.source,
        "tags": sorted(alert.tags),
        "time": utc_time(alert.time),
    }
    if alert.labels:
        document["labels"] = alert.labels
    try:
        data = _ENCODER.encode(document)
    except UnicodeEncodeError:  # a text with half of a surrogate pair, where Falco writes U+FFFD
        data = _ENCODER.encode(_valid(document))
    return escape_json(data.decode())


def utc_time(nanoseconds: int) -> str:
    """Return ``2026-11-21T23:40:05.123456789Z`` of ns since the epoch."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def local_time(nanoseconds: int) -> str:
    """Return ``23:40:05.123456789`` in local time, as Falco's ``evt.time``."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest:09d}"


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
