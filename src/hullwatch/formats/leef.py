"""Alerts in the Log Event Extended Format, one line each.

Source: "IBM Security QRadar Log Event Extended Format (LEEF)", LEEF:2.0 with the tab between attributes. The format
has no way to escape: what would end a value or the line is written out, as in every other format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch import __version__
from hullwatch.formats.attack import attack
from hullwatch.formats.cef import rule_id
from hullwatch.formats.document import clean
from hullwatch.formats.escape import escape
from hullwatch.formats.facts import alert_id, facts
from hullwatch.formats.falco import times
from hullwatch.formats.mapping import place, severity
from hullwatch.formats.registry import FORMATS, PLAIN, Format

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement

LONGEST = 4096  # characters of a value
_TIME_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSS'Z'"


def leef(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line of LEEF."""
    placed, _ = place(facts(alert), "leef")
    values: dict[str, object] = {
        "cat": ",".join(name for _, name in attack(alert.tags).tactics) or alert.source,
        "sev": severity(alert.priority).leef,
        "devTime": times(alert.time)[1],
        "devTimeFormat": _TIME_FORMAT,
        "identHostName": alert.hostname,
        "rule": alert.rule,
        "priority": alert.priority,
        "alertId": alert_id(alert),
        "msg": alert.message,
        **placed,
    }
    if placement is not None:
        values["issue"] = placement.issue.id
    if placement is not None and placement.incident is not None:
        values["incident"] = placement.incident.id
    pairs = ((key, clean(value, LONGEST)) for key, value in values.items())
    attributes = "\t".join(f"{key}={escape(text)}" for key, text in pairs if text)
    return f"LEEF:2.0|Hullwatch|Hullwatch|{__version__}|{rule_id(alert.rule)}|x09|{attributes}".encode()


FORMATS.register("leef")(
    Format(
        write=leef,
        content_type=PLAIN,
        about="Log Event Extended Format, for IBM QRadar.",
        source="IBM Log Event Extended Format (LEEF) 2.0",
    )
)
