"""The formats of alerts that standard output has too: Falco's JSON, and a line for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from hullwatch.formats.document import LONGEST_TEXT, clean
from hullwatch.formats.escape import escape
from hullwatch.formats.falco import falco
from hullwatch.formats.registry import FORMATS, JSON, PLAIN, Format
from hullwatch.formats.text import text

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Placement


def falco_line(alert: Alert, _: Placement | None = None) -> bytes:
    """Return an alert as Falco's JSON, one line."""
    return falco(alert)


def text_line(alert: Alert, placement: Placement | None = None) -> bytes:
    """Return an alert as one line for people, and the ids to ask for it with."""
    ids: list[str] = []
    if placement is not None:
        ids.append(f"issue {placement.issue.id}, {placement.issue.count} times")
        if placement.incident is not None:
            ids.append(f"incident {placement.incident.id}")
    ending = f" [{escape('; '.join(ids))}]" if ids else ""
    return (clean(text(_shorter(alert)), LONGEST_TEXT) + ending).encode()


def _shorter(alert: Alert) -> Alert:
    """Return an alert whose longest texts are cut before work is spent on them."""
    if len(alert.message) + len(alert.rule) + len(alert.capture) <= LONGEST_TEXT and not alert.labels:
        return alert
    labels = {clean(key, 128): clean(value, 512) for key, value in alert.labels.items()}
    return replace(
        alert, message=clean(alert.message), rule=clean(alert.rule), capture=clean(alert.capture), labels=labels
    )


FORMATS.register("falco")(
    Format(
        write=falco_line,
        content_type=JSON,
        about="Falco's JSON with exactly its keys (and labels, evidence, capture), for what reads Falco's alerts.",
        source="Falco 0.44, json_output",
    )
)
FORMATS.register("text")(
    Format(
        write=text_line,
        content_type=PLAIN,
        about="One line for people: time, priority, rule, place, message.",
        source="Hullwatch",
    )
)
