"""Sequences and thresholds: which events make an alert, and how much is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.counters import Counters
from hullwatch.detect.correlate import Correlator
from hullwatch.detect.threshold_state import ENTRY_SIZE, ThresholdState
from hullwatch.enrich.container import Container
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.formats.summary import summary
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.value_events import ValueEvents, from_values
from tests.rules.conftest import load_text, make_event

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import Rule

SECOND = 1_000_000_000
BOX = Container(id="c1", name="box")


class Watch:
    """One rule with state and its correlator, asked as the engine asks."""

    def __init__(self, keys: str, rule_size: int = 8 << 20, total_size: int = 32 << 20, late: float = 0) -> None:
        text = f"- rule: R\n  desc: d\n  output: x\n  priority: INFO\n  warn_evttypes: false\n{keys}"
        self.rule = load_text(text).rules[0]
        self.counters = Counters()
        sizes: dict[str, int] = {"rule_size": rule_size, "total_size": total_size, "late": round(late * SECOND)}
        self.correlator = Correlator(self.counters, [self.rule], **sizes)

    def see(self, event: Event) -> tuple[Event, ...] | None:
        return see(self.correlator, self.rule, event)


def see(correlator: Correlator, rule: Rule, event: Event) -> tuple[Event, ...] | None:
    answer = None
    for step, condition in reversed(list(enumerate(rule.conditions))):
        if condition.matches(event):
            found = correlator.observe(rule, step, event)
            answer = answer if found is None else found
    return answer


def opened(name: str, second: float = 0, container: Container = BOX, process: Process | None = None) -> Event:
    event = make_event(container=container, process=process, name=name)
    event.time = round(second * SECOND)
    return event


def steps(*names: str, within: str = "10s", by: str = "container") -> str:
    conditions = "".join(f"    - condition: fd.name = {name}\n" for name in names)
    return f"  sequence:\n{conditions}  by: {by}\n  within: {within}\n"


def names(events: tuple[Event, ...] | None) -> list[str] | None:
    return None if events is None else [str(event.params["name"]) for event in events]


def times(events: tuple[Event, ...] | None) -> list[int] | None:
    return None if events is None else [event.time // SECOND for event in events]


def process(pid: int, parent: Process | None = None) -> Process:
    return Process(ProcessKey(pid, pid), parent, Program(f"p{pid}"))


def test_a_sequence_alerts_at_its_last_step_and_gives_the_earlier_ones() -> None:
    watch = Watch(steps("/a", "/b", "/c"))
    assert watch.see(opened("/a", 1)) is None
    assert watch.see(opened("/b", 2)) is None
    assert watch.see(opened("/x", 3)) is None
    found = watch.see(opened("/c", 4))
    assert names(found) == ["/a", "/b"]
    assert times(found) == [1, 2]


def test_steps_in_another_order_are_no_sequence() -> None:
    watch = Watch(steps("/a", "/b"))
    assert watch.see(opened("/b", 1)) is None
    assert watch.see(opened("/a", 2)) is None


def test_a_step_that_is_given_late_but_happened_before_is_none() -> None:
    watch = Watch(steps("/a", "/b"))
    assert watch.see(opened("/a", 2)) is None
    assert watch.see(opened("/b", 1)) is None
    assert times(watch.see(opened("/b", 2))) == [2]


def test_a_sequence_has_to_be_complete_within_its_time() -> None:
    watch = Watch(steps("/a", "/b", "/c"))
    assert [watch.see(opened("/a", 1)), watch.see(opened("/b", 10)), watch.see(opened("/c", 11.5))] == [None] * 3
    assert [watch.see(opened("/a", 21)), watch.see(opened("/b", 22))] == [None] * 2
    assert times(watch.see(opened("/c", 31))) == [21, 22]


def test_of_several_first_steps_the_last_one_counts_so_that_no_sequence_is_missed() -> None:
    watch = Watch(steps("/a", "/b"))
    watch.see(opened("/a", 1))
    watch.see(opened("/a", 9))
    assert times(watch.see(opened("/b", 15))) == [9]


def test_a_first_step_that_comes_late_does_not_replace_a_newer_one() -> None:
    watch = Watch(steps("/a", "/b"))
    watch.see(opened("/a", 9))
    watch.see(opened("/a", 1))
    assert times(watch.see(opened("/b", 15))) == [9]


def test_a_chain_is_one_alert() -> None:
    watch = Watch(steps("/a", "/b"))
    watch.see(opened("/a", 1))
    assert watch.see(opened("/b", 2)) is not None
    assert watch.see(opened("/b", 3)) is None
    watch.see(opened("/a", 4))
    assert times(watch.see(opened("/b", 5))) == [4]


def test_one_event_cannot_make_two_steps_of_a_chain() -> None:
    watch = Watch(steps("/a", "/a"))
    assert [times(watch.see(opened("/a", second))) for second in (1, 2, 3, 4)] == [None, [1], None, [3]]


def test_steps_of_different_keys_are_no_sequence() -> None:
    watch = Watch(steps("/a", "/b"))
    watch.see(opened("/a", 1))
    assert watch.see(opened("/b", 2, container=Container(id="c2"))) is None
    assert watch.see(opened("/b", 3)) is not None


def test_without_by_all_events_are_of_one_key() -> None:
    watch = Watch(steps("/a", "/b").replace("  by: container\n", ""))
    watch.see(opened("/a", 1))
    assert watch.see(opened("/b", 2, container=Container(id="c2"))) is not None


def test_an_event_without_a_value_to_group_by_takes_no_part() -> None:
    watch = Watch(steps("/a", "/b", by="k8s.pod.uid"))
    watch.see(opened("/a", 1))
    assert watch.see(opened("/b", 2)) is None
    pod = Container(id="c3", labels={"io.kubernetes.pod.uid": "u"})
    watch.see(opened("/a", 1, container=pod))
    assert watch.see(opened("/b", 2, container=pod)) is not None


def test_each_step_may_have_its_own_values() -> None:
    watch = Watch(
        "  sequence:\n    - {condition: fd.name startswith /w, by: fd.name}\n"
        "    - {condition: fd.name startswith /r, by: 'concat(\"/w\", basename(fd.name))'}\n"
        "  by: container\n  within: 10s\n"
    )
    watch.see(opened("/w1", 1))
    assert watch.see(opened("/r/2", 2)) is None
    assert names(watch.see(opened("/r/1", 3))) == ["/w1"]


def test_a_long_value_is_grouped_by_its_digest() -> None:
    watch = Watch(
        "  sequence:\n    - condition: fd.num = 3\n    - condition: fd.num = 3\n  by: fd.name\n  within: 10s\n"
    )
    long = "/" + "x" * 300
    assert watch.see(opened(long, 1)) is None
    assert watch.see(opened(long + "y", 2)) is None
    assert times(watch.see(opened(long, 3))) == [1]


def test_a_process_tree_is_the_process_of_the_first_step_and_those_below_it() -> None:
    shell = process(10, process(1))
    child, other = process(11, shell), process(12, shell)
    stranger = process(20, process(1))
    watch = Watch(steps("/a", "/b", "/c", by="process_tree"))
    watch.see(opened("/a", 1, process=shell))
    watch.see(opened("/b", 2, process=child))
    assert watch.see(opened("/c", 3, process=stranger)) is None
    assert watch.see(opened("/c", 3, process=process(1))) is None
    assert times(watch.see(opened("/c", 4, process=process(13, other)))) == [1, 2]


def test_in_a_process_tree_a_step_counts_for_every_ancestor_that_waits_for_it() -> None:
    shell = process(10, process(1))
    child, other = process(11, shell), process(12, shell)
    watch = Watch(steps("/a", "/b", "/c", by="process_tree"))
    watch.see(opened("/a", 1, process=shell))
    watch.see(opened("/a", 2, process=child))
    watch.see(opened("/b", 3, process=child))
    assert times(watch.see(opened("/c", 4, process=other))) == [1, 3]


def test_a_process_is_not_another_one_with_its_number() -> None:
    watch = Watch(steps("/a", "/b", by="process"))
    watch.see(opened("/a", 1, process=process(10)))
    later = Process(ProcessKey(10, 99), None, Program())
    assert watch.see(opened("/b", 2, process=later)) is None
    assert watch.see(opened("/b", 3, process=process(10))) is not None


def threshold(count: int, distinct: str = "", by: str = "container") -> str:
    what = f", distinct: {distinct}" if distinct else ""
    return f"  condition: fd.num = 3\n  threshold: {{count: {count}, within: 10s{what}}}\n  by: {by}\n"


def test_a_threshold_alerts_when_there_were_enough_events_within_its_time() -> None:
    watch = Watch(threshold(3))
    assert [watch.see(opened("/a", second)) for second in (1, 2, 11.5, 12.5)] == [None] * 4
    assert times(watch.see(opened("/a", 13))) == [11, 12]


def test_after_an_alert_a_threshold_is_silent_for_its_time_and_begins_anew() -> None:
    watch = Watch(threshold(2))
    alerted = [second for second in range(40) if watch.see(opened("/a", second)) is not None]
    assert alerted == [1, 12, 23, 34]


def test_different_values_are_counted_each_once() -> None:
    watch = Watch(threshold(3, "fd.name"))
    seen = [names(watch.see(opened(name, at))) for at, name in enumerate(("/a", "/b", "/a", "/b", "/c"))]
    assert seen == [None, None, None, None, ["/a", "/b"]]


def test_a_value_that_was_seen_too_long_ago_does_not_count() -> None:
    watch = Watch(threshold(3, "fd.name"))
    assert [watch.see(opened(name, at)) for name, at in (("/a", 1), ("/b", 9), ("/c", 12))] == [None] * 3
    assert names(watch.see(opened("/d", 13))) == ["/b", "/c"]


def test_a_value_that_is_seen_again_counts_from_then_on() -> None:
    watch = Watch(threshold(3, "fd.name"))
    for name, at in (("/a", 1), ("/b", 2), ("/a", 10)):
        assert watch.see(opened(name, at)) is None
    assert watch.see(opened("/c", 12)) is not None


def test_each_key_has_a_count_of_its_own() -> None:
    watch = Watch(threshold(2))
    assert watch.see(opened("/a", 1)) is None
    assert watch.see(opened("/a", 2, container=Container(id="c2"))) is None
    assert watch.see(opened("/a", 3)) is not None


def test_a_threshold_of_one_alerts_at_once_and_then_no_more_for_its_time() -> None:
    watch = Watch(threshold(1))
    assert [watch.see(opened("/a", second)) for second in (1, 2, 10.9, 11)] == [(), None, None, ()]


def test_an_alert_shows_the_last_events_of_a_high_count() -> None:
    watch = Watch(threshold(50))
    found = [watch.see(opened("/a", 5 + number / 100)) for number in range(50)]
    assert found[:49] == [None] * 49
    assert len(found[49] or ()) == 9


def test_a_clock_that_is_set_back_does_not_silence_a_threshold() -> None:
    watch = Watch(threshold(2))
    watch.see(opened("/a", 5000))
    assert watch.see(opened("/a", 5001)) is not None
    watch.see(opened("/a", 100))
    assert watch.see(opened("/a", 101)) is not None


def test_a_clock_that_is_set_back_does_not_silence_a_sequence() -> None:
    watch = Watch(steps("/a", "/b"))
    watch.see(opened("/a", 5000))
    watch.see(opened("/a", 100))
    assert times(watch.see(opened("/b", 101))) == [100]


def test_what_is_remembered_keeps_no_ancestors_alive_but_the_parent() -> None:
    watch = Watch(steps("/a", "/b"))
    watch.see(opened("/a", 1, process=process(3, process(2, process(1)))))
    found = watch.see(opened("/b", 2))
    assert found is not None
    (first,) = found
    assert first.process is not None
    assert first.process.key.pid == 3
    assert first.process.parent is not None
    assert (first.process.parent.key.pid, first.process.parent.parent) == (2, None)


def test_what_a_process_runs_later_does_not_change_the_evidence() -> None:
    watch = Watch(steps("/a", "/b"))
    maker = process(3)
    watch.see(opened("/a", 1, process=maker))
    maker.program = Program("other")
    found = watch.see(opened("/b", 2))
    assert found is not None
    (first,) = found
    assert first.program is not None
    assert first.program.comm == "p3"


def test_a_rule_forgets_what_it_used_least_when_it_is_full_and_counts_it() -> None:
    watch = Watch(steps("/a", "/b"), rule_size=30_000)
    for number in range(100):
        watch.see(opened("/a", 1, container=Container(id=f"c{number}")))
    assert watch.correlator.size <= 30_000
    assert watch.counters.forgotten > 70
    assert watch.counters.to_status(pid=1)["forgotten"] == watch.counters.forgotten
    assert f"{watch.counters.forgotten}  unfinished sequences and counts of rules" in summary(watch.counters)
    assert watch.see(opened("/b", 2, container=Container(id="c0"))) is None
    assert watch.see(opened("/b", 2, container=Container(id="c99"))) is not None


def test_a_key_that_is_used_stays_when_others_come() -> None:
    watch = Watch(steps("/a", "/b"), rule_size=30_000)
    for number in range(100):
        watch.see(opened("/a", 1, container=Container(id="c0")))
        watch.see(opened("/a", 1, container=Container(id=f"c{number}")))
    assert watch.see(opened("/b", 2, container=Container(id="c0"))) is not None


def test_what_is_over_makes_room_without_being_counted() -> None:
    watch = Watch(steps("/a", "/b"), rule_size=30_000)
    for number in range(500):
        watch.see(opened("/a", number * 2, container=Container(id=f"c{number}")))
    assert watch.counters.forgotten == 0
    assert watch.correlator.size < 20_000


def test_long_texts_take_room() -> None:
    watch = Watch(threshold(1000), rule_size=1 << 20)
    for number in range(100):
        watch.see(opened("/" + "x" * 60_000, container=Container(id=f"c{number}")))
    assert watch.correlator.size <= 1 << 20
    assert watch.counters.forgotten > 75


def test_all_rules_together_are_bounded_and_the_largest_gives() -> None:
    text = "".join(
        f"- rule: {name}\n  desc: d\n  output: x\n  priority: INFO\n  warn_evttypes: false\n{steps('/a', '/b')}"
        for name in ("noisy", "quiet")
    )
    noisy, quiet = load_text(text).rules
    counters = Counters()
    correlator = Correlator(counters, [noisy, quiet], total_size=100_000)
    see(correlator, quiet, opened("/a", 1))
    for number in range(1000):
        see(correlator, noisy, opened("/a", 1, container=Container(id=f"c{number}")))
        assert correlator.size <= 100_000
    assert counters.forgotten > 900
    assert see(correlator, quiet, opened("/b", 2)) is not None


def test_state_is_carried_over_to_a_rule_that_is_defined_as_it_was() -> None:
    for change, kept in (("", True), ("  tags: [new]\n", True), ("  by: container.name\n", False)):
        old = Watch(steps("/a", "/b"))
        old.see(opened("/a", 1))
        new = Watch(
            steps("/a", "/b").replace("  by: container\n", change) if "by" in change else steps("/a", "/b") + change
        )
        new.correlator.carry_over(old.correlator)
        assert (new.correlator.size > 0) is kept
        assert (new.see(opened("/b", 2)) is not None) is kept


def test_counts_are_carried_over_too() -> None:
    old, new = Watch(threshold(2)), Watch(threshold(2))
    old.see(opened("/a", 1))
    new.correlator.carry_over(old.correlator)
    assert new.see(opened("/a", 2)) is not None


def test_events_that_are_given_as_values_are_correlated_by_what_they_say() -> None:
    text = "- rule: R\n  desc: d\n  output: x\n  priority: INFO\n  warn_evttypes: false\n" + steps(
        "/a", "/b", by="process_tree"
    )
    rule = load([RulesFile("a.yaml", text.encode())], lookup=from_values).rules[0]
    correlator = Correlator(Counters(), [rule])
    make = ValueEvents().make
    assert see(correlator, rule, make({"fd.name": "/a", "proc.pid": 7, "evt.rawtime": 1})) is None
    assert see(correlator, rule, make({"fd.name": "/b", "proc.pid": 9, "proc.apid": [8], "evt.rawtime": 2})) is None
    found = see(correlator, rule, make({"fd.name": "/b", "proc.pid": 9, "proc.apid": [8, 7], "evt.rawtime": 3}))
    assert found is not None
    assert [event.time for event in found] == [1]


def test_events_that_come_late_count_where_they_belong() -> None:
    watch = Watch(threshold(3, "fd.name"), late=60)
    for name, at in (("/a", 1), ("/b", 30), ("/c", 31), ("/d", 5)):
        assert watch.see(opened(name, at)) is None
    assert names(watch.see(opened("/e", 11))) == ["/a", "/d"]  # the newer ones are of another time ...
    assert names(watch.see(opened("/f", 40))) == ["/b", "/c"]  # ... and were not forgotten for them


def test_what_comes_late_is_of_the_alert_that_was_told_and_does_not_end_its_silence() -> None:
    watch = Watch(threshold(2), late=60)
    watch.see(opened("/a", 100))
    assert watch.see(opened("/a", 101)) is not None
    seen = [watch.see(opened("/a", at)) for at in (95, 80, 108, 109)]
    assert seen == [None] * 4  # one of long before is no pair, and 108 is still silent
    one = Watch(threshold(1), late=60)
    assert [one.see(opened("/a", at)) is not None for at in (50, 45, 56)] == [True, False, True]  # silent from 45 on


@pytest.mark.parametrize("late", [0, 60])
def test_a_clock_that_is_set_back_by_more_than_events_are_late_silences_nothing(late: int) -> None:
    watch = Watch(threshold(2, "fd.name"), late=late)
    watch.see(opened("/a", 5000))
    assert watch.see(opened("/b", 5001)) is not None
    assert watch.see(opened("/a", 100)) is None
    assert watch.see(opened("/b", 101)) is not None
    sequence = Watch(steps("/a", "/b"), late=late)
    for name, at in (("/a", 5000), ("/b", 5001), ("/b", 5002), ("/a", 100)):
        sequence.see(opened(name, at))
    assert times(sequence.see(opened("/b", 101))) == [100]


@pytest.mark.parametrize("late", [0, 100])
@settings(max_examples=200, deadline=2000)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=25), st.integers(2, 8))
def test_a_sequence_alerts_exactly_when_some_chain_is_complete(
    late: int, moves: list[tuple[str, int]], within: int
) -> None:
    watch = Watch(steps("/a", "/b", "/c", within=f"{within}s"), late=late)
    now, since = 0, list[tuple[str, int]]()
    for name, pause in moves:
        now += pause
        since.append((name, now))
        complete = name == "c" and any(
            first == "a" and second == "b" and now - start <= within
            for at, (first, start) in enumerate(since[:-1])
            for second, _ in since[at + 1 : -1]
        )
        assert (watch.see(opened(f"/{name}", now)) is not None) is complete
        if complete:
            since = []


@pytest.mark.parametrize("late", [0, 100])
@pytest.mark.parametrize("count", [1, 2, 3])
@settings(max_examples=100, deadline=2000)
@given(moves=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 4)), max_size=30))
def test_a_threshold_alerts_exactly_when_so_many_values_are_in_its_window(
    late: int, count: int, moves: list[tuple[str, int]]
) -> None:
    watch = Watch(threshold(count, "fd.name"), late=late)
    now, alerted, since = 0, -100, list[tuple[str, int]]()
    for name, pause in moves:
        now += pause
        due = False
        if now - alerted >= 10:
            since.append((name, now))
            due = len({one for one, at in since if now - at <= 10}) >= count
        assert (watch.see(opened(f"/{name}", now)) is not None) is due
        if due:
            alerted, since = now, []


@pytest.mark.parametrize("late", [0, 20])
@given(
    moves=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-3, 6)), max_size=60),
    distinct=st.sampled_from(["", "fd.name"]),
)
@settings(max_examples=100, deadline=2000)
def test_the_size_of_a_window_is_that_of_what_it_keeps(late: int, moves: list[tuple[str, int]], distinct: str) -> None:
    rule = Watch(threshold(4, distinct)).rule
    assert rule.stateful is not None
    state = ThresholdState(rule.stateful, late * SECOND)
    now = 100
    for name, pause in moves:
        now += pause
        state.observe(0, opened("/" + name * 50, now))
        window = state.memory.get(("c1",))
        assert window is not None
        kept = sum(evidence.size for evidence in window.evidence.values())
        assert window.size == kept + ENTRY_SIZE * len(window.seen)
        assert set(window.evidence) <= set(window.seen)
        assert list(window.seen.values()) == sorted(window.seen.values()) or not late
