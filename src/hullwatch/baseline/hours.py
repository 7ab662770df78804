"""In which hours of the week somebody calls: how many of their calls were in hours like this one."""

from __future__ import annotations

import time

HOURS = 168  # of a week
MARKED = 1 << 20  # calls, behind which all counts are halved
FEWEST_CALLS = 50  # until somebody's hours are judged
FEWEST_DAYS = 4  # on which they called
RARE = 0.01  # of their calls
TOLD_AGAIN = 12  # hours
_EPOCH_DAY = 3  # 1970-01-01 was a Thursday, Monday is 0
_WORKING_DAYS = 5
_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def slot_of(hour: int) -> int:
    """Return the hour of the week, Monday 00:00 UTC first, of an hour since the epoch."""
    return ((hour // 24 + _EPOCH_DAY) % 7) * 24 + hour % 24


class Hours:
    """The hours of one user.

    Attributes:
        counts: of calls, for each hour of the week.
        first: when they were first seen, ns since the epoch.
        days: on how many days.
        hour: the last hour in which they called, since the epoch.
        told: the hour that was told last.
        origin: the event for which it was told.
        halved: when all counts were last made less, ns since the epoch.
    """

    __slots__ = ("counts", "days", "first", "halved", "hour", "origin", "told")

    def __init__(self, first: int) -> None:
        """Begin with none."""
        self.counts = [0] * HOURS
        self.first = self.halved = first
        self.days = self.hour = self.told = 0
        self.origin = ""

    def turn(self, hour: int) -> bool:
        """Begin an hour; tell whether it is one in which they hardly ever call, and that was not told lately."""
        rare = hour > self.hour and self._is_rare(hour) and hour - self.told >= TOLD_AGAIN
        self.days += hour // 24 > self.hour // 24
        self.hour = max(hour, self.hour)
        return rare

    def _is_rare(self, hour: int) -> bool:
        total = sum(self.counts)
        if total < FEWEST_CALLS or self.days < FEWEST_DAYS:
            return False
        return self.like(hour) < total * RARE

    def like(self, hour: int) -> int:
        """Return how many calls were in this hour or beside it, on days of its kind: working days or the weekend."""
        day, in_day = divmod(slot_of(hour), 24)
        days = range(_WORKING_DAYS) if day < _WORKING_DAYS else range(_WORKING_DAYS, 7)
        return sum(self.counts[one * 24 + (in_day + beside) % 24] for one in days for beside in (-1, 0, 1))

    def add(self, hour: int) -> None:
        """Count a call."""
        self.counts[slot_of(hour)] += 1

    def weight(self) -> tuple[int, int, int]:
        """Return how much is known: days, calls, and the last hour."""
        return self.days, sum(self.counts), self.hour

    def halve(self, now: int) -> None:
        """Let what is long ago count less."""
        self.counts = [one // 2 for one in self.counts]
        self.halved = now

    def usual(self) -> str:
        """Return the hours of the day, UTC, in which nearly all calls were: ``07-17``; empty without calls."""
        by_hour = [sum(self.counts[day * 24 + hour] for day in range(7)) for hour in range(24)]
        used = [hour for hour, number in enumerate(by_hour) if number > sum(by_hour) * RARE]
        return f"{used[0]:02}-{used[-1] + 1:02}" if used else ""

    def why(self, user: str, hour: int) -> str:
        """Return why an hour is rare, as a part of a sentence."""
        day, in_day = divmod(slot_of(hour), 24)
        since = time.strftime("%Y-%m-%d", time.gmtime(self.first // 1_000_000_000))
        kind = "working days" if day < _WORKING_DAYS else "weekends"
        return (
            f"{self.like(hour)} of {sum(self.counts)} calls of {user} since {since} were between "
            f"{(in_day - 1) % 24:02}:00 and {(in_day + 2) % 24:02}:00 UTC on {kind}"
        )


def name_of(hour: int) -> str:
    """Return an hour of the week for people, such as ``Tue 03:00 UTC``."""
    day, in_day = divmod(slot_of(hour), 24)
    return f"{_NAMES[day]} {in_day:02}:00 UTC"
