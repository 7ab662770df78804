"""Captures: how fast one is judged, how large it is, and what writing it costs; of a made-up host's events."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import Run, Sample, Value, benchmark
from bench.engine import STREAMS
from bench.rules import rules_text
from bench.stream import Host
from hullwatch.captures.chunk import RECORDS, Description
from hullwatch.captures.flight import FlightRecorder
from hullwatch.captures.reader import CaptureReader
from hullwatch.captures.writer import Around, CaptureWriter
from hullwatch.config.settings import FlightRecorderSettings
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.errors import CannotError
from hullwatch.events.table import VERSION
from hullwatch.rules.loader import RulesFile, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.rules.loader import RuleSet

EVENTS = 300_000
QUICK = 20
RULES = 90
RATE = 100_000  # events a second, at which the cost of writing is told


@benchmark(
    Value("replay.hwcap.90", "events/CPU-s", f"a capture read and judged by {RULES} rules, what rules ask for in 40 %"),
    Value("capture.bytes", "bytes/event", "its size"),
    Value("record.cpu", "%", f"CPU time of writing it, of one core at {RATE:,} events a second"),
    Value("flight.cpu", "%", f"the same of keeping the last minutes in memory, at {RATE:,} events a second"),
    Value("flight.bytes", "bytes/event", "what they take there"),
    limit=15,
)
def captures(run: Run) -> Iterator[Sample]:
    """Write the same events to a file again and again, and judge it."""
    mix, share = STREAMS["mixed"]
    host = Host(mix=mix, never_seen=share, sensitive=0)
    number = EVENTS // (QUICK if run.quick else 1)
    batches = [host.beginning(), *host.batches(number)]
    rules = load([RulesFile("made-up.yaml", rules_text(RULES).encode())])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.hwcap"
        while True:
            writing = _write(path, batches, Stream(rules, Counters(), _nobody, 0))
            stream = Stream(rules, Counters(), _nobody, 0)
            seconds = _judge(path, stream)
            keeping, kept = _keep(batches, rules)
            yield {
                "replay.hwcap.90": number / seconds,
                "capture.bytes": path.stat().st_size / number,
                "record.cpu": 100 * writing / number * RATE,
                "flight.cpu": 100 * keeping / number * RATE,
                "flight.bytes": kept / number,
            }
            path.unlink()


def _write(path: Path, batches: list[bytes], stream: Stream) -> float:
    """Record the batches; return the seconds of CPU time that the recording took, without those of judging."""

    def container(group: bytes) -> str:
        return stream.assembler.container_of(int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little"))

    around = Around(lambda: stream.assembler.saved().encode(), lambda: stream.assembler.clock_offset, container)
    seconds, begin = 0.0, time.process_time()
    writer = CaptureWriter(lambda _: os.open(path, os.O_WRONLY | os.O_CREAT), Description("bench", VERSION), around)
    for batch in batches:
        writer.take(batch)
        seconds += time.process_time() - begin
        for _ in stream.feed(batch):
            pass
        begin = time.process_time()
    writer.close()
    return seconds + time.process_time() - begin


def _keep(batches: list[bytes], rules: RuleSet) -> tuple[float, int]:
    """Keep the batches as the flight recorder does; return the seconds of CPU time, and the bytes that they take."""
    counters = Counters()
    stream = Stream(rules, counters, _nobody, 0)
    recorder = FlightRecorder(FlightRecorderSettings(priority="Debug"), _no_file, stream.assembler, counters)
    recorder.use(rules)
    seconds = 0.0
    for batch in batches:
        begin = time.process_time()
        recorder.take(batch)
        seconds += time.process_time() - begin
        for _ in stream.feed(batch):
            pass
        begin = time.process_time()
        recorder.settle()
        seconds += time.process_time() - begin
    return seconds, counters.flight_kept


def _no_file(_: int) -> tuple[str, int, int]:
    raise CannotError("Nothing is saved here.")


def _judge(path: Path, stream: Stream) -> float:
    """Return the seconds of CPU time that reading and judging took."""
    gc.collect()
    begin = time.process_time()
    with path.open("rb") as file:
        for chunk in CaptureReader(file, path.name).chunks():
            if chunk.head.kind == RECORDS:
                for _ in stream.feed(chunk.data):
                    pass
    return time.process_time() - begin


def _nobody(_: str) -> None:
    """All containers of the host are told."""
