"""Prometheus' Alertmanager, by its API v2."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from hullwatch.alerts.mask import valid_text
from hullwatch.config.settings import Duration
from hullwatch.errors import UsageError
from hullwatch.formats.escape import escape
from hullwatch.formats.falco import times
from hullwatch.outputs.output import Output, Url, described, output
from hullwatch.outputs.tls import TlsOptions, tls_context
from hullwatch.outputs.web import WebClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

API = "api/v2/alerts"
# Alertmanager's routes know these three by custom.
SEVERITIES = {"Emergency": "critical", "Alert": "critical", "Critical": "critical", "Error": "critical"} | {
    "Warning": "warning",
    "Notice": "info",
    "Informational": "info",
    "Debug": "info",
}
_LONGEST_LABEL = 256  # characters
_LONGEST_ANNOTATION = 4096
_NOT_LABEL = re.compile(r"[^A-Za-z0-9_]")


class AlertmanagerOptions(TlsOptions, kw_only=True, frozen=True, tag="alertmanager"):
    """What can be set for Alertmanager."""

    url: Annotated[Url, described("Where it is: http://HOST:9093/ as a rule, with its prefix if it has one.")]
    fields: Annotated[
        tuple[str, ...],
        msgspec.Meta(max_length=32),
        described("Output fields that become labels too; alerts that differ in a label are different ones there."),
    ] = ("k8s.ns.name",)
    resolve_after: Annotated[
        Duration, described("When Alertmanager takes it for solved, if the same does not happen again.")
    ] = 3600.0


@output(AlertmanagerOptions)
class Alertmanager(Output):
    """Prometheus' Alertmanager: groups, silences and routes; the same issue again is the same alert there."""

    def __init__(self, options: AlertmanagerOptions, context: Context) -> None:
        """Connect to nothing yet.

        Raises:
            UsageError: the URL is wrong.
            CannotError: a file for TLS cannot be used.
        """
        self._options = options
        tls = tls_context(options, context) if options.url.startswith("https:") else None
        base = options.url if options.url.rstrip("/").endswith(API) else f"{options.url.rstrip('/')}/{API}"
        try:
            self._client = WebClient(base, options.timeout, tls, options.server_name)
        except UsageError as error:
            raise UsageError(f"outputs.{context.name}: url: {error}") from error

    def send(self, batch: Sequence[Message]) -> None:
        """Send all alerts of a batch in one request."""
        body = b"[" + b",".join(self.preview(message) for message in batch) + b"]"
        self.answer = str(self._client.post(body, {"Content-Type": "application/json"}))

    def preview(self, message: Message) -> bytes:
        """Return an alert as the API takes it."""
        alert, placement = message.alert, message.placement
        labels = {_label_name(name): text for name, text in alert.labels.items()}
        for name in self._options.fields:
            value = alert.output_fields.get(name)
            if value is not None:
                labels[_label_name(name)] = str(value)
        labels |= {
            "alertname": alert.rule,
            "severity": SEVERITIES.get(alert.priority, "critical"),
            "priority": alert.priority,
            "source": alert.source,
            "hostname": alert.hostname,
            "image": alert.container_image,
        }
        annotations = {
            "summary": alert.message,
            "time": times(alert.time)[1],
            "tags": ",".join(alert.tags),
            "container": f"{alert.container_name} {alert.container_id}".strip(),
            "process": alert.process,
            "hullwatch_id": message.id,
        }
        if placement is not None:
            labels |= {"issue": placement.issue.id, "workload": placement.issue.workload}
            annotations |= {"title": placement.issue.title, "count": str(placement.issue.count)}
            if placement.incident is not None:
                annotations |= {"incident": placement.incident.id}
        document: dict[str, Any] = {
            "labels": _texts(labels, _LONGEST_LABEL),
            "annotations": _texts(annotations, _LONGEST_ANNOTATION),
            "startsAt": _moment(alert.time),
            "endsAt": _moment(time.time_ns() + int(self._options.resolve_after * 1e9)),
        }
        return msgspec.json.encode(document)

    def close(self) -> None:
        """End the connection."""
        self._client.close()


def _label_name(name: str) -> str:
    safe = _NOT_LABEL.sub("_", name)[:63]
    return safe if safe[:1].isalpha() or safe[:1] == "_" else f"_{safe}"


def _texts(values: dict[str, str], longest: int) -> dict[str, str]:
    """Return what has a value, as one line of text that is safe to show."""
    return {name: escape(valid_text(text[:longest])) for name, text in values.items() if text}


def _moment(nanoseconds: int) -> str:
    return times(nanoseconds)[1]
