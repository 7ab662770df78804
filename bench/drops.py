"""How many events are lost when one core does nothing but open and close files: of the sensor alone, and of all."""

from __future__ import annotations

import os
import selectors
import socket
import struct
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from bench.load import Loads, loads, require_sensor, two_cpus
from bench.watched import SETTLE, watched
from hullwatch.events.codec import decode, walk
from hullwatch.events.table import BY_NAME, FLAGS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from hullwatch.sources.kernel import Frame, KernelSource

SECONDS = 2.0
SECONDS_WHOLE = 4.0  # with the engine, whose buffers hold longer than two seconds
SECONDS_QUICK = 0.3
REPORT_WAIT = 2.5  # seconds: the sensor tells its counts every second
QUIET = 0.3  # seconds
ATTACH_WAIT = 10.0
JUDGE_LIMIT = 20.0  # seconds that the engine gets for what waits in the buffers
_OPEN = BY_NAME["openat"].number
_DROPS = BY_NAME["drops"].number
_SNAPSHOT_END = BY_NAME["snapshot_end"].number
_RING_FULL = FLAGS["drop_reasons"]["RING_FULL"]
_DROP_ENTRY = struct.Struct("<HHIQ")


class Reader:
    """Reads the sensor's stream as the engine does, and only counts."""

    def __init__(self, source: KernelSource) -> None:
        """Take the stream."""
        self._source = source
        self.records = 0

    def frames(self, seconds: float) -> list[Frame]:
        """Wait up to some seconds for frames and count their records."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._source, selectors.EVENT_READ)
            selector.select(seconds)
        frames = self._source.read()
        self.records += sum(frame.number for frame in frames)
        return frames


@contextmanager
def sensor(cpu: int) -> Generator[Reader]:
    """Start the sensor alone, as the supervisor does, on the CPU of this process; send opens only."""
    from hullwatch.config.paths import sensor_program
    from hullwatch.sources.interest import Interest
    from hullwatch.sources.kernel import KernelSource
    from hullwatch.supervisor import SENSOR_BUFFER, engine_user

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, 32, SENSOR_BUFFER)  # 32: SO_SNDBUFFORCE, not in `socket`
    uid, gid = engine_user("")
    command = [str(sensor_program()), f"--socket={theirs.fileno()}", f"--user={uid}:{gid}", f"--own={os.getpid()}"]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()
    source = KernelSource(ours)
    try:
        os.sched_setaffinity(process.pid, {cpu})
        source.set_interest(Interest(["openat"]))
        source.request_snapshot()
        reader = Reader(source)
        _wait_until_attached(reader)
        yield reader
    finally:
        source.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_attached(reader: Reader) -> None:
    deadline = time.monotonic() + ATTACH_WAIT
    while time.monotonic() < deadline:
        for frame in reader.frames(1.0):
            if any(header.type == _SNAPSHOT_END for _, header in walk(frame.records)):
                return
    raise CannotMeasureError(f"the sensor did not begin to send events within {ATTACH_WAIT:.0f} s.")


@contextmanager
def on_cpu(cpu: int) -> Generator[None]:
    """Keep this process on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@benchmark(
    Value("sensor.drops.open", "%", "opens lost at full load from one core, sensor and a reader that only counts"),
    Value("sensor.drops.open.uncounted", "%", "opens that neither came nor were counted as lost"),
    Value("sensor.open.rate", "events/s", "opens that arrived while the load ran"),
    runs=5,
    limit=35,
    needs_root=True,
)
def sensor_drops(run: Run) -> Iterator[Sample]:
    """Open and close a file as fast as one core can; sensor and reader share the other."""
    require_sensor()
    near, far = two_cpus()
    seconds = SECONDS_QUICK if run.quick else SECONDS
    with loads() as programs, on_cpu(near):
        while True:
            with sensor(near) as reader:
                yield _one_load(reader, programs, far, seconds)


def _one_load(reader: Reader, programs: Loads, cpu: int, seconds: float) -> Sample:
    before = reader.records
    process = programs.start("open_close", cpu, seconds)
    while process.poll() is None:
        reader.frames(0.01)
    during = reader.records - before
    work = programs.result(process, seconds)
    dropped = _dropped_opens(reader)
    arrived = reader.records - before
    # Other programs' opens are among what came and what was lost; on a quiet host they are too few to matter.
    return {
        "sensor.drops.open": 100 * min(dropped, work.pairs) / work.pairs,
        "sensor.drops.open.uncounted": 100 * max(0, work.pairs - dropped - arrived) / work.pairs,
        "sensor.open.rate": min(during, work.pairs) / (work.nanoseconds / 1e9),
    }


def _dropped_opens(reader: Reader) -> int:
    """Read what is left, and return the sensor's own count of lost opens, which comes last."""
    dropped = 0
    deadline = time.monotonic() + REPORT_WAIT
    while time.monotonic() < deadline:
        for frame in reader.frames(QUIET):
            dropped = max(dropped, _count(frame))
    return dropped


def _count(frame: Frame) -> int:
    for offset, header in walk(frame.records):
        if header.type == _DROPS:
            counts = cast("bytes", decode(BY_NAME["drops"], frame.records, offset)["counts"])
            entries = _DROP_ENTRY.iter_unpack(counts)
            return sum(count for number, reason, _, count in entries if (number, reason) == (_OPEN, _RING_FULL))
    return 0


@benchmark(
    Value("run.drops.open", "%", "opens lost at full load from one core, with the whole 'hullwatch run'"),
    Value("run.drops.open.uncounted", "%", "opens that were neither judged nor counted as lost"),
    Value("run.open.rate", "events/s", "opens that were judged, until the buffers were empty"),
    runs=3,
    limit=39,
    needs_root=True,
)
def run_drops(run: Run) -> Iterator[Sample]:
    """Open and close a file as fast as one core can; ``hullwatch run`` is where the kernel puts it."""
    require_sensor()
    _, cpu = two_cpus()
    seconds = SECONDS_QUICK if run.quick else SECONDS_WHOLE
    with loads() as programs:
        while True:
            with watched() as running:
                time.sleep(SETTLE)  # starting is not what is measured
                begin = time.monotonic()
                work = programs.run("open_close", cpu, seconds)
                running.wait_until_judged(JUDGE_LIMIT)
                passed = time.monotonic() - begin
                status = running.stop()
            dropped = sum(status["dropped"].get("openat", {}).values())
            judged = status["events_by_type"].get("openat", 0)
            yield {
                "run.drops.open": 100 * min(dropped, work.pairs) / work.pairs,
                "run.drops.open.uncounted": 100 * max(0, work.pairs - dropped - judged) / work.pairs,
                "run.open.rate": min(judged, work.pairs) / passed,
            }
