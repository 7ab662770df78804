"""Who is on call: shifts of hours, persons who take turns, and days on which somebody else does."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from hullwatch.errors import UsageError
from hullwatch.escalation.calendar import Hours, read_hours, zone

TURNS = {"daily": 1, "weekly": 7}
_CHECKED_DAYS = 28


class OnCall(NamedTuple):
    """Somebody who is on call.

    Attributes:
        who: the person's name in the file.
        until: when it ends; in UTC.
        why: in words.
    """

    who: str
    until: dt.datetime
    why: str


class Shift:
    """Hours in which the persons of a list are on call by turns.

    Args:
        who: names, at least one.
        hours: when.
        rotate: ``daily``, ``weekly`` or empty for always the first.
        since: the day on which the first one begins.
        handover: time of the day at which it is the next one's turn, as ``HH:MM``.
        timezone: of ``since`` and ``handover``.

    Raises:
        UsageError: when one of them is none.
    """

    def __init__(
        self, who: tuple[str, ...], hours: Hours, *, rotate: str, since: dt.date, handover: str, timezone: str
    ) -> None:
        """Read the words."""
        if rotate and rotate not in TURNS:
            raise UsageError(f'"{rotate[:32]}" is no turn; write daily or weekly, or leave rotate out')
        self.who = who
        self._hours = hours
        self._days = TURNS.get(rotate, 0)
        self._since = since
        self._handover = read_hours(f"{handover}-24:00")[0] if handover != "00:00" else 0
        self._zone = zone(timezone)

    def at(self, moment: dt.datetime) -> OnCall | None:
        """Return who is on call at a time."""
        span = self._hours.span(moment)
        if span is None:
            return None
        who, turn_end = self._turn(moment)
        until = min(span[1], turn_end) if turn_end else span[1]
        turn = f", whose turn it is until {turn_end.astimezone(self._zone):%a %d %b %H:%M}" if turn_end else ""
        return OnCall(who, until, f"the shift of {', '.join(self.who)}{turn}")

    def next_begin(self, after: dt.datetime) -> dt.datetime | None:
        """Return when its next hours begin."""
        span = self._hours.next_span(after)
        return None if span is None else span[0]

    def _turn(self, moment: dt.datetime) -> tuple[str, dt.datetime | None]:
        if not self._days or len(self.who) == 1:
            return self.who[0], None
        local = (moment.astimezone(self._zone) - dt.timedelta(minutes=self._handover)).date()
        turn = (local - self._since).days // self._days
        day = self._since + dt.timedelta(days=(turn + 1) * self._days)
        end = dt.datetime(day.year, day.month, day.day, tzinfo=self._zone) + dt.timedelta(minutes=self._handover)
        return self.who[turn % len(self.who)], end.astimezone(dt.UTC)


class Override(NamedTuple):
    """Somebody who stands in between two times, in UTC."""

    begin: dt.datetime
    end: dt.datetime
    who: str


class Roster:
    """Shifts, of which the first that is open counts, and who stands in."""

    def __init__(self, name: str, shifts: list[Shift], overrides: list[Override]) -> None:
        """Take them."""
        self.name = name
        self._shifts = shifts
        self._overrides = overrides

    def at(self, moment: dt.datetime) -> OnCall | None:
        """Return who is on call at a time; None for nobody."""
        for override in self._overrides:
            if override.begin <= moment < override.end:
                return OnCall(override.who, override.end, "stands in")
        for place, shift in enumerate(self._shifts):
            found = shift.at(moment)
            if found is None:
                continue
            begins = [one for earlier in self._shifts[:place] if (one := earlier.next_begin(moment)) is not None]
            begins += [override.begin for override in self._overrides if override.begin > moment]
            return found._replace(until=min([found.until, *begins]))
        return None

    def next_begin(self, after: dt.datetime) -> dt.datetime | None:
        """Return when the next shift begins, or the next stand-in's time; None when none does within a year."""
        begins = [one for shift in self._shifts if (one := shift.next_begin(after)) is not None]
        begins += [override.begin for override in self._overrides if override.begin > after]
        return min(begins, default=None)

    def turns(self, begin: dt.datetime, days: int) -> list[tuple[dt.datetime, OnCall | None]]:
        """Return who is on call from a time on, until that many days later, with gaps as None."""
        found: list[tuple[dt.datetime, OnCall | None]] = []
        moment, end = begin, begin + dt.timedelta(days=days)
        while moment < end:
            one = self.at(moment)
            following = one.until if one is not None else self.next_begin(moment)
            found.append((moment, one))
            if following is None:
                break
            moment = following
        return found

    def gaps(self, begin: dt.datetime) -> list[tuple[dt.datetime, dt.datetime | None]]:
        """Return when nobody is on call within four weeks: from and to, None for an open end."""
        turns = self.turns(begin, _CHECKED_DAYS)
        return [
            (at, turns[place + 1][0] if place + 1 < len(turns) else None)
            for place, (at, one) in enumerate(turns)
            if one is None
        ]
