"""What a benchmark is, how it is found, and how its samples become numbers.

A benchmark is a generator under a decorator that says which values it gives::

    @benchmark(Value("queue.push", "operations/s", "how fast a queue takes records"))
    def queue_push(run: Run) -> Iterator[Sample]:
        while True:
            yield {"queue.push": measured}

It yields samples for as long as it is asked. The first one warms up and is thrown away; what stands
around the loop, such as starting and stopping a program, belongs to no sample.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

WARM_UP = 1  # samples that are thrown away


class CannotMeasureError(Exception):
    """A benchmark cannot be run here; the message is a sentence that says why. No failure."""


class Value(NamedTuple):
    """A value that a benchmark gives: its name for good, its unit, and what it tells."""

    name: str
    unit: str
    meaning: str


class Run(NamedTuple):
    """What a benchmark may know of the run.

    With ``quick`` it looks briefly, to see that it works; ``soak`` are the seconds of a load that is to last, 0 for the
    benchmark's own choice.
    """

    quick: bool = False
    progress: Callable[[str], None] = lambda _sentence: None
    soak: float = 0.0


Sample = dict[str, float]  # the value by name; a name may be missing from a sample


class Benchmark(NamedTuple):
    """A benchmark: the values it gives, how often it is run, and for how long at most (seconds)."""

    values: tuple[Value, ...]
    function: Callable[[Run], Iterator[Sample]]
    runs: int
    limit: float
    needs_root: bool


class Result(msgspec.Struct, frozen=True):
    """One value of a whole run, as ``latest.json`` has it."""

    name: str
    unit: str
    median: float
    min: float
    max: float
    runs: int

    @property
    def spread(self) -> float:
        """How far the extremes lie apart, in percent of the median; 0 when the median is 0."""
        return 100.0 * (self.max - self.min) / abs(self.median) if self.median else 0.0


BENCHMARKS: list[Benchmark] = []


def benchmark(
    *values: Value, runs: int = 7, limit: float = 25.0, needs_root: bool = False
) -> Callable[[Callable[[Run], Iterator[Sample]]], Callable[[Run], Iterator[Sample]]]:
    """Return a decorator that registers a benchmark.

    Args:
        values: that its samples may have.
        runs: how many samples are taken without ``--runs``.
        limit: seconds after which no further sample is begun.
        needs_root: whether it makes the kernel do something that only root may.

    Raises:
        ValueError: when another benchmark gives a value of the same name.
    """
    taken = {value.name for other in BENCHMARKS for value in other.values}
    for value in values:
        if value.name in taken:
            raise ValueError(f"two benchmarks give the value {value.name}: rename one of them")

    def register(function: Callable[[Run], Iterator[Sample]]) -> Callable[[Run], Iterator[Sample]]:
        BENCHMARKS.append(Benchmark(values, function, runs, limit, needs_root))
        return function

    return register


def select(names: Collection[str], known: Collection[Benchmark]) -> list[Benchmark]:
    """Return the benchmarks that give a value of these names or below them (``overhead``); all without names.

    Raises:
        KeyError: for a name that fits nothing.
    """
    chosen: list[Benchmark] = []
    for name in names:
        fitting = [item for item in known if any(f"{value.name}.".startswith(f"{name}.") for value in item.values)]
        if not fitting:
            raise KeyError(name)
        chosen += fitting
    return [item for item in known if item in chosen] if names else list(known)


def summarise(value: Value, numbers: list[float]) -> Result:
    """Return median and extremes of the samples of a value."""
    return Result(
        name=value.name,
        unit=value.unit,
        median=statistics.median(numbers),
        min=min(numbers),
        max=max(numbers),
        runs=len(numbers),
    )


def measure(
    item: Benchmark, run: Run, runs: int | None = None, clock: Callable[[], float] = time.monotonic
) -> list[Result]:
    """Run a benchmark: throw the warm-up away, take the samples, sum them up.

    Args:
        item: the benchmark.
        run: what it may know.
        runs: how many samples; the benchmark's own number when None.
        clock: seconds that do not go back.

    Raises:
        CannotMeasureError: when it cannot be run here.
    """
    wanted = item.runs if runs is None else runs
    deadline = clock() + item.limit
    samples: list[Sample] = []
    source = item.function(run)
    try:
        for number, sample in enumerate(source):
            if number >= WARM_UP:
                samples.append(sample)
            run.progress(f"{len(samples)} of {wanted}")
            if len(samples) == wanted or (samples and clock() > deadline):
                break
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()  # what it started ends now, not when somebody collects the garbage
    by_name = {value: [sample[value.name] for sample in samples if value.name in sample] for value in item.values}
    return [summarise(value, numbers) for value, numbers in by_name.items() if numbers]
