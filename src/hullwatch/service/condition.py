"""How the run stands, as the service manager is told: starting, watching, reloading, starting again, ending."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.service.notify import Notifier

RELOAD_PATIENCE = 30.0  # seconds; a reload of which nothing was heard by then has ended without effect


class Condition:
    """Turns what the supervisor sees into messages.

    The sign of life is given only when the engine has told that it takes events: a supervisor that lives while the
    engine hangs would be no reason to be left alone.

    Args:
        notifier: the way to the service manager.
        clock: seconds that do not go back.
    """

    def __init__(self, notifier: Notifier, clock: Callable[[], float] = time.monotonic) -> None:
        """Be starting."""
        self._notifier = notifier
        self._clock = clock
        self._rules = 0
        self._ready = False
        self._reload_ends: float | None = None

    @property
    def patience(self) -> float | None:
        """Seconds until something has to be told; None for as long as it takes."""
        return None if self._reload_ends is None else max(0.0, self._reload_ends - self._clock())

    def ready(self, rules: int) -> None:
        """Take from the engine that the sensor sends, the containers are known, and so many rules judge."""
        self._rules = rules
        self._ready = True
        self._notifier.ready(f"Watching with {rules} rules.")

    def alive(self, events: int) -> None:
        """Take from the engine that it takes events, of which rules have seen so many."""
        self._notifier.alive(f"Watching with {self._rules} rules; they have seen {events:,} events.")

    def reload(self) -> None:
        """Know that somebody asked for a reload."""
        if self._ready:
            self._reload_ends = self._clock() + RELOAD_PATIENCE
            self._notifier.reloading()

    def reloaded(self, outcome: str) -> None:
        """Know how a reload ended, if there was one."""
        if self._reload_ends is not None:
            self._reload_ends = None
            self._notifier.ready(outcome)

    def look(self) -> None:
        """Give up a reload that does not come to an end."""
        if self._reload_ends is not None and self._clock() >= self._reload_ends:
            self.reloaded("The reload did not come to an end; rules and settings are those of before.")

    def crashed(self, crashes: int) -> None:
        """Know that the engine crashed and is started again."""
        self._ready = False
        self._notifier.status(f"The engine crashed ({crashes} times lately) and is started again.")

    def stopping(self) -> None:
        """Know that the end has begun."""
        self._notifier.stopping()
