"""Alerts as CloudEvents in the structured mode: an envelope that routers understand around the alert's own JSON.

Source: CloudEvents version 1.0.2 and its JSON event format. The names of extensions are small letters only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from hullwatch.formats.document import clean, line
from hullwatch.formats.facts import alert_id
from hullwatch.formats.falco import times
from hullwatch.formats.registry import FORMATS, Format
from hullwatch.formats.whole import whole

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement

TYPE = "hullwatch.alert.v1"
CONTENT_TYPE = "application/cloudevents+json"


def cloudevents(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line of JSON: a CloudEvent whose data is the format ``json``."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": alert_id(alert),
        "source": "/hullwatch/" + quote(clean(alert.hostname, 255), safe=""),
        "type": TYPE,
        "time": times(alert.time)[1],
        "subject": clean(alert.container_id, 128) or "host",
        "datacontenttype": "application/json",
        "priority": clean(alert.priority, 32),
        "rule": clean(alert.rule, 512),
    }
    if placement is not None:
        attributes["issue"] = placement.issue.id
    if placement is not None and placement.incident is not None:
        attributes["incident"] = placement.incident.id
    empty = [name for name, value in attributes.items() if value == ""]  # the specification has no empty attributes
    for name in empty:
        del attributes[name]
    attributes["data"] = msgspec.Raw(whole(alert, placement))
    return line(attributes)


FORMATS.register("cloudevents")(
    Format(
        write=cloudevents,
        content_type=CONTENT_TYPE,
        about="CloudEvents 1.0 in the structured mode, for Knative, Argo Events, EventBridge and other routers.",
        source="CloudEvents 1.0.2, JSON event format",
    )
)
