"""The state of rules that have some: bounded, by rule and in total, and the same whenever the same events come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.detect.late_sequence import LateSequence
from hullwatch.detect.sequence_state import SequenceState
from hullwatch.detect.threshold_state import ThresholdState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.counters import Counters
    from hullwatch.events.event import Event
    from hullwatch.rules.group_keys import Stateful
    from hullwatch.rules.loader import Rule

RULE_SIZE = 8 << 20  # bytes that a rule may remember, about
TOTAL_SIZE = 32 << 20  # bytes that all rules may
_ROOM = 64  # when all is full, a part of this size is freed at once


class Correlator:
    """Remembers what rules with state have seen, and tells when that is an alert.

    Time is the events' own, never the clock's: a replay gives the same alerts.

    Args:
        counters: where is counted what was forgotten for want of room.
        rules: those without state are left out.
        rule_size: bytes that a rule may remember, about.
        total_size: bytes that all rules may.
        late: ns that an event may come after newer ones and still count where it belongs.

    Attributes:
        began: set when a rule that remembered nothing remembers something; whoever looks at it clears it.
    """

    def __init__(
        self,
        counters: Counters,
        rules: Sequence[Rule],
        *,
        rule_size: int = RULE_SIZE,
        total_size: int = TOTAL_SIZE,
        late: int = 0,
    ) -> None:
        """Start with nothing remembered."""
        self._counters = counters
        self._rule_size = rule_size
        self._total_size = total_size
        self._texts = {rule.name: rule.stateful.text for rule in rules if rule.stateful is not None}
        self._states = {rule.name: _state(rule.stateful, late) for rule in rules if rule.stateful is not None}
        self.size = 0
        self.began = False

    def is_idle(self, rule: Rule) -> bool:
        """Tell whether a rule has no sequence that waits for a later step: then such a step is nothing to it."""
        return not len(self._states[rule.name].memory)

    def observe(self, rule: Rule, step: int, event: Event) -> tuple[Event, ...] | None:
        """Take an event for which a condition of a rule holds.

        For each event the later steps of a rule have to come first, so that it cannot make two.

        Args:
            rule: one of those that this was made with.
            step: the place of the condition in ``rule.conditions``.
            event: as the rule saw it.

        Returns:
            None, or when the rule alerts, the earlier events that it alerts for, oldest first: of a sequence
            those of its steps, of a threshold the last few. They are copies that have no ancestors but the parent.
        """
        state = self._states[rule.name]
        before = state.memory.size
        earlier = state.observe(step, event)
        if state.memory.size > self._rule_size:
            self._counters.forgotten += state.memory.shrink(self._rule_size)
        self.size += state.memory.size - before
        self.began |= not before and state.memory.size > 0
        if self.size > self._total_size:
            self._make_room()
        return earlier

    def carry_over(self, old: Correlator) -> None:
        """Go on with the state of an earlier correlator, for each rule that is defined as it was."""
        for name, text in self._texts.items():
            if old._texts.get(name) == text:
                self._states[name] = old._states[name]
        self.size = sum(state.memory.size for state in self._states.values())

    def _make_room(self) -> None:
        """Let the rules that remember most forget what they used least."""
        wanted = self._total_size - self._total_size // _ROOM
        while self.size > wanted:
            largest = max((state.memory for state in self._states.values()), key=lambda memory: memory.size)
            before = largest.size
            self._counters.forgotten += largest.shrink(max(0, before - (self.size - wanted)))
            self.size += largest.size - before


def _state(stateful: Stateful, late: int) -> SequenceState | LateSequence | ThresholdState:
    if stateful.threshold is not None:
        return ThresholdState(stateful, late)
    in_order = not late or stateful.lineage is not None  # only the sensor's events have processes
    return SequenceState(stateful) if in_order else LateSequence(stateful, late)
