"""The steps of an incident in their order, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.alerts.mask import CUT
from hullwatch.config.values import format_duration
from hullwatch.formats import moment
from hullwatch.formats.process_tree import shown
from hullwatch.formats.text import evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident
    from hullwatch.formats.paint import Paint

LONGEST_VALUE = 100  # characters of a field in a message: one long command line does not push the others out
_LONGEST_MESSAGE = 600  # characters
_LONGEST_LINE = 240
_LONGEST_NAME = 80
_SECOND = 1_000_000_000  # ns
_EXACT = 10  # seconds; longer times are told without their parts


def timeline(incident: Incident, alerts: Sequence[Alert], paint: Paint) -> Iterator[str]:
    """Yield the lines of an incident's steps, oldest first, in local time."""
    by_id = {alert.id: alert for alert in alerts if alert.id}
    for number, step in enumerate(incident.steps, 1):
        when = paint.quiet(moment.exact(step.at))
        priority = paint.priority(step.priority, f"{shown(step.priority, _LONGEST_NAME):<13}")
        yield f"  {number:>2}. {when}  {priority} {paint.head(shown(step.rule, _LONGEST_NAME))}"
        alert = by_id.get(step.alert)
        yield from paint.said(shown(_brief(alert) if alert is not None else step.title, _LONGEST_MESSAGE))
        for before in evidence(alert) if alert is not None else ():
            yield from map(paint.quiet, paint.said(shown(before, _LONGEST_LINE)))
        if step.count > 1:
            yield f"      {step.count:,} times, the last {span((step.last - step.at) / _SECOND)} later"
        if step.why:
            yield from map(paint.quiet, paint.said(f"belongs here: {shown(step.why, _LONGEST_LINE)}"))
    if incident.steps_left_out:
        yield f"      and {incident.steps_left_out:,} more kinds of alerts, which are not listed"


def _brief(alert: Alert) -> str:
    """Return what an alert says with its long values cut, each where it stands: those behind them are seen then."""
    message = alert.message
    values = {value for value in alert.output_fields.values() if isinstance(value, str) and len(value) > LONGEST_VALUE}
    for value in sorted(values, key=len, reverse=True):
        message = message.replace(value, value[:LONGEST_VALUE] + CUT)
    return message


def span(seconds: float) -> str:
    """Return how long something took, for people."""
    return format_duration(round(seconds, 3) if seconds < _EXACT else round(seconds))
