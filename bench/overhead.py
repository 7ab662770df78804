"""What Hullwatch costs the programs that it watches: the same load with and without it, in turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.benchmark import Run, Sample, Value, benchmark
from bench.load import Work, loads, require_sensor, two_cpus
from bench.watched import SETTLE, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 1.0
SECONDS_QUICK = 0.2
LOADS = ("open_close", "fork_exec")


@benchmark(
    Value("overhead.open_close", "ratio", "time of an open+close loop with Hullwatch to without"),
    Value("overhead.open_close.cpu", "ratio", "the same of its CPU time: what is added to the calls themselves"),
    Value("overhead.open_close.pushdown_ns", "ns/pair", "CPU time that Hullwatch adds to an open+close"),
    Value("overhead.open_close.all_ns", "ns/pair", "the same with pushdown off: each open is sent and judged"),
    Value("overhead.open_close.without", "ns/pair", "an open+close without Hullwatch, by the clock"),
    Value("overhead.fork_exec", "ratio", "time of a fork+exec+wait loop with Hullwatch to without"),
    Value("overhead.fork_exec.cpu", "ratio", "the same of its CPU time"),
    Value("overhead.fork_exec.added", "ns/pair", "CPU time that Hullwatch adds to a fork+exec+exit"),
    Value("overhead.fork_exec.without", "ns/pair", "a fork+exec+wait without Hullwatch, by the clock"),
    runs=7,
    limit=44,
    needs_root=True,
)
def overhead(run: Run) -> Iterator[Sample]:
    """Run each load without and with ``hullwatch run``, one after the other, in every sample.

    The load has a CPU of its own; Hullwatch runs where the kernel puts it, as a user's would. Which comes first
    changes from sample to sample, so that a machine that warms up or slows down favours neither.
    """
    require_sensor()
    _, cpu = two_cpus()
    seconds = SECONDS_QUICK if run.quick else SECONDS
    with loads() as programs:

        def without() -> dict[str, Work]:
            return {name: programs.run(name, cpu, seconds) for name in LOADS}

        def with_hullwatch(*arguments: str) -> dict[str, Work]:
            with watched(*arguments):
                time.sleep(SETTLE)  # starting is not what is measured
                return without()

        with_first = False
        while True:
            if with_first:
                everything, after, before = with_hullwatch("--no-pushdown"), with_hullwatch(), without()
            else:
                before, after, everything = without(), with_hullwatch(), with_hullwatch("--no-pushdown")
            with_first = not with_first
            sample: Sample = {}
            for name in LOADS:
                sample |= _compare(name, before[name], after[name])
            opens, fork_exec = "open_close", "fork_exec"
            sample["overhead.open_close.pushdown_ns"] = after[opens].cpu_each - before[opens].cpu_each
            sample["overhead.open_close.all_ns"] = everything[opens].cpu_each - before[opens].cpu_each
            sample["overhead.fork_exec.added"] = after[fork_exec].cpu_each - before[fork_exec].cpu_each
            yield sample


def _compare(name: str, before: Work, after: Work) -> Sample:
    return {
        f"overhead.{name}": after.each / before.each,
        f"overhead.{name}.cpu": after.cpu_each / before.cpu_each,
        f"overhead.{name}.without": before.each,
    }
