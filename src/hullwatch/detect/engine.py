"""From events to matches: each event is judged by the rules that name its type, in Falco's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.table import EVENTS

if TYPE_CHECKING:
    from hullwatch.counters import Counters
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule, RuleSet


class Match(NamedTuple):
    """A rule and the event that it matched."""

    rule: Rule
    event: Event


class Engine:
    """Judges events; the first matching rule ends it, as Falco's default does."""

    def __init__(self, rules: RuleSet, counters: Counters) -> None:
        """Sort the rules by the event types that they can match."""
        self._rules = {kind.name: rules.for_type(kind.name) for kind in EVENTS if kind.is_event}
        self._counters = counters

    @property
    def wanted(self) -> frozenset[str]:
        """The event types that at least one rule looks at."""
        return frozenset(name for name, rules in self._rules.items() if rules)

    def judge(self, event: Event) -> Match | None:
        """Return the first match.

        A rule that fails on an event is counted and the next one is asked: one bad event must not
        blind the others.
        """
        for rule in self._rules[event.type.name]:
            try:
                if rule.matches(event):
                    return Match(rule, event)
            except Exception:  # noqa: BLE001 - whatever an event provokes; counted
                self._counters.drop(event.type.name, "rule_error")
        return None
