"""Events that stop coming: an API server is never silent, so somebody or something is in between."""

from __future__ import annotations

from typing import NamedTuple

from hullwatch.config.values import format_duration


class Notice(NamedTuple):
    """An alert of Hullwatch's own."""

    rule: str
    priority: str
    message: str


class Quiet:
    """Tells once when nothing has come for too long, and once when something comes again.

    Args:
        longest: seconds without an event.
        now: seconds of a clock that does not go back.
    """

    def __init__(self, longest: float, now: float) -> None:
        """Begin to listen."""
        self._longest = longest
        self._begun = now
        self._told = False

    def look(self, last: float, now: float) -> Notice | None:
        """Return what is to be told now.

        Args:
            last: when the last event came; before the beginning for none.
            now: seconds of the same clock.
        """
        silent = now - max(last, self._begun)
        if not self._told and silent >= self._longest:
            self._told = True
            since = "since the run began" if last <= self._begun else f"for {format_duration(round(silent))}"
            return Notice(
                "Audit events stopped",
                "Critical",
                f"No audit event of Kubernetes has come {since}: what happens in the cluster is not seen. Look at the "
                "API server's audit webhook or log, at what carries the events, and at the audit policy.",
            )
        if self._told and silent < self._longest:
            self._told = False
            return Notice("Audit events come again", "Informational", "Audit events of Kubernetes come again.")
        return None
