"""The engine: the first rule that matches wins, rules with state are always asked, a failing one blinds no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.detect.plan import Plan
from hullwatch.events.table import EVENTS
from tests.rules.conftest import load_text, make_event

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import RuleSet

YES = "evt.type = openat and fd.name = /etc/passwd"
NO = "evt.type = openat and fd.name = /etc/shadow"
THRICE = {"threshold": {"count": 3, "within": "1m"}, "by": ["proc.pid"]}


def rules_of(*conditions: str, **more: object) -> RuleSet:
    """Return rules r0, r1, ...; ``more`` are keys of the last one."""
    shared: dict[str, object] = {"desc": "d", "output": "x", "priority": "NOTICE", "warn_evttypes": False}
    rules = [shared | {"rule": f"r{number}", "condition": one} for number, one in enumerate(conditions)]
    return load_text(json.dumps([*rules[:-1], rules[-1] | more]))


@pytest.fixture(params=[True, False], ids=["deciding once", "asking every time"])
def decide_once(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def found(rules: RuleSet, event: Event, *, every: bool = False, decide_once: bool = True) -> list[str]:
    engine = Engine(rules, Counters(), every=every, decide_once=decide_once)
    return [match.rule.name for match in engine.matches(event)]


def test_the_first_rule_that_matches_wins(*, decide_once: bool) -> None:
    assert found(rules_of(NO, YES, YES), make_event(), decide_once=decide_once) == ["r1"]


def test_with_every_all_rules_that_match_count_in_their_order(*, decide_once: bool) -> None:
    assert found(rules_of(YES, NO, YES), make_event(), every=True, decide_once=decide_once) == ["r0", "r2"]


def test_rules_that_name_the_event_type_come_before_those_that_name_none(*, decide_once: bool) -> None:
    assert found(rules_of("fd.name = /etc/passwd", YES), make_event(), decide_once=decide_once) == ["r1"]


def test_rules_of_other_event_types_are_not_asked(*, decide_once: bool) -> None:
    assert found(rules_of("evt.type = connect and proc.name = cat"), make_event(), decide_once=decide_once) == []


def test_every_event_that_rules_can_see_can_be_judged(*, decide_once: bool) -> None:
    rules = rules_of("proc.name = cat")
    for kind in EVENTS:
        if kind.is_event:
            assert found(rules, make_event(kind.name), decide_once=decide_once) == ["r0"]


def _failing(rules: RuleSet) -> RuleSet:
    """Make the first rule fail on every event."""

    def fails(_: Event) -> bool:
        raise ValueError("a value that nobody thought of")

    rules.rules[0].conditions[0].matches = fails
    return rules


@pytest.mark.parametrize("every", [False, True])
def test_a_rule_that_fails_is_counted_and_the_next_one_is_asked(*, every: bool, decide_once: bool) -> None:
    counters = Counters(dropped={})
    engine = Engine(_failing(rules_of(YES, YES)), counters, every=every, decide_once=decide_once)
    assert [match.rule.name for match in engine.matches(make_event())] == ["r1"]
    assert counters.dropped == {("openat", "rule_error"): 1}


def test_the_wanted_types_are_those_that_a_rule_looks_at() -> None:
    assert Engine(rules_of("evt.type = connect", "evt.type = execve"), Counters()).wanted == {"connect", "execve"}


def test_a_rule_with_state_is_asked_whatever_other_rules_match(*, decide_once: bool) -> None:
    engine = Engine(rules_of(YES, YES, **THRICE), Counters(), decide_once=decide_once)
    assert [[match.rule.name for match in engine.matches(make_event())] for _ in range(3)] == [
        ["r0"],
        ["r0"],
        ["r0", "r1"],
    ]


def test_a_match_of_a_rule_with_state_tells_the_events_before() -> None:
    engine = Engine(rules_of(YES, **THRICE), Counters())
    times = [1_000_000_000, 2_000_000_000, 3_000_000_000]
    matches = []
    for time in times:
        event = make_event()
        event.time = time
        matches = engine.matches(event)
    (match,) = matches
    assert [event.time for event in match.evidence] == times[:2]
    assert match.event.time == times[2]


def test_other_rules_go_on_with_the_state_of_the_same_rule() -> None:
    engine = Engine(rules_of(YES, **THRICE), Counters())
    engine.matches(make_event())
    engine.matches(make_event())
    engine.replace(rules_of(NO, YES))  # r1 is a rule without state, r0 another one
    assert [match.rule.name for match in engine.matches(make_event())] == ["r1"]
    engine.replace(rules_of(YES, **THRICE))
    engine.matches(make_event())
    engine.matches(make_event())
    engine.replace(rules_of(YES, **THRICE))
    assert [match.rule.name for match in engine.matches(make_event())] == ["r0"]


def test_a_plan_that_was_made_before_is_used() -> None:
    engine = Engine(rules_of(NO), Counters())
    rules = rules_of(YES)
    plan = Plan(rules)
    engine.replace(rules, plan)
    assert engine.plan is plan
    assert [match.rule.name for match in engine.matches(make_event())] == ["r0"]


def test_events_of_types_that_are_not_watched_here_are_judged_without_being_wanted() -> None:
    engine = Engine(rules_of("evt.type = munmap"), Counters())
    recorded = make_event()
    recorded.type = msgspec.structs.replace(recorded.type, name="munmap")
    assert len(engine.matches(recorded)) == 1
    assert engine.wanted == frozenset()


def test_a_type_that_nobody_knows_takes_no_memory() -> None:
    engine = Engine(rules_of("proc.name = cat"), Counters())
    recorded = make_event()
    for number in range(3):
        recorded.type = msgspec.structs.replace(recorded.type, name=f"nosuch{number}")
        assert len(engine.matches(recorded)) == 1
    assert not any(name.startswith("nosuch") for name in engine._entries)
