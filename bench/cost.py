"""What Hullwatch itself needs: time to start, memory, and CPU time on a quiet host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.benchmark import Run, Sample, Value, benchmark
from bench.load import require_sensor
from bench.watched import cpu_seconds, memory, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

WARM = 10.0  # seconds that it has run when its memory is looked at
WARM_QUICK = 1.0


@benchmark(
    Value("run.start", "s", "from the start of 'hullwatch run' until it says that it watches"),
    runs=5,
    limit=20,
    needs_root=True,
)
def start(_run: Run) -> Iterator[Sample]:
    """Start and end ``hullwatch run``."""
    require_sensor()
    while True:
        with watched() as running:
            sample = {"run.start": running.start_seconds}
        yield sample


@benchmark(
    Value("run.rss.engine", "MB", "resident memory of the engine after 10 s"),
    Value("run.rss.sensor", "MB", "resident memory of the sensor after 10 s, without what the kernel keeps for it"),
    Value("run.rss.supervisor", "MB", "resident memory of the supervisor after 10 s"),
    Value("run.rss.drift", "MB", "resident memory after 10 s of the process that looks for drift"),
    Value("run.rss.keeper", "MB", "resident memory after 10 s of the process that keeps alerts"),
    Value("run.memory", "MB", "all five after 10 s, pages that they share counted once"),
    Value("sensor.cpu.idle", "% of a CPU", "the sensor on this host as it is"),
    Value("run.cpu.idle", "% of a CPU", "all five processes on this host as it is"),
    runs=2,
    limit=34,
    needs_root=True,
)
def resources(run: Run) -> Iterator[Sample]:
    """Look at the five processes when they have run for a while."""
    require_sensor()
    wait = WARM_QUICK if run.quick else WARM
    while True:
        with watched() as running:
            processes = running.processes()
            before, begin = {name: cpu_seconds(pid) for name, pid in processes.items()}, time.monotonic()
            time.sleep(wait)  # the time is what is measured
            passed = time.monotonic() - begin
            used = {name: 100 * (cpu_seconds(pid) - before[name]) / passed for name, pid in processes.items()}
            sizes = {name: memory(pid) for name, pid in processes.items()}
        sample = {f"run.rss.{name}": resident for name, (resident, _) in sizes.items()}
        sample["run.memory"] = sum(part for _, part in sizes.values())
        sample["sensor.cpu.idle"] = used["sensor"]
        sample["run.cpu.idle"] = sum(used.values())
        yield sample
