"""What nobody wants to be told of for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.alerts.condition import AlertCondition
from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.issue import Decision, Mute

MOST_CONDITIONS = 200  # each is asked about every alert


class _Entry(NamedTuple):
    mute: Mute
    matches: AlertCondition | None


class Mutes:
    """The mutes that are in force, and which of them an alert falls under.

    Attributes:
        refused: why some cannot be used, as sentences; those mute nothing.
    """

    def __init__(self) -> None:
        """Start without any."""
        self.refused: list[str] = []
        self._mutes: list[Mute] = []
        self._conditions = 0
        self._by_target: dict[str, list[_Entry]] = {}
        self._conditional: list[_Entry] = []

    def use(self, mutes: Iterable[Mute]) -> None:
        """Use these and no others; one whose condition is wrong mutes nothing."""
        self.refused.clear()
        self._conditions = 0
        self._by_target.clear()
        self._conditional.clear()
        self._mutes = list(mutes)
        for mute in self._mutes:
            self._take(mute)

    def decide(self, decision: Decision, made: Mute | None) -> None:
        """Add the mute that a decision made, or take those away that it ends."""
        kept = self._mutes if made is not None else [one for one in self._mutes if not _ends(decision, one)]
        self.use(kept if made is None else [*kept, made])

    def _take(self, mute: Mute) -> None:
        matches: AlertCondition | None = None
        if mute.condition:
            if self._conditions >= MOST_CONDITIONS:
                self.refused.append(f"Mute {mute.id} is not used: {MOST_CONDITIONS} conditions are the most.")
                return
            self._conditions += 1
            try:
                matches = AlertCondition(mute.condition)
            except Exception as error:  # noqa: BLE001 - whatever a condition provokes: alerts are kept
                said = str(error) if isinstance(error, UsageError) else type(error).__name__
                self.refused.append(f"Mute {mute.id} is not used: {said}")
                return
        if mute.target:
            self._by_target.setdefault(mute.target, []).append(_Entry(mute, matches))
        elif matches is not None:
            self._conditional.append(_Entry(mute, matches))

    def of(self, alert: Alert, issue: str) -> int:
        """Return the id of a mute that an alert of an issue falls under; 0 for none."""
        if not self._mutes:
            return 0
        return self.of_target(alert, issue) or _first(alert, self._conditional)

    def of_target(self, alert: Alert, target: str) -> int:
        """Return the id of a mute of this issue or incident that an alert falls under; 0 for none."""
        return _first(alert, self._by_target.get(target, ()))


def _first(alert: Alert, entries: Iterable[_Entry]) -> int:
    for mute, matches in entries:
        if alert.time < mute.until and (matches is None or matches(alert)):
            return mute.id
    return 0


def _ends(decision: Decision, mute: Mute) -> bool:
    if decision.condition and decision.condition != mute.condition:
        return False
    return mute.target == decision.target if decision.target else bool(decision.condition)
