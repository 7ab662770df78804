"""How many events of a key there were within a time, or how many different values of a field."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from hullwatch.detect.evidence import remember
from hullwatch.detect.keyed_memory import KeyedMemory
from hullwatch.rules.group_keys import shortened

if TYPE_CHECKING:
    from collections.abc import Hashable

    from hullwatch.detect.evidence import Evidence
    from hullwatch.events.event import Event
    from hullwatch.rules.group_keys import Stateful

MOST_EVIDENCE = 9  # earlier events that an alert shows, the last ones
ENTRY_SIZE = 250  # bytes of a value and its time, about


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
        self.seen: OrderedDict[Hashable, int] = OrderedDict()
        self.evidence: OrderedDict[Hashable, Evidence] = OrderedDict()
        self.alerted: int | None = None
        self.number = 0
        self.size = 0
        self.until = 0

    def drop_outside(self, now: int, within: int) -> None:
        """Drop what was seen too long ago, or in a future that a clock has left."""
        while self.seen and abs(now - next(iter(self.seen.values()))) > within:
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
        self.seen[value] = event.time
        self.evidence[value] = kept = remember(event)
        self.size += ENTRY_SIZE + kept.size
        if len(self.evidence) > MOST_EVIDENCE:
            _, oldest = self.evidence.popitem(last=False)
            self.size -= oldest.size

    def clear(self) -> None:
        """Forget all values."""
        self.seen.clear()
        self.evidence.clear()
        self.size = 0


class ThresholdState:
    """The state of one rule with a threshold."""

    def __init__(self, stateful: Stateful) -> None:
        """Start without any event."""
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
