"""What was learnt of one cluster: its values, its users' hours, since when, and whether it is still being learnt."""

from __future__ import annotations

import heapq
import time
from typing import TYPE_CHECKING

from hullwatch.baseline.clock import HOUR, SECOND, Clock
from hullwatch.baseline.seen import Seen, Values
from hullwatch.fields.ka_new import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.baseline.hours import Hours

MANAGED = "managed"  # objects that something looks after: remembered, and never news
ALL_KINDS = (*KINDS, MANAGED)
MOST_PEOPLE = 2000  # of whom the hours are known, in all clusters


class Span:
    """How long things are learnt and remembered.

    Attributes:
        learn: ns that a cluster, and each user, is learnt.
        forget: ns that something may not be seen.
        until: when learning ends, ns since the epoch, instead of after ``learn``; 0 for that.
    """

    __slots__ = ("forget", "learn", "until")

    def __init__(self, learn: float, forget: float, until: int = 0) -> None:
        """Take durations in seconds, and a moment in ns."""
        self.learn = round(learn * SECOND)
        self.forget = round(forget * SECOND)
        self.until = until


class ClusterBaseline:
    """One cluster.

    Attributes:
        name: of it; empty where events do not say it.
        began: when it was first heard of, ns since the epoch.
        clock: its time.
        hour: the hour of that, since the epoch.
        learnt: when learning ended; 0 while it goes on.
        kinds: the values by their kind.
        hours: by the names of people.
        changed_hours: people of whom the hours are not saved as they are; None for one that is gone.
        changed: whether what stands here is not saved as it is.
        forgotten: how many values were forgotten, by the reason.
        crowded: how many of each kind were forgotten for want of room, since somebody looked at it.
    """

    def __init__(self, name: str, span: Span, began: int, *, kept: bool = False) -> None:
        """Know nothing yet."""
        self.name = name
        self.began = began
        self.clock = Clock()
        self.hour = 0
        self.learnt = 0
        self.kinds = {kind: Values(kept=kept) for kind in ALL_KINDS}
        self.hours: dict[str, Hours] = {}
        self.changed_hours: dict[str, Hours | None] = {}
        self.changed = True
        self.forgotten: dict[str, int] = {}
        self.crowded: dict[str, int] = {}
        self._span = span

    @property
    def now(self) -> int:
        """The time, ns since the epoch."""
        return self.clock.now

    def ends(self) -> int:
        """Return when learning ends, as far as that is known now."""
        gaps = sum(end - begin for begin, end in self.clock.gaps if begin >= self.began)
        return self._span.until or self.began + self._span.learn + gaps

    def move(self, moment: int, fold: Callable[[], None]) -> bool:
        """Take the time of an event that is later than the others; tell whether something was forgotten.

        Args:
            moment: ns since the epoch.
            fold: notes what was seen and is not noted yet.
        """
        if not self.clock.move(moment):
            return False
        if not self.learnt and moment >= self.ends():
            fold()
            self.learnt, self.changed = moment, True
        hour = moment // HOUR
        if hour <= self.hour:
            return False
        self.hour = hour
        fold()
        return self._forget()

    def _forget(self) -> bool:
        self.changed = True
        cutoff = self.clock.before(self._span.forget)
        gone, people = 0, len(self.hours)
        for values in self.kinds.values():
            gone += sum(map(values.drop, values.older(cutoff)))
        for name, hours in list(self.hours.items()):
            if hours.hour * HOUR < cutoff - HOUR:
                self._forget_person(name)
            elif hours.halved < cutoff:
                hours.halve(self.now)
                self.changed_hours[name] = hours
        if gone:
            self.forgotten["not seen for long"] = self.forgotten.get("not seen for long", 0) + gone
        return gone > 0 or len(self.hours) < people

    def make_room(self, kind: str, number: int) -> None:
        """Forget the values of a kind that are missed least."""
        values = self.kinds[kind]
        gone = sum(map(values.drop, values.weakest(number)))
        self.forgotten["no room"] = self.forgotten.get("no room", 0) + gone
        self.crowded[kind] = self.crowded.get(kind, 0) + gone

    def knows(self, user: str) -> bool:
        """Tell whether a user is known for so long that what they never did is news."""
        seen = self.kinds["user"].get(user)
        learn = 0 if self._span.until else self._span.learn
        return seen is not None and seen.first < self.clock.before(learn)

    def forget_people(self, number: int) -> None:
        """Forget the hours of those people that are missed least: who called on few days, seldom, and long ago."""
        weakest = heapq.nsmallest(number, self.hours, key=lambda one: self.hours[one].weight())
        for name in weakest:
            self._forget_person(name)
        self.forgotten["no room for hours"] = self.forgotten.get("no room for hours", 0) + len(weakest)

    def _forget_person(self, name: str) -> None:
        del self.hours[name]
        self.changed_hours[name] = None

    def why(self, kind: str, owner: str) -> str:
        """Return why a value that was just put is new, as a part of a sentence."""
        others = self.kinds[kind].others(owner)
        of_whom = f" of {owner}" if owner else ""
        many = KINDS[kind].many
        return f"first seen now; learnt since {date(self.began)}; {others:,} other {many}{of_whom} known"

    def put(self, kind: str, value: str, owner: str = "", note: str = "") -> Seen:
        """Take a value that was never seen."""
        return self.kinds[kind].put(value, Seen(self.now, self.now, 0, "", owner, note))

    def __len__(self) -> int:
        """Return how many values are known."""
        return sum(map(len, self.kinds.values()))


def date(moment: int) -> str:
    """Return the date of a moment in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(moment // SECOND))


def minute(moment: int) -> str:
    """Return a moment in UTC, to the minute; ``never`` for 0."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment // SECOND)) if moment else "never"
