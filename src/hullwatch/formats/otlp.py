"""Alerts as log records of OpenTelemetry, as JSON and as the bytes of Protocol Buffers.

Sources: the OpenTelemetry logs data model, the definitions ``opentelemetry/proto/{logs,common,resource}/v1`` and
``collector/logs/v1`` of OTLP 1.7 with its JSON encoding, and the semantic conventions for the attributes' names.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch import __version__
from hullwatch.formats.attack import attack
from hullwatch.formats.document import MOST_LISTED, clean, line
from hullwatch.formats.facts import alert_id, facts
from hullwatch.formats.mapping import place, severity
from hullwatch.formats.registry import FORMATS, JSON, Format
from hullwatch.sources.protobuf import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement

Value = str | int | bool | list[str]
EVENT_NAME = "hullwatch.alert"
_FIXED64 = 1  # the wire type of eight bytes
_TIME, _OBSERVED = 1, 11  # numbers of the fields that are written so


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A log record of OpenTelemetry's data model.

    Attributes:
        time: of the event, ns since the epoch.
        severity: OpenTelemetry's severity number, 1 to 24.
        severity_text: Falco's long name of the priority.
        body: the alert's message.
        attributes: by the names of the semantic conventions; ours begin with ``hullwatch.``.
        hostname: where it happened: the record's resource.
    """

    time: int
    severity: int
    severity_text: str
    body: str
    attributes: dict[str, Value]
    hostname: str


def log_record(alert: Alert, placement: Placement | None = None) -> LogRecord:
    """Return an alert as a log record."""
    placed, left = place(facts(alert), "otlp")
    if "container.image.name" in placed:
        left.pop("container.image", None)
    named = attack(alert.tags)
    attributes: dict[str, Value] = {
        "security_rule.name": clean(alert.rule, 512),
        "hullwatch.alert.id": alert_id(alert),
        "hullwatch.source": clean(alert.source, 128),
        **placed,
    }
    if alert.tags:
        attributes["hullwatch.tags"] = [clean(tag, 128) for tag in alert.tags[:MOST_LISTED]]
    techniques = [one.sub_id or one.id for one in named.techniques]
    if techniques:
        attributes["hullwatch.mitre.techniques"] = techniques
    if placement is not None:
        attributes["hullwatch.issue.id"] = placement.issue.id
        attributes["hullwatch.issue.count"] = placement.issue.count
    if placement is not None and placement.incident is not None:
        attributes["hullwatch.incident.id"] = placement.incident.id
        attributes["hullwatch.incident.score"] = placement.incident.score
    attributes |= {f"hullwatch.label.{clean(key, 128)}": clean(value, 512) for key, value in alert.labels.items()}
    attributes |= {f"hullwatch.field.{clean(field, 128)}": clean(value, 4096) for field, value in left.items()}
    if alert.capture:
        attributes["hullwatch.capture"] = clean(alert.capture)
    return LogRecord(
        time=alert.time,
        severity=severity(alert.priority).otlp,
        severity_text=clean(alert.priority, 32),
        body=clean(alert.message),
        attributes=attributes,
        hostname=clean(alert.hostname, 255),
    )


def export_json(records: Sequence[LogRecord], observed: int) -> bytes:
    """Return the request that delivers records, as one line of JSON; ``observed`` is the time, ns since the epoch."""
    groups = [
        {
            "resource": {"attributes": _json_attributes(_resource(hostname))},
            "scopeLogs": [
                {
                    "scope": {"name": "hullwatch", "version": __version__},
                    "logRecords": [_json_record(record, observed) for record in group],
                }
            ],
        }
        for hostname, group in _by_host(records).items()
    ]
    return line({"resourceLogs": groups})


def export_protobuf(records: Sequence[LogRecord], observed: int) -> bytes:
    """Return the request that delivers records, as Protocol Buffers; ``observed`` is the time, ns since the epoch."""
    scope = write([(1, "hullwatch"), (2, __version__)])
    groups: list[tuple[int, bytes]] = []
    for hostname, group in _by_host(records).items():
        resource = write((1, _key_value(key, value)) for key, value in _resource(hostname).items())
        scope_logs = write([(1, scope), *((2, _record(record, observed)) for record in group)])
        groups.append((1, write([(1, resource), (2, scope_logs)])))
    return write(groups)


def otlp(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line of JSON: a request to export one log record."""
    return export_json([log_record(alert, placement)], alert.time)


def now() -> int:
    """Return the time that records are observed at, ns since the epoch."""
    return time.time_ns()


def _by_host(records: Iterable[LogRecord]) -> dict[str, list[LogRecord]]:
    groups: dict[str, list[LogRecord]] = {}
    for record in records:
        groups.setdefault(record.hostname, []).append(record)
    return groups


def _resource(hostname: str) -> dict[str, Value]:
    resource: dict[str, Value] = {"service.name": "hullwatch", "service.version": __version__}
    return resource | {"host.name": hostname} if hostname else resource


def _json_record(record: LogRecord, observed: int) -> dict[str, Any]:
    return {
        "timeUnixNano": str(record.time),  # the encoding has numbers of 64 bits as text
        "observedTimeUnixNano": str(observed),
        "severityNumber": record.severity,
        "severityText": record.severity_text,
        "body": {"stringValue": record.body},
        "attributes": _json_attributes(record.attributes),
        "eventName": EVENT_NAME,
    }


def _json_attributes(attributes: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _json_value(value)} for key, value in attributes.items()]


def _json_value(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [{"stringValue": item} for item in value]}}
    return {"stringValue": value}


def _record(record: LogRecord, observed: int) -> bytes:
    """Return a ``LogRecord``: time 1, severity 2 and 3, body 5, attributes 6, observed time 11, event name 12."""
    fields: list[tuple[int, int | str | bytes]] = [
        (2, record.severity),
        (3, record.severity_text),
        (5, write([(1, record.body)])),
        *((6, _key_value(key, value)) for key, value in record.attributes.items()),
        (12, EVENT_NAME),
    ]
    return _fixed64(_TIME, record.time) + write(fields) + _fixed64(_OBSERVED, observed)


def _fixed64(field: int, value: int) -> bytes:
    return bytes([field << 3 | _FIXED64]) + struct.pack("<Q", value)


def _key_value(key: str, value: Value) -> bytes:
    return write([(1, key), (2, _any_value(value))])


def _any_value(value: Value) -> bytes:
    """Return an ``AnyValue``: text 1, truth 2, whole number 3 (64 bits, two's complement), list 5."""
    if isinstance(value, bool):
        return write([(2, int(value))])
    if isinstance(value, int):
        return write([(3, value & 0xFFFFFFFFFFFFFFFF)])
    if isinstance(value, list):
        return write([(5, write((1, write([(1, item)])) for item in value))])
    return write([(1, value)])


FORMATS.register("otlp")(
    Format(
        write=otlp,
        content_type=JSON,
        about="A log record of OpenTelemetry in OTLP's JSON, for collectors.",
        source="OpenTelemetry OTLP 1.7, logs data model, semantic conventions",
    )
)
