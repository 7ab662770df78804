"""Sequences whose events come late: their own time says which step came first."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detect.test_correlate import Watch, names, opened, steps, times


def test_a_first_step_that_comes_after_the_last_one_makes_the_sequence() -> None:
    watch = Watch(steps("/a", "/b"), late=60)
    assert watch.see(opened("/b", 20)) is None
    assert watch.see(opened("/a", 21)) is None  # it happened afterwards
    assert names(watch.see(opened("/a", 15))) == ["/b"]
    assert watch.see(opened("/a", 18)) is None  # of the same alert
    assert times(watch.see(opened("/b", 30))) == [21]
    assert Watch(steps("/a", "/b")).see(opened("/a", 15)) is None


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_steps_in_whatever_order_they_come_are_put_in_that_of_their_times(order: tuple[str, ...]) -> None:
    at = {"a": 1, "b": 2, "c": 3}
    watch = Watch(steps("/a", "/b", "/c"), late=60)
    *early, last = order
    assert [watch.see(opened(f"/{name}", at[name])) for name in early] == [None, None]
    assert names(watch.see(opened(f"/{last}", at[last]))) == [f"/{name}" for name in "abc" if name != last]
    assert watch.see(opened("/b", 2)) is None  # of the same alert
    other = Watch(steps("/a", "/b", "/c"), late=60)
    assert [other.see(opened(f"/{name}", 4 - at[name])) for name in order] == [
        None
    ] * 3  # they happened in another order


def test_what_is_needed_of_many_events_of_one_step_is_remembered() -> None:
    watch = Watch(steps("/a", "/b", "/c", within="200s"), late=60)
    watch.see(opened("/a", 1))
    watch.see(opened("/b", 2))
    for second in range(3, 103):
        assert watch.see(opened("/a", second)) is None
    assert watch.correlator.size < 100_000
    assert times(watch.see(opened("/c", 150))) == [1, 2]


def test_one_event_makes_no_two_steps_of_a_sequence_whose_events_come_late() -> None:
    watch = Watch(steps("/a", "/a", "/a"), late=60)
    assert [watch.see(opened("/a", second)) is not None for second in (3, 1, 2, 4, 5, 6)] == [False] * 2 + [True] + [
        False
    ] * 2 + [True]


@settings(max_examples=200, deadline=2000)
@given(st.data())
def test_a_sequence_whose_events_come_late_is_found_if_it_is_there(data: st.DataObject) -> None:
    names_ = data.draw(st.lists(st.sampled_from("abc"), max_size=8))
    moves = list(enumerate(names_))
    in_order, late = Watch(steps("/a", "/b", "/c", within="4s")), Watch(steps("/a", "/b", "/c", within="4s"), late=60)
    wanted = [in_order.see(opened(f"/{name}", at)) for at, name in moves]
    found = [late.see(opened(f"/{name}", at)) for at, name in data.draw(st.permutations(moves))]
    assert any(one is not None for one in found) == any(one is not None for one in wanted)
