"""The engine: the first rule that matches wins, and a rule that fails blinds no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.enrich.container import HOST
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.rules.loader import RuleSet


class Rules:
    """A set of rules, each a name, its event type and what it says of an event; in load order."""

    def __init__(self, *rules: tuple[str, str, Callable[[Event], bool]]) -> None:
        self.asked: list[str] = []
        self._rules = [
            (kind, SimpleNamespace(name=name, matches=self._noting(name, says))) for name, kind, says in rules
        ]

    def _noting(self, name: str, says: Callable[[Event], bool]) -> Callable[[Event], bool]:
        def matches(event: Event) -> bool:
            self.asked.append(name)
            return says(event)

        return matches

    def for_type(self, name: str) -> list[Any]:
        return [rule for kind, rule in self._rules if kind == name]


def engine(rules: Rules, counters: Counters | None = None, *, every: bool = False) -> Engine:
    return Engine(cast("RuleSet", rules), counters or Counters(), every=every)


def event(name: str = "openat") -> Event:
    return Event(number=1, time=1, type=BY_NAME[name], params={}, process=None, container=HOST)


def yes(_: Event) -> bool:
    return True


def no(_: Event) -> bool:
    return False


def fails(_: Event) -> bool:
    raise ValueError("a value that nobody thought of")


def test_the_first_rule_that_matches_wins_and_later_ones_are_not_asked() -> None:
    rules = Rules(("one", "openat", no), ("two", "openat", yes), ("three", "openat", yes))
    opened = event()
    match = engine(rules).judge(opened)
    assert match is not None
    assert (match.rule.name, match.event) == ("two", opened)
    assert rules.asked == ["one", "two"]


def test_an_event_that_no_rule_matches_is_no_match() -> None:
    assert engine(Rules(("one", "openat", no))).judge(event()) is None


def test_rules_of_other_event_types_are_not_asked() -> None:
    rules = Rules(("one", "connect", yes))
    assert engine(rules).judge(event()) is None
    assert rules.asked == []


def test_every_event_that_rules_can_see_can_be_judged() -> None:
    judge = engine(Rules()).judge
    assert [judge(event(kind.name)) for kind in EVENTS if kind.is_event] == [None] * sum(e.is_event for e in EVENTS)


def test_a_rule_that_fails_is_counted_and_the_next_one_is_asked() -> None:
    counters = Counters(dropped={})
    match = engine(Rules(("one", "openat", fails), ("two", "openat", yes)), counters).judge(event())
    assert match is not None
    assert match.rule.name == "two"
    assert counters.dropped == {("openat", "rule_error"): 1}


def test_the_wanted_types_are_those_that_a_rule_looks_at() -> None:
    assert engine(Rules(("one", "connect", yes), ("two", "execve", no))).wanted == {"connect", "execve"}
    assert engine(Rules()).wanted == frozenset()


def test_with_every_all_rules_that_match_count_in_their_order() -> None:
    rules = Rules(("one", "openat", yes), ("two", "openat", no), ("three", "openat", yes))
    assert [match.rule.name for match in engine(rules, every=True).matches(event())] == ["one", "three"]
    assert [match.rule.name for match in engine(rules).matches(event())] == ["one"]
    assert list(engine(Rules()).matches(event())) == []


def test_with_every_a_rule_that_fails_is_counted_and_the_others_are_asked() -> None:
    counters = Counters(dropped={})
    rules = Rules(("one", "openat", fails), ("two", "openat", yes))
    assert [match.rule.name for match in engine(rules, counters, every=True).matches(event())] == ["two"]
    assert counters.dropped == {("openat", "rule_error"): 1}


def test_events_of_types_that_are_not_watched_here_are_judged_without_being_wanted() -> None:
    judged = engine(Rules(("one", "mmap", yes)))
    recorded = event()
    recorded.type = msgspec.structs.replace(recorded.type, name="mmap")
    assert judged.judge(recorded) is not None
    assert judged.wanted == frozenset()


def test_a_type_that_nobody_knows_takes_no_memory() -> None:
    judged = engine(Rules())
    recorded = event()
    for number in range(3):
        recorded.type = msgspec.structs.replace(recorded.type, name=f"nosuch{number}")
        assert judged.judge(recorded) is None
    assert not any(name.startswith("nosuch") for name in judged._rules)
