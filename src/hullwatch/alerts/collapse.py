"""Counting repeats of an alert instead of showing each, for people at a terminal.

Two alerts are the same when rule, container and process name are the same: messages differ in pids,
paths and times, which is what makes repeats a flood. The first is shown at once; repeats are counted, and
a line says how many there were when ``PERIOD`` has passed since the last line. When a period brought none,
the alert is forgotten, and the next one is shown in full again. Only the terminal output does this; JSON
and pipes get every alert, for programs count better than they parse counts.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from hullwatch.alerts.alert import Alert

PERIOD = 10.0  # seconds
MOST_KEYS = 4096  # alerts that are counted at the same time


class Key(NamedTuple):
    """What makes two alerts the same."""

    rule: str
    container_id: str
    process: str


class Repeats(msgspec.Struct, frozen=True):
    """A line that is due: how often an alert came again, and the last one of them."""

    last: Alert
    count: int
    seconds: float


class _Counted(msgspec.Struct):
    since: float
    last: Alert
    count: int = 0


def key_of(alert: Alert) -> Key:
    """Return what makes this alert the same as another."""
    return Key(alert.rule, alert.container_id, alert.process)


class Collapser:
    """Decides which alerts are shown, and counts the others.

    Times are seconds of any clock that does not go back.
    """

    def __init__(self, period: float = PERIOD) -> None:
        """Start with nothing seen."""
        self.period = period
        # In the order of `since`: who is shown or reported goes to the end.
        self._seen: dict[Key, _Counted] = {}

    def add(self, alert: Alert, now: float) -> tuple[list[Repeats], Alert | None]:
        """Take an alert; return the counts that are due by now, and the alert if it is to be shown."""
        due = self.due(now)
        key = key_of(alert)
        counted = self._seen.get(key)
        if counted is not None:
            counted.count += 1
            counted.last = alert
            return due, None
        if len(self._seen) >= MOST_KEYS:
            oldest = next(iter(self._seen))
            due += _report(self._seen.pop(oldest), now)
        self._seen[key] = _Counted(now, alert)
        return due, alert

    def due(self, now: float) -> list[Repeats]:
        """Return the counts whose period is over."""
        found: list[Repeats] = []
        for key, counted in list(self._seen.items()):
            if now - counted.since < self.period:
                break
            del self._seen[key]
            if counted.count:
                found += _report(counted, now)
                self._seen[key] = _Counted(now, counted.last)
        return found

    def next_due(self) -> float | None:
        """Return when ``due`` has to be asked again; None while nothing was seen."""
        for counted in self._seen.values():
            return counted.since + self.period
        return None

    def close(self, now: float) -> list[Repeats]:
        """Return all counts that were not reported, and forget everything."""
        found = [line for counted in self._seen.values() for line in _report(counted, now)]
        self._seen.clear()
        return found


def _report(counted: _Counted, now: float) -> list[Repeats]:
    return [Repeats(counted.last, counted.count, now - counted.since)] if counted.count else []
