"""When something is open: hours of days in a time zone, without holidays."""

from __future__ import annotations

import datetime as dt
import functools
import re
import zoneinfo

from hullwatch.errors import UsageError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY_MINUTES = 24 * 60
_LONGEST_CLOSED = 400  # days that the next opening is looked for
UTC = dt.UTC


@functools.lru_cache(maxsize=64)
def zone(name: str) -> dt.tzinfo:
    """Return a time zone.

    Raises:
        UsageError: when this host knows none of that name.
    """
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f'there is no time zone "{name[:64]}" here; names are like Europe/Berlin (Debian: install tzdata)'
        ) from None


def read_days(words: tuple[str, ...]) -> frozenset[int]:
    """Return days by number, 0 for Monday, of words like ``mon`` and ``sat-sun``; all days of none.

    Raises:
        UsageError: when a word is no day.
    """
    found: set[int] = set()
    for word in words:
        first, _, last = word.lower().partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise UsageError(f'"{word[:32]}" is no day; write {", ".join(DAYS)}, or from one to another: mon-fri')
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found) or frozenset(range(7))


def read_hours(text: str) -> tuple[int, int]:
    """Return first and last minute of a day of a text like ``22:00-06:00``; the last may be of the next day.

    Raises:
        UsageError: when it is no such text.
    """
    found = _HOURS.fullmatch(text)
    if found is None or int(found[3]) * 60 + int(found[4]) > _DAY_MINUTES:
        raise UsageError(f'"{text[:32]}" are no hours; write from and to: 09:00-17:30, or 00:00-24:00')
    begin, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if begin == end:
        raise UsageError(f'"{text}" is no time at all; write 00:00-24:00 for the whole day')
    return begin, end if end > begin else end + _DAY_MINUTES


class Hours:
    """Hours of days, as they are in a time zone: they follow its summer time.

    Args:
        days: words for ``read_days``; those on which the hours begin.
        hours: text for ``read_hours``.
        timezone: name.
        holidays: days on which no hours begin.

    Raises:
        UsageError: when one of them is none.
    """

    def __init__(
        self, days: tuple[str, ...], hours: str, timezone: str, holidays: frozenset[dt.date] = frozenset()
    ) -> None:
        """Read the words."""
        self._days = read_days(days)
        self._begin, self._end = read_hours(hours)
        self._zone = zone(timezone)
        self._holidays = holidays

    def span(self, at: dt.datetime) -> tuple[dt.datetime, dt.datetime] | None:
        """Return since when and until when it is open at a time; None when it is closed."""
        today = at.astimezone(self._zone).date()
        for day in (today - dt.timedelta(days=1), today):
            span = self._of_day(day)
            if span is not None and span[0] <= at < span[1]:
                return span
        return None

    def next_span(self, after: dt.datetime) -> tuple[dt.datetime, dt.datetime] | None:
        """Return the first hours that begin after a time; None when none do within a year."""
        today = after.astimezone(self._zone).date()
        for ahead in range(-1, _LONGEST_CLOSED):
            span = self._of_day(today + dt.timedelta(days=ahead))
            if span is not None and span[0] > after:
                return span
        return None

    def _of_day(self, day: dt.date) -> tuple[dt.datetime, dt.datetime] | None:
        if day.weekday() not in self._days or day in self._holidays:
            return None
        return self._at(day, self._begin), self._at(day, self._end)

    def _at(self, day: dt.date, minute: int) -> dt.datetime:
        ahead, minute = divmod(minute, _DAY_MINUTES)
        day += dt.timedelta(days=ahead)
        return dt.datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=self._zone).astimezone(UTC)
