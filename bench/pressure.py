"""Many events: what is lost and what it takes at 700,000 a second, and how late an alert is at 50,000."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from bench.drops import JUDGE_LIMIT, on_cpu
from bench.load import loads, require_sensor, two_cpus
from bench.watched import SETTLE, cpu_seconds, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.load import Loads
    from bench.watched import Watched

MANY = 700_000  # events a second
SECONDS = 4.0
SECONDS_QUICK = 0.5
BACKGROUND = 50_000  # events a second
PROBES = 250  # acts whose alerts are waited for, in a sample
PROBES_QUICK = 20
SHORTEST, LONGEST = 0.002, 0.018  # seconds between an alert and the next act
GOLDEN = 0.618  # steps of it meet every phase of whatever has a rhythm
LOAD_LIMIT = 300.0  # seconds; it is ended before
PATIENCE = 5.0  # seconds for an alert
PACK = Path(__file__).resolve().parent.parent / "src" / "hullwatch" / "packs" / "rules"


@benchmark(
    Value("sensor.drops.700k", "share", "of 700,000 opens/s that are all sent (pushdown off), lost"),
    Value("sensor.drops.700k.rate", "events/s", "how many the load made: a slow machine makes fewer"),
    Value("sensor.cpu.700k", "cores", "what the sensor uses of a CPU meanwhile"),
    Value("run.cpu.700k", "cores", "the same of all five processes"),
    Value("sensor.drops.700k.pushdown", "share", "of the same lost with pushdown on, where most are ruled out"),
    Value("sensor.cpu.700k.pushdown", "cores", "what the sensor uses then"),
    runs=2,
    limit=30,
    needs_root=True,
)
def many(run: Run) -> Iterator[Sample]:
    """Open many files in turn at a steady pace on one CPU; Hullwatch has the other."""
    require_sensor()
    near, far = two_cpus()
    seconds = SECONDS_QUICK if run.quick else SECONDS
    with loads() as programs, on_cpu(near):
        while True:
            with watched("--no-pushdown") as running:
                sent = _press(running, programs, far, seconds)
            with watched() as running:
                ruled_out = _press(running, programs, far, seconds)
            yield {
                "sensor.drops.700k": sent["lost"],
                "sensor.drops.700k.rate": sent["rate"],
                "sensor.cpu.700k": sent["sensor"],
                "run.cpu.700k": sent["all"],
                "sensor.drops.700k.pushdown": ruled_out["lost"],
                "sensor.cpu.700k.pushdown": ruled_out["sensor"],
            }


def _press(running: Watched, programs: Loads, cpu: int, seconds: float) -> dict[str, float]:
    """Put the load on and return the share that was lost, the real rate, and the CPUs used by sensor and all."""
    time.sleep(SETTLE)  # starting is not what is measured
    processes = running.processes()
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    work = programs.result(programs.start_paced(cpu, seconds, MANY), seconds)
    used = {name: (cpu_seconds(pid) - before[name]) / (work.nanoseconds / 1e9) for name, pid in processes.items()}
    running.wait_until_judged(JUDGE_LIMIT)
    dropped = sum(running.stop()["dropped"].get("openat", {}).values())
    return {
        "lost": min(dropped, work.pairs) / work.pairs,
        "rate": work.pairs / (work.nanoseconds / 1e9),
        "sensor": used["sensor"],
        "all": sum(used.values()),
    }


@benchmark(
    Value("latency.p50", "s", "from an open to its alert on standard output, at 50,000 events/s that are sent: median"),
    Value("latency.p99", "s", "the same: 99 of 100 are not later"),
    Value("latency.max", "s", "the same: the latest"),
    runs=3,
    limit=25,
    needs_root=True,
)
def latency(run: Run) -> Iterator[Sample]:
    """Open files that a rule alerts on, while a load on one CPU has Hullwatch judge 50,000 opens a second."""
    require_sensor()
    _, far = two_cpus()
    probes = PROBES_QUICK if run.quick else PROBES
    with loads() as programs, tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as folder:
        Path(folder).chmod(0o755)
        rule = Path(folder) / "rule.yaml"
        rule.write_text(
            f"- rule: Probe opened\n  desc: For the benchmark.\n  priority: NOTICE\n  output: opened %fd.name\n"
            f"  condition: evt.type in (open, openat) and fd.name startswith {folder}/probe\n",
            encoding="ascii",
        )
        for number in range(probes):
            _probe_file(Path(folder), number).touch()
        while True:
            with watched("-r", str(PACK), "-r", str(rule), "--no-pushdown", stdout=subprocess.PIPE) as running:
                time.sleep(SETTLE)
                yield _percentiles(_probe(running, programs, far, Path(folder), probes))


def _probe_file(folder: Path, number: int) -> Path:
    return folder / f"probe-{number}.txt"


def _probe(running: Watched, programs: Loads, cpu: int, folder: Path, probes: int) -> list[float]:
    """Return how long each alert took, in seconds."""
    waiting: dict[str, float] = {}
    delays: list[float] = []
    seen = threading.Event()

    def read() -> None:
        for line in running.output:
            now = time.monotonic()
            for path in [path for path in waiting if path in line]:
                delays.append(now - waiting.pop(path))
                seen.set()

    threading.Thread(target=read, daemon=True).start()
    load = programs.start_paced(cpu, LOAD_LIMIT, BACKGROUND)
    try:
        for number in range(probes):
            time.sleep(SHORTEST + (LONGEST - SHORTEST) * (number * GOLDEN % 1))
            path = str(_probe_file(folder, number))
            seen.clear()
            waiting[path] = time.monotonic()
            os.close(os.open(path, os.O_RDONLY))
            if not seen.wait(PATIENCE):
                raise CannotMeasureError(f"an alert did not come within {PATIENCE:.0f} s.")
    finally:
        load.kill()
        load.communicate()
    return delays


def _percentiles(delays: list[float]) -> Sample:
    return {
        "latency.p50": statistics.median(delays),
        "latency.p99": statistics.quantiles(delays, n=100, method="inclusive")[98],
        "latency.max": max(delays),
    }
