"""How fast rules are decided: from the sensor's record bytes to matches, by number of rules.

Two streams: ``mixed``, 60 % of whose events are of types that no rule asks for, and ``relevant``, only calls that
rules ask for. In both 2 % of the paths were never seen before; ``new_paths`` is ``relevant`` with 30 %. Programs start
as often as on a busy host, for 1.1 % of the calls that rules ask for, and open files themselves.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from bench.rules import rules_text
from bench.stream import Host

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (25, 100, 300, 1000)  # rules
WARM = 150_000  # events before the measured ones
EVENTS = 100_000  # in a sample
QUICK = 20
_RELEVANT = {"openat": 69, "missing": 7.6, "connect": 11.9, "accept4": 10.4, "program": 1.1}
_MIXED = {"creat": 59, "openat": 27.6, "missing": 3, "connect": 4.7, "accept4": 4.2, "process": 1.4}
STREAMS = {"mixed": (_MIXED, 0.02), "relevant": (_RELEVANT, 0.02), "new_paths": (_RELEVANT, 0.3)}
_KINDS = {"native": "the classifier in C", "python": "Python alone"}
_UNIT = "events/CPU-s"


def _values() -> list[Value]:
    return [
        Value(f"engine.{kind}.{stream}.{size}", _UNIT, f"records to matches, {stream} stream, {size} rules, {what}")
        for kind, what in _KINDS.items()
        for stream in STREAMS
        for size in SIZES
    ]


@benchmark(*_values(), limit=40)
def engine(run: Run) -> Iterator[Sample]:
    """Feed the same batches to engines of every size, with the classifier in C and without."""
    from hullwatch.detect.native import library

    if library() is None:
        raise CannotMeasureError("the classifier in C is not built: `make build` builds it.")
    part = QUICK if run.quick else 1
    hosts = {name: Host(mix=mix, never_seen=share, sensitive=0) for name, (mix, share) in STREAMS.items()}
    streams = {
        (kind, name, size): Engine(size, hosts[name].beginning(), native=kind == "native")
        for kind in _KINDS
        for name in STREAMS
        for size in SIZES
    }
    warm = {name: host.batches(WARM // part) for name, host in hosts.items()}
    for (_, name, _), one in streams.items():
        one.feed(warm[name])
    warm.clear()
    while True:
        sample: Sample = {}
        for name, host in hosts.items():
            batches = host.batches(EVENTS // part)
            for kind in _KINDS:
                for size in SIZES:
                    seconds = streams[kind, name, size].feed(batches)
                    sample[f"engine.{kind}.{name}.{size}"] = EVENTS // part / seconds
        yield sample


class Engine:
    """An engine that judges by made-up rules."""

    def __init__(self, size: int, beginning: bytes, *, native: bool) -> None:
        """Load the rules and take the beginning of a host's stream."""
        from hullwatch.counters import Counters
        from hullwatch.detect.stream import Stream
        from hullwatch.rules.loader import RulesFile, load

        self.counters = Counters()
        rules = load([RulesFile("made-up.yaml", rules_text(size).encode())])
        self._stream = Stream(rules, self.counters, _no_request, 0, native=native)
        self.feed([beginning])

    def feed(self, batches: list[bytes]) -> float:
        """Judge batches; return the seconds of CPU time that it took."""
        gc.collect()
        begin = time.process_time()
        for batch in batches:
            for _ in self._stream.feed(batch):
                pass
        return time.process_time() - begin


def _no_request(full_id: str) -> None:
    raise CannotMeasureError(f"the stream names the container {full_id} before its metadata: bench/stream.py is wrong.")
