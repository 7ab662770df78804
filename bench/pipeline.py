"""How fast the engine is: from the bytes that the sensor sends to the alert, on one core."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from bench.stream import Host

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator

    from hullwatch.detect.engine import Match

EVENTS = 50_000  # in a sample
EVENTS_QUICK = 2_000
HELD_EVENTS = 50_000


class Pipeline:
    """The stages of ``hullwatch.app`` without its processes: assemble, judge, deliver to standard output."""

    def __init__(self, output_format: Literal["text", "json"]) -> None:
        """Load the built-in rules."""
        from hullwatch.config.settings import OutputSettings, Settings
        from hullwatch.counters import Counters
        from hullwatch.detect.stream import Stream
        from hullwatch.outputs.delivery import Delivery
        from hullwatch.rules import loader, pack

        self.counters = Counters()
        self.delivery = Delivery(Settings(output=OutputSettings(format=output_format)), self.counters)
        self._stream = Stream(loader.load(pack.builtin_files()), self.counters, _no_request, HELD_EVENTS)

    @property
    def wanted(self) -> Collection[str]:
        """The event types that a rule looks at."""
        return self._stream.wanted

    def feed(self, batch: bytes) -> None:
        """Take a batch through all stages, as ``Watch`` in ``hullwatch.app`` does."""
        self.delivery.matches(self._stream.feed(batch))

    def matches(self, batch: bytes) -> list[Match]:
        """Return what rules found in a batch, without an alert."""
        return list(self._stream.feed(batch))


@contextmanager
def discarded_output() -> Generator[None]:
    """Send this process's standard output to /dev/null: alerts are written, and nobody has to read them."""
    sys.stdout.flush()
    kept = os.dup(1)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(sink)


def _no_request(full_id: str) -> None:
    raise CannotMeasureError(f"the stream names the container {full_id} before its metadata: bench/stream.py is wrong.")


def cpu_rate(pipeline: Pipeline, host: Host, events: int) -> float:
    """Return events per second of CPU time for the next events of a host; making them is not counted."""
    batches = host.batches(events)
    begin = time.process_time()
    for batch in batches:
        pipeline.feed(batch)
    return events / (time.process_time() - begin)


@benchmark(
    Value("pipeline.events", "events/CPU-s", "records to alerts, everyday mix of all event types, built-in rules")
)
def pipeline_events(run: Run) -> Iterator[Sample]:
    """Take a made-up host's whole stream through the pipeline."""
    yield from _rates("pipeline.events", run, relevant=False)


@benchmark(Value("pipeline.events.relevant", "events/CPU-s", "the same, only events of the types that a rule looks at"))
def pipeline_events_relevant(run: Run) -> Iterator[Sample]:
    """Take only what is judged through the pipeline: no event is passed over because of its type."""
    yield from _rates("pipeline.events.relevant", run, relevant=True)


def _rates(name: str, run: Run, *, relevant: bool) -> Iterator[Sample]:
    with discarded_output():
        pipeline = Pipeline("text")
        host = Host(types=pipeline.wanted if relevant else None)
        pipeline.feed(host.beginning())
        while True:
            rate = cpu_rate(pipeline, host, EVENTS_QUICK if run.quick else EVENTS)
            _check(pipeline)
            yield {name: rate}


def _check(pipeline: Pipeline) -> None:
    """Refuse to give a number for a pipeline that did not do its work."""
    counters = pipeline.counters
    if counters.unreadable_records or counters.dropped_total:
        raise CannotMeasureError(
            f"{counters.unreadable_records} records of the made-up stream could not be read and "
            f"{counters.dropped_total} events were dropped: bench/stream.py is wrong."
        )
