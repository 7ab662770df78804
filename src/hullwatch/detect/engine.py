"""From events to matches: an event is judged by the conditions that its process leaves possible, in Falco's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.detect.correlate import Correlator
from hullwatch.detect.plan import Plan, entries_for
from hullwatch.events.table import EVENTS
from hullwatch.fields.catalogue import event_names
from hullwatch.fields.inputs import result_parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hullwatch.counters import Counters
    from hullwatch.detect.plan import Entry, Kind
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule, RuleSet

_RESULTS = {kind.name: result_parameter(kind.layout) for kind in EVENTS}


class Match(NamedTuple):
    """A rule and the event that it matched; for a rule with state also the events before it, oldest first."""

    rule: Rule
    event: Event
    evidence: tuple[Event, ...] = ()


class Engine:
    """Judges events.

    Rules with state are asked for every event; of the others the first that matches counts, as Falco's
    default is, or every one.

    Args:
        rules: that judge.
        counters: where conditions that fail are counted.
        every: give every rule that matches an event, not only the first.
        decide_once: leave out conditions that the event's process rules out; not for rules whose fields
            were given other functions than their own (``rules.value_events``), which say nothing of it.
    """

    def __init__(self, rules: RuleSet, counters: Counters, *, every: bool = False, decide_once: bool = True) -> None:
        """Sort the rules by the event types that they can match."""
        self._counters = counters
        self._every = every
        self._decide_once = decide_once
        self._correlator = Correlator(counters, rules.rules)
        self._take(rules)

    def _take(self, rules: RuleSet, plan: Plan | None = None) -> None:
        self._rules = rules
        self.plan = (plan or Plan(rules)) if self._decide_once else None
        self._entries: dict[str, list[Entry]] = {}
        names = {kind.name for kind in EVENTS if kind.is_event}
        self.wanted = frozenset(name for name in names if entries_for(rules, name))
        """The event types that at least one condition looks at."""

    def names_wanted(self, names: Iterable[str]) -> frozenset[str]:
        """Return those of some event types that at least one condition looks at."""
        return frozenset(name for name in names if self._all_entries(name))

    def replace(self, rules: RuleSet, plan: Plan | None = None) -> None:
        """Judge by other rules from now on; those with state that are defined as before go on with it.

        Args:
            rules: that judge.
            plan: of these rules, where it was made before: it takes longest.
        """
        correlator = Correlator(self._counters, rules.rules)
        correlator.carry_over(self._correlator)
        self._correlator = correlator
        self._take(rules, plan)

    def matches(self, event: Event) -> list[Match]:
        """Return the matches of an event that count."""
        kind = self.kind(event)
        if kind is None or self.plan is None:
            return self.judge(event, self._all_entries(event.type.name))
        return self.matches_of(event, kind, self.plan.process.mask(event))

    def matches_of(self, event: Event, kind: Kind, mask: int) -> list[Match]:
        """Return the matches of an event that count, knowing what ``Plan.process`` says of its process."""
        mask = mask >> kind.process_shift & kind.every
        return self.judge(event, kind.entries_of(mask)) if mask else []

    def is_nothing_now(self, entries: Sequence[Entry]) -> bool:
        """Tell whether no event can do anything to these conditions: all are later steps that nothing waits for."""
        return all(entry.step and self._correlator.is_idle(entry.rule) for entry in entries)

    def has_begun(self) -> bool:
        """Tell whether something waits since the last call, so that ``is_nothing_now`` may be otherwise."""
        began, self._correlator.began = self._correlator.began, False
        return began

    def judge(self, event: Event, entries: Sequence[Entry]) -> list[Match]:
        """Return the matches of an event that count, asking only these conditions.

        A condition that fails on an event is counted and the next one is asked: one bad event must not
        blind the others.
        """
        found: list[Match] = []
        kept: list[
            Match
        ] = []  # of what says which events are kept: it neither takes an alert's place nor leaves its own
        for rule, step, condition in entries:
            if rule.stateful is None and found and not self._every and not rule.keeps_only:
                continue
            try:
                if not condition.matches(event):
                    continue
                evidence = () if rule.stateful is None else self._correlator.observe(rule, step, event)
            except Exception:  # noqa: BLE001 - whatever an event provokes; counted
                self._counters.drop(event.type.name, "rule_error")
                continue
            if evidence is not None:
                (kept if rule.keeps_only else found).append(Match(rule, event, evidence))
        return found + kept if kept else found

    def kind(self, event: Event) -> Kind | None:
        """Return the kind of an event; None if nothing was decided about its type."""
        if self.plan is None:
            return None
        name = event.type.name
        both = self.plan.kinds.get(name)
        if both is None:
            return None
        if both[0] is both[1]:  # it has no result
            return both[0]
        result = event.params.get(_RESULTS[name] or "")
        return both[isinstance(result, int) and result < 0]

    def _all_entries(self, name: str) -> list[Entry]:
        """Return the conditions to ask about an event type; kept, if it is a known one."""
        found = self._entries.get(name)
        if found is None:
            # No rule can name a type that is not known, only ask about all of them.
            found = entries_for(self._rules, name if name in event_names() else "")
            if name in event_names():
                self._entries[name] = found
        return found
