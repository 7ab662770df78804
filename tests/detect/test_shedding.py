from __future__ import annotations

import itertools

import pytest

from hullwatch.detect.shedding import CALM, STEPS, Change, Shedding, message
from hullwatch.events.table import BY_NAME, EVENTS

BUDGET = 0.5
WITHOUT_COUNTS = STEPS[1:]


class Run:
    """Hullwatch's use of the CPUs, second by second."""

    def __init__(self, budget: float = BUDGET, *, counts: bool = False) -> None:
        self.shedding = Shedding(budget, counts=counts)
        self.now = self.cpu = 0.0
        self.lost = 0

    def seconds(self, number: int, use: float, lost: int = 0) -> list[Change]:
        changes: list[Change] = []
        for _ in range(number):
            self.now += 1
            self.cpu += use
            self.lost += lost
            change = self.shedding.sample(self.now, self.cpu, self.lost)
            changes += [change] if change is not None else []
        return changes

    def until_a_change(self, use: float) -> int:
        """Return after how many seconds of a use there was a change."""
        return next(second for second in itertools.count(1) if self.seconds(1, use))


@pytest.fixture
def run() -> Run:
    return Run()


def test_within_the_budget_nothing_is_left_out(run: Run) -> None:
    assert run.seconds(1000, BUDGET) == []
    assert (run.shedding.types, run.shedding.reads, run.shedding.words) == (frozenset(), False, "")


def test_a_moment_above_it_is_borne(run: Run) -> None:
    run.seconds(60, 0.1)
    assert run.seconds(3, 1.0) + run.seconds(60, 0.1) == []


def test_what_lasts_is_answered_step_by_step_in_the_stated_order(run: Run) -> None:
    run.seconds(60, 0.1)
    changes = run.seconds(300, 2.0)
    assert [change.step for change in changes] == [*WITHOUT_COUNTS, None]
    assert all(change.more for change in changes)
    assert run.shedding.steps == len(WITHOUT_COUNTS)


def test_counts_of_processes_go_before_any_event_where_they_are_made() -> None:
    run = Run(counts=True)
    run.until_a_change(2.0)
    assert (run.shedding.counts, run.shedding.reads, run.shedding.types) == (True, False, frozenset())
    assert [change.step for change in run.seconds(300, 2.0)] == [*WITHOUT_COUNTS, None]
    assert run.shedding.counts
    back = [change.step for change in run.seconds(5000, 0.0)]
    assert back == [*reversed(STEPS)]
    assert not run.shedding.counts


def test_each_step_is_given_the_time_to_show(run: Run) -> None:
    steps: list[float] = []
    for _ in WITHOUT_COUNTS:
        run.until_a_change(2.0)
        steps.append(run.now)
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(steps))


def test_reads_go_first_and_what_tells_most_never(run: Run) -> None:
    run.until_a_change(2.0)
    assert (run.shedding.types, run.shedding.reads) == (frozenset(), True)
    run.seconds(300, 2.0)
    kept = {"execve", "execveat", "clone", "fork", "procexit", "connect", "accept", "setuid", "setns", "mount", "dns"}
    kept |= {"ptrace", "bpf", "init_module", "kill", "memfd_create"} | {event.name for event in EVENTS if event.state}
    assert not run.shedding.types & kept
    assert all(BY_NAME[name].syscall for name in run.shedding.types)


def test_a_step_is_taken_back_after_a_calm_minute_and_not_between(run: Run) -> None:
    run.until_a_change(2.0)
    assert run.seconds(300, BUDGET * 0.9) == []  # enough to stay as it is
    (change,) = run.seconds(int(CALM) + 15, 0.1)
    assert (change.more, change.step) == (False, WITHOUT_COUNTS[0])
    assert not run.shedding.reads


def test_what_is_needed_again_soon_stays_longer_each_time(run: Run) -> None:
    lengths: list[int] = []
    for _ in range(6):
        run.until_a_change(0.7)
        lengths.append(run.until_a_change(0.0))
    assert lengths == sorted(lengths)
    assert lengths[-1] == 960
    run.seconds(300, 0.1)
    run.until_a_change(0.7)
    assert run.until_a_change(0.0) == lengths[0]


def test_ring_buffers_that_go_on_overflowing_are_a_reason_too(run: Run) -> None:
    run.seconds(60, 0.1)
    assert run.seconds(3, 0.1, lost=5) == []
    (change,) = run.seconds(8, 0.1, lost=5)
    assert change.losing
    assert change.step is WITHOUT_COUNTS[0]
    assert "ring buffers overflow" in message(change, BUDGET)[2]


def test_a_sensor_that_starts_anew_counts_from_zero(run: Run) -> None:
    run.seconds(60, 0.1)
    run.cpu = 0.0
    assert run.seconds(60, 0.1) == []


def test_without_a_budget_nothing_is_left_out() -> None:
    assert Run(0).seconds(100, 64, lost=1000) == []


def test_what_people_are_told(run: Run) -> None:
    changes = run.seconds(300, 2.0)
    rule, priority, text = message(changes[0], BUDGET)
    assert (rule, priority) == ("Events left out", "Error")
    assert text == (
        "Hullwatch used 2.00 cores over the last 10 s, more than its budget of 0.5 (sensor.cpu_budget): opens of files "
        "that only read are left out now and counted. Programs that start, fork and end, changes of users and "
        "namespaces, and connections never are."
    )
    assert "nothing more to leave out" in message(changes[-1], BUDGET)[2]
    back = run.seconds(200, 0.1)[0]
    rule, priority, text = message(back, BUDGET)
    assert (rule, priority) == ("Events no longer left out", "Notice")
    assert "changes of files, and opens that write are looked at again" in text
