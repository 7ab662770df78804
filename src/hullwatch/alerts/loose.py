"""Alerts that were too little to open an incident, kept for a while: an incident that opens later takes them in."""

from __future__ import annotations

from collections import OrderedDict
from copy import copy
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import force_setattr

from hullwatch.alerts.belonging import LOOKED_BACK
from hullwatch.alerts.incident import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_KEYS = 10_000
MOST_OF_A_KEY = 16  # issues
MOST_ALERTS = 50  # of an issue; those that come then stay outside


class Loose(msgspec.Struct):
    """Alerts of one issue with a key in common; ``key`` is the one by which an incident took them."""

    step: Step
    alerts: list[str]
    key: str = ""


class LooseAlerts:
    """The last of them, by key and issue."""

    def __init__(self) -> None:
        """Start without any."""
        self._by_key: OrderedDict[tuple[str, str], dict[str, Loose]] = OrderedDict()

    def add(self, hostname: str, keys: Sequence[str], step: Step, window: int) -> None:
        """Remember the alert that a step tells of.

        Args:
            hostname: where it happened.
            keys: that it has.
            step: of one alert.
            window: ns; what is older counts no more.
        """
        for key in keys:
            if not key.startswith(LOOKED_BACK):
                continue
            place = hostname, key
            known = self._by_key.get(place)
            if known is None:
                known = self._by_key[place] = {}
                if len(self._by_key) > MOST_KEYS:
                    self._by_key.popitem(last=False)
            else:
                self._by_key.move_to_end(place)
            loose = known.get(step.issue)
            if loose is not None and loose.step.at + window >= step.at:
                _count(loose, step)
                continue
            known.pop(step.issue, None)
            if len(known) >= MOST_OF_A_KEY:
                del known[next(iter(known))]
            known[step.issue] = Loose(step, [step.alert])

    def take(self, hostname: str, keys: Sequence[str], since: int) -> list[Loose]:
        """Return what was remembered under some keys since a time, oldest first, and forget it."""
        found: dict[str, Loose] = {}
        for key in keys:
            for issue, loose in self._by_key.pop((hostname, key), {}).items():
                known = found.get(issue)
                if loose.step.last >= since and (known is None or loose.step.count > known.step.count):
                    loose.key = key
                    found[issue] = loose
        return sorted(found.values(), key=lambda one: one.step.at)


def _count(loose: Loose, step: Step) -> None:
    if len(loose.alerts) >= MOST_ALERTS:
        return
    before = loose.step
    loose.step = again = copy(before)
    force_setattr(again, "count", before.count + 1)
    force_setattr(again, "last", max(before.last, step.last))
    loose.alerts.append(step.alert)
