"""Sequences of steps whose events may come after newer ones: the events' own time says which step came first.

Of each step the events of a key are remembered by their time, a few of them, as long as something that comes late may
still make a chain with them. So the same alerts come of a webhook that tries again as of a file; but an event that
happened before an alert belongs to that alert, and makes no other. Where events come in order, the alerts are those of
``sequence_state``.
"""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.evidence import remember
from hullwatch.detect.keyed_memory import KeyedMemory

if TYPE_CHECKING:
    from hullwatch.detect.evidence import Evidence
    from hullwatch.detect.keyed_memory import Key
    from hullwatch.events.event import Event
    from hullwatch.rules.group_keys import Stateful

MOST_OF_STEP = 8  # events of a key that are remembered of each step
Moment = tuple[int, int]
"""When an event happened, and of those at the same time, which of them came first."""


class Made(NamedTuple):
    """An event that makes a step."""

    moment: Moment
    evidence: Evidence


class Steps:
    """The events of a key by the step that they make, each step's by their time.

    Attributes:
        made: by step.
        done: when the last alert's last step was.
        until: the last moment at which all this matters.
    """

    __slots__ = ("done", "made", "until")

    def __init__(self, steps: int) -> None:
        """Start without any."""
        self.made: list[list[Made]] = [[] for _ in range(steps)]
        self.done: Moment = (0, 0)
        self.until = 0

    @property
    def size(self) -> int:
        """About how many bytes they take."""
        return sum(one.evidence.size for step in self.made for one in step)

    def drop_outside(self, now: int, reach: int) -> None:
        """Drop what happened too long ago, or in a future that a clock has left."""
        for step, made in enumerate(self.made):
            if made and (now - made[0].moment[0] > reach or made[-1].moment[0] - now > reach):
                self.made[step] = [one for one in made if abs(now - one.moment[0]) <= reach]

    def insert(self, step: int, new: Made) -> None:
        """Remember an event; of too many the one goes that is needed least."""
        made = self.made[step]
        bisect.insort(made, new, key=lambda one: one.moment)
        if len(made) > MOST_OF_STEP:
            del made[self._least_needed(step)]

    def _least_needed(self, step: int) -> int:
        """Return which goes first: one that the same step follows, with no next step between; else the oldest."""
        made = self.made[step]
        following = self.made[step + 1] if step + 1 < len(self.made) else []
        for place in range(len(made) - 1):
            begin, end = made[place].moment, made[place + 1].moment
            if following and not any(begin < one.moment < end for one in following):
                return place
        return 0

    def chain(self, step: int, new: Made, within: int) -> list[Made] | None:
        """Return the chain with an event that began last and ends first; None when none is whole."""
        found = [new]
        for earlier in reversed(self.made[:step]):
            place = bisect.bisect_left(earlier, found[0].moment, key=lambda one: one.moment)
            if not place:
                return None
            found.insert(0, earlier[place - 1])
        for later in self.made[step + 1 :]:
            place = bisect.bisect_right(later, found[-1].moment, key=lambda one: one.moment)
            if place == len(later):
                return None
            found.append(later[place])
        return found if found[-1].moment[0] - found[0].moment[0] <= within else None


class LateSequence:
    """The state of one rule with a sequence, without lineage.

    Args:
        stateful: what the rule remembers.
        late: ns that an event may come after newer ones.
    """

    def __init__(self, stateful: Stateful, late: int) -> None:
        """Start without any step."""
        self.memory: KeyedMemory[Steps] = KeyedMemory()
        self._stateful = stateful
        self._late = late
        self._number = 0
        self._last: Event | None = None

    def observe(self, step: int, event: Event) -> tuple[Event, ...] | None:
        """Take an event that makes a step; return the other events of the chain that is whole with it."""
        key: Key | None = self._stateful.keys[step](event)
        if key is None:
            return None
        if event is not self._last:  # one that makes several steps is one event
            self._number, self._last = self._number + 1, event
        within = self._stateful.within
        self.memory.expire(event.time)
        steps = self.memory.get(key) or Steps(len(self._stateful.keys))
        moment = (event.time, self._number)
        if steps.done[0] - self._late > event.time:  # so late is nothing: the clock was put back
            steps.done = (0, 0)
        if moment <= steps.done:
            return None  # of the alert that was told
        steps.drop_outside(event.time, within + self._late)
        new = Made(moment, remember(event))
        chain = steps.chain(step, new, within)
        if chain is None:
            steps.insert(step, new)
        else:
            steps.done = chain[-1].moment
            steps.made = [[one for one in made if one.moment > steps.done] for made in steps.made]
        steps.until = max(steps.until, event.time + within + self._late)
        self.memory.put(key, steps)
        return None if chain is None else tuple(one.evidence.event for one in chain if one is not new)
