"""How many events of a key there were within a time, or how many different values of a field.

Events of the Kubernetes API and lines of logs may come minutes after newer ones: senders try again. They count where
they belong by their own time, so that the same alerts come of a webhook as of a file.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, cast

from hullwatch.detect.evidence import remember
from hullwatch.detect.keyed_memory import KeyedMemory
from hullwatch.rules.group_keys import shortened

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hullwatch.detect.evidence import Evidence
    from hullwatch.detect.keyed_memory import Key
    from hullwatch.events.event import Event
    from hullwatch.rules.group_keys import Stateful

MOST_EVIDENCE = 9  # earlier events that an alert shows, the last ones
PARTS = 4  # of its time, in each of which a value is remembered once, where events come late
ENTRY_SIZE = 250  # bytes of a value and its time, about
_NO_VALUES: OrderedDict[Hashable, int] = OrderedDict()  # of all windows without any: where one event is enough, of most
_NO_EVIDENCE: OrderedDict[Hashable, Evidence] = OrderedDict()


class Window:
    """The values of a key with the time at which each was last seen, oldest first.

    Attributes:
        seen: by value; where all events count, by a number of their own.
        evidence: events of the values that were seen last.
        alerted: when the rule alerted for this key; None when it may.
    """

    __slots__ = ("alerted", "evidence", "number", "seen", "size", "until")

    def __init__(self) -> None:
        """Start without any."""
        self.seen: OrderedDict[Hashable, int] = _NO_VALUES
        self.evidence: OrderedDict[Hashable, Evidence] = _NO_EVIDENCE
        self.alerted: int | None = None
        self.number = 0
        self.size = 0
        self.until = 0

    def drop_outside(self, now: int, within: int) -> None:
        """Drop what was seen too long ago, or in a future that a clock has left."""
        while self.seen and abs(now - next(iter(self.seen.values()))) > within:
            self.drop(next(iter(self.seen)))

    def drop_before(self, moment: int) -> None:
        """Drop what was seen before a moment."""
        while self.seen and next(iter(self.seen.values())) < moment:
            self.drop(next(iter(self.seen)))

    def drop(self, value: Hashable) -> None:
        """Drop a value, if it is there."""
        if self.seen.pop(value, None) is not None:
            self.size -= ENTRY_SIZE
        kept = self.evidence.pop(value, None)
        self.size -= kept.size if kept is not None else 0

    def add(self, value: Hashable, event: Event) -> None:
        """Note a value as the newest."""
        self.drop(value)
        if self.seen is _NO_VALUES:
            self.seen, self.evidence = OrderedDict(), OrderedDict()
        self.seen[value] = event.time
        self.evidence[value] = kept = remember(event)
        self.size += ENTRY_SIZE + kept.size
        if len(self.evidence) > MOST_EVIDENCE:
            _, oldest = self.evidence.popitem(last=False)
            self.size -= oldest.size

    def insert(self, value: Hashable, event: Event) -> None:
        """Note a value where it belongs by its time; one that was seen later in its part of the time stays."""
        if value in self.seen and self.seen[value] >= event.time:
            return
        self.add(value, event)
        later = [(other, time) for other, time in self.seen.items() if time > event.time]
        for other, _ in later:
            self.seen.move_to_end(other)

    def clear(self) -> None:
        """Forget all values."""
        self.seen = _NO_VALUES
        self.evidence = _NO_EVIDENCE
        self.size = 0


class ThresholdState:
    """The state of one rule with a threshold.

    Args:
        stateful: what the rule remembers.
        late: ns that an event may come after newer ones; 0 where they come in order.
    """

    def __init__(self, stateful: Stateful, late: int = 0) -> None:
        """Start without any event."""
        self._late = late
        assert stateful.threshold is not None
        self.memory: KeyedMemory[Window] = KeyedMemory()
        self._stateful = stateful
        self._threshold = stateful.threshold

    def observe(self, _: int, event: Event) -> tuple[Event, ...] | None:
        """Count an event; return the earlier ones when there are enough with it.

        Then the key is silent for the time of the threshold, and begins anew.
        """
        within, distinct = self._stateful.within, self._threshold.distinct
        key = self._stateful.keys[0](event)
        value = None if distinct is None else distinct(event)
        if key is None or (distinct is not None and value is None):
            return None
        if self._late:
            return self._observe_late(key, value, event)
        self.memory.expire(event.time)
        window = self.memory.get(key) or Window()
        if window.alerted is not None and abs(event.time - window.alerted) < within:
            return None
        window.alerted = None
        window.until = event.time + within
        window.drop_outside(event.time, within)
        if distinct is None:
            window.number += 1
            value = window.number
        value = shortened(value)
        earlier = None
        if len(window.seen) + (value not in window.seen) >= self._threshold.count:
            earlier = tuple(evidence.event for evidence in window.evidence.values())
            window.clear()
            window.alerted = event.time
        else:
            window.add(value, event)
        self.memory.put(key, window)
        return earlier

    def _observe_late(self, key: Key, value: Hashable, event: Event) -> tuple[Event, ...] | None:
        """Count an event that may have come after newer ones, as ``observe`` does."""
        within, late = self._stateful.within, self._late
        self.memory.expire(event.time)
        window = self.memory.get(key) or Window()
        newest = max(next(reversed(window.seen.values()), 0), window.alerted or 0)
        if event.time < newest - within - late:  # so late is nothing: the clock was put back
            window.clear()
            window.alerted = None
        if self._is_silent(window, event):
            return None
        window.drop_before(max(newest, event.time) - within - late)
        if self._threshold.distinct is None:
            window.number += 1
            value = window.number
        # Of a value that is seen again and again a few times are kept: an event that comes late may need an older one.
        value = (shortened(value), event.time * PARTS // within)
        end = self._end(window, value, event)
        earlier = None
        if end is None:
            window.insert(value, event)
        else:
            shown = [one.event for one in window.evidence.values() if end - within <= one.event.time <= end]
            earlier = tuple(sorted(shown, key=lambda one: one.time))
            window.drop_before(end + within)
            window.alerted = max(window.alerted or end, end)
        window.until = max(window.until, event.time + within + late)
        self.memory.put(key, window)
        return earlier

    def _is_silent(self, window: Window, event: Event) -> bool:
        """Tell whether an alert of before is for this event as well."""
        if window.alerted is None or abs(event.time - window.alerted) >= self._stateful.within:
            return False
        if self._threshold.count == 1:  # of one event: the first of them decides how long it is silent
            window.alerted = min(window.alerted, event.time)
        return True

    def _end(self, window: Window, value: tuple[Hashable, int], event: Event) -> int | None:
        """Return when there were enough values within the time, with this one; None when there were not."""
        count, within = self._threshold.count, self._stateful.within
        if len(window.seen) + 1 < count:
            return None
        near: list[tuple[int, Hashable]] = [(event.time, value[0])]
        for (other, _), time in reversed(cast("OrderedDict[tuple[Hashable, int], int]", window.seen).items()):
            if time < event.time - within:
                break
            if time <= event.time + within:
                near.append((time, other))
        near.sort(key=lambda one: one[0])
        first = 0
        times: dict[Hashable, int] = {}
        for time, one in near:
            times[one] = times.get(one, 0) + 1
            while time - near[first][0] > within:
                gone = near[first][1]
                times[gone] -= 1
                if not times[gone]:
                    del times[gone]
                first += 1
            if time >= event.time and len(times) >= count:
                return time
        return None
