"""The incidents that still take alerts, found by what alerts belong together by."""

from __future__ import annotations

import bisect
from collections import OrderedDict
from copy import copy
from typing import TYPE_CHECKING

from msgspec.structs import force_setattr

from hullwatch.alerts.origin import NOT_KNOWN
from hullwatch.alerts.score import Chain, context_of, incident_parts, more_severe, rarity_of, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Step
    from hullwatch.alerts.issue import ScorePart

MOST_OPEN = 5000
MOST_STEPS = 60
MOST_KEYS = 64
LONGEST_NAME = 100  # characters of a container's
MOST_LEFT_OUT = 1000  # issues beyond the steps that are told apart
_LONGEST_TITLE = 200  # characters


class OpenIncident:
    """An incident with what is needed to let alerts join it.

    Attributes:
        incident: as it is now; it is changed in place.
    """

    __slots__ = ("_chain", "_context", "_left_out", "_places", "_rarity", "_since", "_worst", "incident")

    def __init__(self, incident: Incident) -> None:
        """Take an incident, a new one or one that the store remembers."""
        self.incident = incident
        self._places = {step.issue: place for place, step in enumerate(incident.steps)}
        self._since: dict[str, str] = dict.fromkeys(incident.keys, "")  # the issue of the step that first had a key
        self._left_out: set[str] = set()
        self._context = context_of(incident.parts)
        self._rarity = rarity_of(incident.parts)
        self._chain = Chain(step.tactics for step in incident.steps)
        self._worst = _worst(incident.steps)

    @property
    def alone(self) -> bool:
        """Whether only one thing happened in it."""
        return len(self.incident.steps) <= 1 and not self.incident.steps_left_out

    def takes(self, time: int, window: int, longest: int) -> bool:
        """Tell whether an alert of a time, ns since the epoch, may still belong to it."""
        incident = self.incident
        return incident.opened - window <= time <= min(incident.last_seen + window, incident.opened + longest)

    def step_of(self, key: str) -> int:
        """Return the number of the step that first had a key, from 1; 0 when that is not known."""
        place = self._places.get(self._since.get(key, ""))
        return 0 if place is None else place + 1

    def count(self, issue: str, alert: Alert, keys: Iterable[str], context: frozenset[str]) -> bool:
        """Count an alert that changes nothing but how often its step came; return whether it is one.

        Args:
            issue: id of the alert's issue.
            alert: that joins.
            keys: by which later ones are found.
            context: its surroundings.
        """
        incident = self.incident
        place = self._places.get(issue)
        if place is None or not context <= self._context or alert.time < incident.steps[place].at:
            return False
        if alert.priority != incident.priority and more_severe(alert.priority, incident.priority):
            return False
        self._count(place, 1, alert.time, alert.time)
        self._note(issue, keys)
        return True

    def add(
        self,
        step: Step,
        keys: Iterable[str],
        context: frozenset[str],
        rarity: ScorePart | None,
    ) -> None:
        """Let alerts of one issue join.

        Args:
            step: of the alerts, with how many they are.
            keys: by which later ones are found.
            context: their surroundings.
            rarity: how seldom they were seen.
        """
        incident = self.incident
        self._note(step.issue, keys)
        place = self._places.get(step.issue)
        if place is not None:
            again = self._count(place, step.count, step.at, step.last)
            if step.at < again.at:
                self._move(again, step.at)
            elif context <= self._context and not more_severe(step.priority, incident.priority):
                return
            if more_severe(step.priority, again.priority):
                force_setattr(again, "priority", step.priority)
                self._worst = _worst(incident.steps)
        else:
            self._seen(step.count, step.at, step.last)
            if len(incident.steps) >= MOST_STEPS:
                self._leave_out(step)
            else:
                self._insert(step)
        self._context |= context
        if rarity is not None and (self._rarity is None or rarity.points > self._rarity.points):
            self._rarity = rarity
        if more_severe(step.priority, incident.priority):
            incident.priority = step.priority
        self._sum_up()

    def name(self, alert: Alert, workload: str) -> None:
        """Take the container's name and workload from an alert that has them, where the first alerts came without.

        A container that has just begun is known to the kernel before its engine tells of it.
        """
        incident = self.incident
        if not incident.container_name and alert.container_name and alert.container_id == incident.container:
            incident.container_name = alert.container_name[:LONGEST_NAME]
            incident.workload = workload

    def snapshot(self) -> Incident:
        """Return the incident as it is now; later alerts do not change it."""
        incident = copy(self.incident)
        incident.steps = incident.steps.copy()
        return incident

    def _seen(self, count: int, first: int, last: int) -> None:
        incident = self.incident
        incident.count += count
        incident.last_seen = max(incident.last_seen, last)
        incident.opened = min(incident.opened, first)

    def _count(self, place: int, count: int, first: int, last: int) -> Step:
        """Count alerts on the step at a place; return the step that stands there now."""
        self._seen(count, first, last)
        steps = self.incident.steps
        known = steps[place]
        again = steps[place] = copy(known)  # the one of before is part of snapshots
        force_setattr(again, "count", known.count + count)
        if last > known.last:
            force_setattr(again, "last", last)
        return again

    def _note(self, issue: str, keys: Iterable[str]) -> None:
        """Note the keys that are new, with the issue that brought them."""
        for key in keys:
            if key not in self._since and len(self._since) < MOST_KEYS:
                self._since[key] = issue
                self.incident.keys = tuple(self._since)

    def _leave_out(self, step: Step) -> None:
        if step.issue not in self._left_out and len(self._left_out) < MOST_LEFT_OUT:
            self._left_out.add(step.issue)
            self.incident.steps_left_out += 1

    def _insert(self, step: Step) -> None:
        steps = self.incident.steps
        place = bisect.bisect_right(steps, step.at, key=lambda one: one.at)
        steps.insert(place, step)
        if place == len(steps) - 1:
            self._places[step.issue] = place
            self._chain.add(step.tactics)
            if self._worst is None or more_severe(step.priority, self._worst.priority):
                self._worst = step
        else:
            self._look_again()

    def _move(self, step: Step, at: int) -> None:
        """Let a step begin earlier: an alert of it has come late."""
        force_setattr(step, "at", at)
        self.incident.steps.sort(key=lambda one: one.at)
        self._look_again()

    def _look_again(self) -> None:
        """Find out what is known of the steps, whose order has changed."""
        steps = self.incident.steps
        self._places = {one.issue: number for number, one in enumerate(steps)}
        self._chain = Chain(one.tactics for one in steps)
        self._worst = _worst(steps)

    def _sum_up(self) -> None:
        incident = self.incident
        incident.parts = incident_parts(incident.priority, self._rarity, self._context, self._chain)
        incident.score = total(incident.parts)
        incident.title = _title(incident, self._worst)


def _worst(steps: Iterable[Step]) -> Step | None:
    """Return the first of the most severe steps."""
    worst: Step | None = None
    for step in steps:
        if worst is None or more_severe(step.priority, worst.priority):
            worst = step
    return worst


def _title(incident: Incident, worst: Step | None) -> str:
    """Return the line that an incident is called by: its worst step, how much else, and where."""
    more = len(incident.steps) - 1 + incident.steps_left_out
    others = f" and {more} other step{'s' * (more != 1)}" if more else ""
    place = incident.workload if incident.workload != NOT_KNOWN else incident.container_name or incident.container
    where = "on the host" if incident.workload == "host" else f"in {place}"
    return f"{worst.rule if worst is not None else ''}{others} {where}"[:_LONGEST_TITLE]


class OpenIncidents:
    """All of them.

    Attributes:
        forgotten: how many were let go of for want of room while they still took alerts.
    """

    def __init__(self, window: int, longest: int) -> None:
        """Start without any; both in ns: since an incident's last alert, and since its first."""
        self.forgotten = 0
        self._window = window
        self._longest = longest
        self._open: OrderedDict[str, OpenIncident] = OrderedDict()  # by id, the one that longest had no alert first
        self._by_key: dict[tuple[str, str], OpenIncident] = {}

    def __iter__(self) -> Iterator[OpenIncident]:
        """Go through them."""
        return iter(self._open.values())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._open)

    def get(self, identifier: str) -> OpenIncident | None:
        """Return one by its id."""
        return self._open.get(identifier)

    def find(self, hostname: str, keys: Sequence[str], time: int) -> tuple[OpenIncident, str] | None:
        """Return the incident that an alert belongs to, and the strongest key by which it does."""
        for key in keys:
            found = self._by_key.get((hostname, key))
            if found is not None and found.takes(time, self._window, self._longest):
                return found, key
        return None

    def use(self, opened: OpenIncident) -> None:
        """Take an incident in, or note that it has other keys or a later alert than before."""
        incident = opened.incident
        self._open[incident.id] = opened
        self._open.move_to_end(incident.id)
        for key in incident.keys:
            self._by_key[incident.hostname, key] = opened
        self._make_room(incident.last_seen)

    def touch(self, opened: OpenIncident, keys: Iterable[str]) -> None:
        """Note that an alert with some keys has joined; a key that leads to another one that takes alerts stays."""
        incident = opened.incident
        if self._open.get(incident.id) is not opened:
            return  # an alert was placed again in one that takes no more
        self._open.move_to_end(incident.id)
        for key in keys:
            place = incident.hostname, key
            other = self._by_key.get(place)
            if other is opened or key not in incident.keys:
                continue
            if other is None or not other.takes(incident.last_seen, self._window, self._longest):
                self._by_key[place] = opened

    def close(self, identifier: str) -> None:
        """Let go of an incident: nothing joins it any more."""
        opened = self._open.pop(identifier, None)
        if opened is None:
            return
        for key in opened.incident.keys:
            place = opened.incident.hostname, key
            if self._by_key.get(place) is opened:
                del self._by_key[place]

    def _make_room(self, now: int) -> None:
        """Let go of what takes no more alerts, and of the oldest when there are too many."""
        while self._open:
            oldest = next(iter(self._open.values()))
            done = not oldest.takes(now, self._window, self._longest) and oldest.incident.last_seen < now
            if not done and len(self._open) <= MOST_OPEN:
                return
            self.forgotten += not done
            self.close(oldest.incident.id)
