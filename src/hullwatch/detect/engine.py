"""From events to matches: each event is judged by the rules that name its type, in Falco's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.table import EVENTS
from hullwatch.fields.catalogue import event_names

if TYPE_CHECKING:
    from hullwatch.counters import Counters
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule, RuleSet


class Match(NamedTuple):
    """A rule and the event that it matched."""

    rule: Rule
    event: Event


class Engine:
    """Judges events.

    Asking for the first match costs nothing more when all are wanted: most events have none.

    Args:
        rules: that judge.
        counters: where rules that fail are counted.
        every: give every rule that matches an event, not only the first as Falco's default does.
    """

    def __init__(self, rules: RuleSet, counters: Counters, *, every: bool = False) -> None:
        """Sort the rules by the event types that they can match."""
        self._all = rules
        self._rules = {kind.name: rules.for_type(kind.name) for kind in EVENTS if kind.is_event}
        self._wanted = frozenset(name for name, found in self._rules.items() if found)
        self._counters = counters
        self._every = every

    @property
    def wanted(self) -> frozenset[str]:
        """The event types that at least one rule looks at."""
        return self._wanted

    def judge(self, event: Event) -> Match | None:
        """Return the first match.

        A rule that fails on an event is counted and the next one is asked: one bad event must not
        blind the others.
        """
        try:
            rules = self._rules[event.type.name]
        except KeyError:
            rules = self._rules_of_other(event.type.name)
        for rule in rules:
            try:
                if rule.matches(event):
                    return Match(rule, event)
            except Exception:  # noqa: BLE001 - whatever an event provokes; counted
                self._counters.drop(event.type.name, "rule_error")
        return None

    def following(self, match: Match) -> list[Match]:
        """Return the matches of the same event that count besides the first: none, unless ``every`` was asked for."""
        if not self._every:
            return []
        rule, event = match
        rules = self._rules.get(event.type.name) or self._rules_of_other(event.type.name)
        return [Match(one, event) for one in rules[rules.index(rule) + 1 :] if self._holds(one, event)]

    def matches(self, event: Event) -> list[Match]:
        """Return all matches of an event that count, in the order of ``judge``."""
        match = self.judge(event)
        return [] if match is None else [match, *self.following(match)]

    def _rules_of_other(self, name: str) -> list[Rule]:
        """Return the rules to ask about a recorded event of a type that we do not watch; kept, if it is a known one."""
        if name not in event_names():
            return self._all.for_type("")  # no rule can name such a type, only ask about all of them
        self._rules[name] = self._all.for_type(name)
        return self._rules[name]

    def _holds(self, rule: Rule, event: Event) -> bool:
        try:
            return rule.matches(event)
        except Exception:  # noqa: BLE001 - as above
            self._counters.drop(event.type.name, "rule_error")
            return False
