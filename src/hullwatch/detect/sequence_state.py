"""How far sequences of steps have come: for each key, at each step, the chain that began last.

The events come in order, as those of the sensor do; for others there is ``late_sequence``.
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


class Chains:
    """The chains of a key, by the number of steps that they have made, less one.

    One for each number is enough: of two, the one that began later fits wherever the other one does.
    """

    __slots__ = ("at", "until")

    def __init__(self, steps: int) -> None:
        """Start without any."""
        self.at: list[Chain | None] = [None] * (steps - 1)
        self.until = 0

    @property
    def size(self) -> int:
        """About how many bytes they take."""
        return sum(evidence.size for chain in self.at if chain is not None for evidence in chain)

    def is_empty(self) -> bool:
        """Tell whether no chain is left."""
        return not any(self.at)


class SequenceState:
    """The state of one rule with a sequence.

    Args:
        stateful: what the rule remembers.
    """

    def __init__(self, stateful: Stateful) -> None:
        """Start without any chain."""
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
            self._begin(keys[0], event)
            return None
        if step < len(stateful.keys) - 1:
            self._continue(keys, step, event)
            return None
        return self._complete(keys, step, event)

    def _begin(self, key: Key, event: Event) -> None:
        """Begin a chain; the event that completed one begins no other of its key."""
        if self._completed is not None and self._completed[0] is event and key in self._completed[1]:
            return
        chains = self.memory.get(key) or Chains(len(self._stateful.keys))
        other = chains.at[0]
        if other is not None and 0 < other[0].event.time - event.time <= self._stateful.within:
            return  # this event came late: the chain that is there began after it
        chains.at[0] = (remember(event),)
        self._keep(key, chains, event.time)

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
            return None
        for key, _ in found:
            self.memory.forget(key)
        self._completed = (event, tuple(key for key, _ in found))
        newest = max((chain for _, chain in found), key=lambda chain: chain[0].event.time)
        return tuple(evidence.event for evidence in newest)

    def _fitting(self, chains: Chains | None, step: int, event: Event) -> Chain | None:
        """Return the chain that this event continues, if it comes after its steps and not too late."""
        chain = chains.at[step - 1] if chains is not None else None
        if chain is None or event.time < chain[-1].event.time:
            return None
        return chain if event.time - chain[0].event.time <= self._stateful.within else None

    def _keep(self, key: Key, chains: Chains, moment: int) -> None:
        begun = [chain[0].event.time for chain in chains.at if chain is not None]
        chains.until = max(begun, default=moment) + self._stateful.within
        self.memory.put(key, chains)
