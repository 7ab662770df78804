"""How far sequences of steps have come: for each key, at each step, the chain that began last.

Where events may come late, a first step that comes after the last one still counts, in sequences of two steps; and one
that happened before an alert belongs to that alert, as it would have if it had come in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.detect.evidence import remember
from hullwatch.detect.keyed_memory import KeyedMemory

if TYPE_CHECKING:
    from hullwatch.detect.evidence import Evidence
    from hullwatch.detect.keyed_memory import Key
    from hullwatch.events.event import Event
    from hullwatch.rules.group_keys import Stateful

Chain = tuple["Evidence", ...]
MOST_ALONE = 4  # last steps of a key without a first one that are remembered, the newest


class Chains:
    """The chains of a key, by the number of steps that they have made, less one.

    One for each number is enough: of two, the one that began later fits wherever the other one does.
    """

    __slots__ = ("alone", "at", "done", "until")

    def __init__(self, steps: int) -> None:
        """Start without any."""
        self.alone: Chain = ()  # last steps, of which the first may come late, by their time
        self.done = 0  # the time of the last step that made an alert
        self.at: list[Chain | None] = [None] * (steps - 1)
        self.until = 0

    @property
    def size(self) -> int:
        """About how many bytes they take."""
        return sum(evidence.size for evidence in self.alone) + sum(
            evidence.size for chain in self.at if chain is not None for evidence in chain
        )

    def is_empty(self) -> bool:
        """Tell whether no chain is left."""
        return not any(self.at)


class SequenceState:
    """The state of one rule with a sequence.

    Args:
        stateful: what the rule remembers.
        late: ns that an event may come after newer ones; 0 where they come in order.
    """

    def __init__(self, stateful: Stateful, late: int = 0) -> None:
        """Start without any chain."""
        self._late = late
        self.memory: KeyedMemory[Chains] = KeyedMemory()
        self._stateful = stateful
        self._completed: tuple[Event, tuple[Key, ...]] | None = None

    def observe(self, step: int, event: Event) -> tuple[Event, ...] | None:
        """Take an event that makes a step; return the earlier events when it is the last one."""
        stateful = self._stateful
        rest = stateful.keys[step](event)
        if rest is None:
            return None
        if stateful.lineage is None:
            keys: tuple[Key, ...] = (rest,)
        else:
            lineage = stateful.lineage(event)
            if lineage is None:
                return None
            keys = tuple((process, *rest) for process in lineage)
        self.memory.expire(event.time)
        if step == 0:
            return self._begin(keys[0], event)
        if step < len(stateful.keys) - 1:
            self._continue(keys, step, event)
            return None
        return self._complete(keys, step, event)

    def _begin(self, key: Key, event: Event) -> tuple[Event, ...] | None:
        """Begin a chain; the event that completed one begins no other of its key.

        Returns:
            The last step, when that was there before and the chain is whole with it; else None.
        """
        if self._completed is not None and self._completed[0] is event and key in self._completed[1]:
            return None
        chains = self.memory.get(key) or Chains(len(self._stateful.keys))
        if self._late and chains.done - self._late <= event.time < chains.done:
            return None  # it is one of the steps before that alert
        for alone in chains.alone:
            if 0 <= alone.event.time - event.time <= self._stateful.within:
                chains.alone, chains.done = (), alone.event.time
                self._keep(key, chains, alone.event.time)
                return (alone.event,)
        other = chains.at[0]
        if other is not None and 0 < other[0].event.time - event.time <= self._stateful.within:
            return None  # this event came late: the chain that is there began after it
        chains.at[0] = (remember(event),)
        self._keep(key, chains, event.time)
        return None

    def _continue(self, keys: tuple[Key, ...], step: int, event: Event) -> None:
        evidence: Evidence | None = None
        for key in keys:
            chains = self.memory.get(key)
            chain = self._fitting(chains, step, event)
            if chains is None or chain is None:
                continue
            evidence = evidence or remember(event)
            chains.at[step - 1], chains.at[step] = None, (*chain, evidence)
            self._keep(key, chains, event.time)

    def _complete(self, keys: tuple[Key, ...], step: int, event: Event) -> tuple[Event, ...] | None:
        """Return the chain that began last of all that this event completes, and forget them all."""
        found = [(key, chain) for key in keys if (chain := self._fitting(self.memory.get(key), step, event))]
        if not found:
            if self._late and step == 1 and len(keys) == 1:
                self._wait(keys[0], event)
            return None
        for key, _ in found:
            self._end(key, event)
        self._completed = (event, tuple(key for key, _ in found))
        newest = max((chain for _, chain in found), key=lambda chain: chain[0].event.time)
        return tuple(evidence.event for evidence in newest)

    def _fitting(self, chains: Chains | None, step: int, event: Event) -> Chain | None:
        """Return the chain that this event continues, if it comes after its steps and not too late."""
        chain = chains.at[step - 1] if chains is not None else None
        if chain is None or event.time < chain[-1].event.time:
            return None
        return chain if event.time - chain[0].event.time <= self._stateful.within else None

    def _wait(self, key: Key, event: Event) -> None:
        """Keep a last step, of which the first may come late."""
        chains = self.memory.get(key) or Chains(len(self._stateful.keys))
        if chains.done - self._late <= event.time <= chains.done:
            return
        kept = sorted((*chains.alone, remember(event)), key=lambda one: one.event.time)
        chains.alone = tuple(one for one in kept[-MOST_ALONE:] if abs(event.time - one.event.time) <= self._late)
        self._keep(key, chains, event.time)

    def _end(self, key: Key, event: Event) -> None:
        """Forget the chains of a key that an event has completed."""
        if not self._late:
            self.memory.forget(key)
            return
        chains = Chains(len(self._stateful.keys))
        chains.done = event.time
        self._keep(key, chains, event.time)

    def _keep(self, key: Key, chains: Chains, moment: int) -> None:
        begun = [chain[0].event.time for chain in chains.at if chain is not None]
        chains.until = max(begun, default=moment) + self._stateful.within + self._late
        self.memory.put(key, chains)
