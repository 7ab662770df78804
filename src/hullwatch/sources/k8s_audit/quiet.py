"""Events that stop coming: an API server is never silent, so somebody or something is in between."""

from __future__ import annotations

from typing import NamedTuple

from hullwatch.config.values import format_duration

GRACE = 60.0  # seconds after the beginning, for an input that was silent before: whoever sends may wait for us


class Notice(NamedTuple):
    """An alert of Hullwatch's own."""

    rule: str
    priority: str
    message: str


class Quiet:
    """Tells once when nothing has come from an input for too long, and once when something comes again.

    The clock is that of the wall, so that silence goes on over a restart.

    Args:
        name: of the input.
        longest: seconds without an event.
        now: when it begins, ns since the epoch.
        before: when the last event came before that, or it was listened to first; 0 for never.
        told: whether its silence was told before that; its end is told then too.

    Attributes:
        told: whether its silence was told and has not ended.
    """

    def __init__(self, name: str, longest: float, now: int, before: int = 0, *, told: bool = False) -> None:
        """Begin to listen."""
        self.told = told
        self._name = name
        self._longest = int(longest * 1e9)
        grace = min(self._longest, int(GRACE * 1e9))
        self._begun = before or now
        # Who was away for an hour has not been silent for an hour: what was sent meanwhile may be on its way.
        self._since = min(now, max(before, now - self._longest + grace)) if before else now
        self._said = False  # since this process began

    def look(self, last: int, now: int) -> Notice | None:
        """Return what is to be told now.

        Args:
            last: when the last event came, ns since the epoch and not after now; 0 for none.
            now: the time.
        """
        self._since = min(self._since, now)  # a clock that was put back
        silent = now - max(last, self._since)
        if not self._said and silent >= self._longest:
            self._said = self.told = True
            since = (
                f"for {format_duration(round((now - last) / 1e9))}"
                if last
                else f"since it was listened to first, {format_duration(round((now - self._begun) / 1e9))} ago"
            )
            return Notice(
                "Audit events stopped",
                "Critical",
                f"No audit event of Kubernetes has come from {self._name} {since}: what it would tell of the cluster "
                "is not seen. Look at the API server's audit webhook or log, at what carries the events, and at the "
                "audit policy.",
            )
        if self.told and last > self._since and silent < self._longest:
            self._said = self.told = False
            return Notice(
                "Audit events come again", "Informational", f"Audit events of Kubernetes come again from {self._name}."
            )
        return None
