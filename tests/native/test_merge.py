"""The merge: one order out of many queues, compared with sorting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Driver = Callable[[str, bytes], subprocess.CompletedProcess[bytes]]

HEADER = 64
FULL = 8 << 20  # bytes in a queue, as in sensor.h
Step = tuple[str, int, int, int]

pushes = st.tuples(st.just("push"), st.integers(0, 3), st.integers(0, 60), st.integers(0, 40).map(lambda n: n * 8))
releases = st.tuples(st.just("release"), st.integers(0, 70), st.just(0), st.just(0))


def merge(driver: Driver, steps: list[Step]) -> tuple[list[list[tuple[int, int]]], int, int]:
    """Return what each release delivered as (time, id), how many were late, and how often a queue was full."""
    lines = [
        f"push {one} {two} {number} {HEADER + three}" if what == "push" else f"release {one}"
        for number, (what, one, two, three) in enumerate(steps)
    ]
    done = driver("merge", "\n".join(lines).encode())
    assert (done.returncode, done.stderr) == (0, b"")
    releases: list[list[tuple[int, int]]] = [[]]
    late = full = 0
    for line in done.stdout.decode().splitlines():
        if line == "released":
            releases.append([])
        elif line == "full":
            full += 1
        elif line.startswith("late"):
            late = int(line.split()[1])
        else:
            time, number = map(int, line.split())
            releases[-1].append((time, number))
    return releases[:-1], late, full


def expected(steps: list[Step]) -> tuple[list[list[tuple[int, int]]], int]:
    """Do the same by sorting: of equal times the lower queue comes first, in a queue the earlier push."""
    waiting: list[tuple[int, int, int]] = []
    released: list[list[tuple[int, int]]] = []
    last = late = 0
    for number, (what, one, two, _) in enumerate(steps):
        if what == "push":
            waiting.append((two, one, number))
            continue
        ready = sorted(record for record in waiting if record[0] <= one)
        waiting = [record for record in waiting if record[0] > one]
        released.append([(time, identity) for time, _, identity in ready])
        for time, _, _ in ready:
            late += time < last
            last = max(last, time)
    return released, late


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(pushes, pushes, releases), max_size=80))
def test_records_are_delivered_as_sorting_would_deliver_them(driver: Driver, steps: list[Step]) -> None:
    steps = [*steps, ("release", 100, 0, 0)]
    released, late, _ = merge(driver, steps)
    assert (released, late) == expected(steps)


def test_many_records_of_many_sizes_stay_whole_while_the_queues_grow(driver: Driver) -> None:
    steps: list[Step] = [("push", n % 4, n - n % 7, n % 900 * 8) for n in range(3000)]
    steps = [*steps[:2000], ("release", 1000, 0, 0), *steps[2000:], ("release", 5000, 0, 0)]
    released, late, _ = merge(driver, steps)
    assert (released, late) == expected(steps)
    assert sum(map(len, released)) == 3000


def test_a_full_queue_is_told_and_the_record_was_taken(driver: Driver) -> None:
    size = 65528 - HEADER
    steps: list[Step] = [("push", 0, n, size) for n in range(FULL // 65528 + 3)]
    released, _, full = merge(driver, [*steps, ("release", 1000, 0, 0)])
    assert full == 3
    assert len(released[0]) == len(steps)


def test_a_record_that_is_younger_than_the_watermark_waits(driver: Driver) -> None:
    steps: list[Step] = [("push", 0, 5, 0), ("push", 1, 6, 0), ("release", 5, 0, 0), ("release", 6, 0, 0)]
    assert merge(driver, steps)[0] == [[(5, 0)], [(6, 1)]]


def test_a_record_that_comes_behind_younger_ones_is_delivered_and_counted_as_late(driver: Driver) -> None:
    steps: list[Step] = [("push", 0, 9, 0), ("release", 9, 0, 0), ("push", 1, 3, 0), ("release", 9, 0, 0)]
    assert merge(driver, steps)[:2] == ([[(9, 0)], [(3, 2)]], 1)


def test_a_cpu_that_goes_offline_and_comes_back_holds_nobody_up_simulated(driver: Driver) -> None:
    """A queue of which nothing comes any more, while the records of its last moment are still in it."""
    steps: list[Step] = [("push", 1, 1, 0), ("push", 0, 2, 0), ("release", 1, 0, 0)]
    steps += [step for n in range(10, 500) for step in (("push", 0, n, 0), ("release", n, 0, 0))]  # one CPU alone
    steps += [("push", 1, 500, 0), ("push", 0, 501, 0), ("release", 600, 0, 0)]
    released, late, _ = merge(driver, steps)
    assert (released, late) == expected(steps)
    assert late == 0


def test_a_queue_gives_the_memory_of_a_busy_time_back(driver: Driver) -> None:
    busy = [f"push 0 1 {number} {1 << 15}" for number in range(100)]
    quiet = [f"push 0 {time} 7 64\nrelease {time}" for time in range(2, 300)]
    done = driver("merge", "\n".join(["size 0", *busy, "size 0", "release 1", "size 0", *quiet, "size 0"]).encode())
    assert (done.returncode, done.stderr) == (0, b"")
    sizes = [int(line.split()[1]) for line in done.stdout.decode().splitlines() if line.startswith("size")]
    assert sizes[0] == 0
    assert sizes[1] >= 100 << 15
    assert sizes[2] == sizes[1]
    assert sizes[3] <= 128 << 10
