"""The time of a cluster, by its events: the wall clock decides nothing, so that a replay gives what the run gave.

One event with a wrong time moves nothing: only several in a row that are far ahead do. Time in which nothing came at
all, a night of the intake's own, does not count: nothing is forgotten because nobody looked.
"""

from __future__ import annotations

SECOND = 1_000_000_000  # ns
HOUR = 3600 * SECOND
DAY = 24 * HOUR
CONFIRM = 20  # events far ahead, until they are believed
MOST_GAPS = 100


class Clock:
    """A clock that events move.

    Attributes:
        now: the newest second, ns since the epoch; 0 before the first event.
        gaps: times in which nothing came for more than a day: when each began and ended.
    """

    __slots__ = ("_ahead", "gaps", "now")

    def __init__(self, now: int = 0, gaps: list[tuple[int, int]] | None = None) -> None:
        """Stand at a time."""
        self.now = now
        self.gaps = gaps if gaps is not None else []
        self._ahead = 0

    def move(self, moment: int) -> bool:
        """Move to the time of an event that is later; tell whether that was believed."""
        if self.now and moment - self.now > DAY:
            self._ahead += 1
            if self._ahead < CONFIRM:
                return False
            self.gaps = [*self.gaps[-MOST_GAPS + 1 :], (self.now, moment)]
        self._ahead = 0
        self.now = moment
        return True

    def before(self, duration: int) -> int:
        """Return the moment that lies so many ns of time in which something came before now."""
        moment = self.now - duration
        for begin, end in reversed(self.gaps):
            if end <= moment:
                break
            moment -= end - begin
        return moment
