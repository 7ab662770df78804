"""Alerts that were too little to open an incident, kept for a while: an incident that opens later takes them in."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hullwatch.alerts.belonging import LOOKED_BACK, step_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Step
    from hullwatch.alerts.issue import Issue

MOST_PLACES = 10_000  # containers and trees
MOST_OF_A_PLACE = 16  # issues
MOST_ALERTS = 50  # of an issue; those that come then stay outside


class Loose:
    """Alerts of one issue at one place.

    Attributes:
        keys: that they have.
        alerts: their ids.
    """

    __slots__ = ("_last", "_step", "alerts", "keys")

    def __init__(self, step: Step, keys: Sequence[str]) -> None:
        """Begin with one alert."""
        self._step = step
        self._last = step.at
        self.keys = keys
        self.alerts = [step.alert]

    @property
    def step(self) -> Step:
        """The step that they are."""
        return replace(self._step, count=len(self.alerts), last=self._last)

    def takes(self, time: int, window: int) -> bool:
        """Tell whether an alert of a time is one more of them."""
        return time <= self._step.at + window

    def count(self, alert: Alert) -> None:
        """Take one more, if there is room."""
        if len(self.alerts) < MOST_ALERTS:
            self.alerts.append(alert.id)
            self._last = max(self._last, alert.time)


class LooseAlerts:
    """The last of them, by where they were: the container, or on the host the process tree."""

    def __init__(self) -> None:
        """Start without any."""
        self._places: OrderedDict[tuple[str, str], dict[str, Loose]] = OrderedDict()

    def add(self, alert: Alert, issue: Issue, keys: Sequence[str], window: int) -> None:
        """Remember an alert.

        Args:
            alert: that opened nothing.
            issue: that it is one more of.
            keys: that it has.
            window: ns; what is older counts no more.
        """
        place = _place(alert.hostname, keys)
        if place is None:
            return
        known = self._places.get(place)
        if known is None:
            known = self._places[place] = {}
            if len(self._places) > MOST_PLACES:
                self._places.popitem(last=False)
        else:
            self._places.move_to_end(place)
        loose = known.get(issue.id)
        if loose is not None and loose.takes(alert.time, window):
            loose.count(alert)
            return
        known.pop(issue.id, None)
        if len(known) >= MOST_OF_A_PLACE:
            del known[next(iter(known))]
        known[issue.id] = Loose(step_of(alert, issue), keys)

    def take(self, hostname: str, keys: Sequence[str], since: int) -> list[tuple[Loose, str]]:
        """Return what was remembered where an alert with some keys is, since a time, and forget it.

        Returns:
            each with the strongest key that it shares with the alert, oldest first.
        """
        place = _place(hostname, keys)
        found = self._places.pop(place, {}).values() if place is not None else ()
        shared = [(one, key) for one in found if (key := next((key for key in keys if key in one.keys), ""))]
        return sorted([one for one in shared if one[0].step.last >= since], key=lambda one: one[0].step.at)


def _place(hostname: str, keys: Sequence[str]) -> tuple[str, str] | None:
    """Return where alerts with some keys are: by the widest of those that are looked back by."""
    for key in reversed(keys):
        if key.startswith(LOOKED_BACK):
            return hostname, key
    return None
