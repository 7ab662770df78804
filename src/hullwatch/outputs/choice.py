"""Which alerts an output is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.alerts.condition import AlertCondition
from hullwatch.config.values import PRIORITIES

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Placement
    from hullwatch.outputs.output import Kind, OutputOptions

PLACES = {name: place for place, name in enumerate(PRIORITIES)}
"""Of priorities in Falco's list, the most severe first."""


class Choice:
    """The part of an output's options that says what it is told of."""

    def __init__(self, options: OutputOptions) -> None:
        """Compile the condition.

        Raises:
            UsageError: when it is wrong.
        """
        self._enabled = options.enabled
        self._when: Kind = options.when
        self._least = PLACES[options.priority]
        self._muted = options.muted
        self._condition = AlertCondition(options.condition) if options.condition else None

    def kind(self, alert: Alert, placement: Placement | None) -> Kind | None:
        """Return why the output is told of an alert; None when it is not."""
        if not self._enabled or PLACES.get(alert.priority, 0) > self._least:
            return None
        if placement is not None and placement.muted and not self._muted:
            return None
        if self._when != "alert" and not _is_news(self._when, placement):
            return None
        if self._condition is not None and not self._condition(alert):
            return None
        return self._when


def _is_news(when: Kind, placement: Placement | None) -> bool:
    if placement is None:
        return True  # nobody could say whether it is one; better told once too often
    if when == "issue":
        return placement.is_new or placement.regressed
    incident = placement.incident
    return incident is not None and (placement.opened or has_grown(incident, placement.alert))


def has_grown(incident: Incident, alert: str) -> bool:
    """Tell whether an alert was the first of its issue in an incident; its id is what the step has then."""
    return any(step.alert == alert for step in reversed(incident.steps))
