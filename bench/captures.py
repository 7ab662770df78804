"""Captures: how fast a real one is judged; how large one of the made-up host is, and what writing it costs."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import Run, Sample, Value, benchmark
from bench.engine import STREAMS
from bench.load import require_sensor
from bench.recorded import Work, record_work
from bench.rules import rules_text
from bench.stream import Host
from hullwatch.alerts.mask import Masker
from hullwatch.captures.chunk import RECORDS, Description
from hullwatch.captures.flight import FlightRecorder
from hullwatch.captures.masking import RecordMask
from hullwatch.captures.reader import CaptureReader
from hullwatch.captures.settled import settled
from hullwatch.captures.writer import Around, CaptureWriter
from hullwatch.config.settings import FlightRecorderSettings
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.errors import CannotError
from hullwatch.events.table import VERSION
from hullwatch.rules.loader import RulesFile, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.rules.loader import RuleSet

EVENTS = 300_000  # of the made-up host
REPLAYED = 3_000_000  # of this one
SECONDS = 3.0  # of its work
SECONDS_QUICK = 0.1
QUICK = 20
RULES = 90
RATE = 100_000  # events a second, at which the cost of writing is told


@benchmark(
    Value("replay.hwcap.90", "events/CPU-s", f"a capture of this host at work read and judged by {RULES} rules"),
    Value("replay.hwcap.starts", "share", "of its events that are starts of programs"),
    Value("replay.hwcap.bytes", "bytes/event", "its size"),
    runs=4,
    limit=20,
    needs_root=True,
)
def replay(run: Run) -> Iterator[Sample]:
    """Record this host at work for a moment, write it again and again up to three million events, and judge that."""
    require_sensor()
    rules = load([RulesFile("made-up.yaml", rules_text(RULES).encode())])
    with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as folder:
        short, path = Path(folder) / "short.hwcap", Path(folder) / "long.hwcap"
        run.progress("recording")
        record_work(short, SECONDS_QUICK if run.quick else SECONDS)
        run.progress("writing")
        _write(path, Work(short).copies(REPLAYED // (QUICK if run.quick else 1)), _stream(rules))
        while True:
            stream = _stream(rules)
            seconds = _judge(path, stream)
            counts = stream.assembler.counters.events
            number = sum(counts.values())
            starts = sum(counts.get(name, 0) for name in ("clone", "clone3", "fork", "vfork"))
            yield {
                "replay.hwcap.90": number / seconds,
                "replay.hwcap.starts": starts / number,
                "replay.hwcap.bytes": path.stat().st_size / number,
            }


@benchmark(
    Value("capture.bytes", "bytes/event", "size of a capture of the made-up host"),
    Value("record.cpu", "%", f"CPU time of writing it, of one core at {RATE:,} events a second"),
    Value("flight.cpu", "%", f"the same of keeping the last minutes in memory, at {RATE:,} events a second"),
    Value("flight.bytes", "bytes/event", "what they take there"),
    limit=12,
)
def captures(run: Run) -> Iterator[Sample]:
    """Write the same events to a file again and again."""
    mix, share = STREAMS["mixed"]
    host = Host(mix=mix, never_seen=share, sensitive=0)
    number = EVENTS // (QUICK if run.quick else 1)
    batches = [host.beginning(), *host.batches(number)]
    rules = load([RulesFile("made-up.yaml", rules_text(RULES).encode())])
    with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as folder:
        path = Path(folder) / "bench.hwcap"
        while True:
            writing = _write(path, batches, _stream(rules))
            keeping, kept = _keep(batches, rules)
            yield {
                "capture.bytes": path.stat().st_size / number,
                "record.cpu": 100 * writing / number * RATE,
                "flight.cpu": 100 * keeping / number * RATE,
                "flight.bytes": kept / number,
            }
            path.unlink()


def _stream(rules: RuleSet) -> Stream:
    return Stream(rules, Counters(), _nobody, 0)


def _write(path: Path, batches: Iterable[bytes], stream: Stream) -> float:
    """Record the batches; return the seconds of CPU time that the recording took, without those of judging."""

    def container(group: bytes) -> str:
        return stream.assembler.container_of(int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little"))

    assembler, mask = stream.assembler, RecordMask(Masker())  # as the default is
    around = Around(lambda: assembler.saved().encode(), lambda: assembler.clock_offset, container, mask=mask)
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
    with settled(), path.open("rb") as file:
        for chunk in CaptureReader(file, path.name).chunks():
            if chunk.head.kind == RECORDS:
                for _ in stream.feed(chunk.data):
                    pass
    return time.process_time() - begin


def _nobody(_: str) -> None:
    """All containers of the host are told."""
