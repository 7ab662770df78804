"""How much memory the whole agent needs when it has been under load for a while."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import Run, Sample, Value, benchmark
from bench.load import loads, require_sensor, two_cpus
from bench.watched import SETTLE, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 10.0
SECONDS_QUICK = 1.0
OPENS = 50_000  # a second
_KERNEL_TABLE = "bpf-map"  # how the kernel names what a process has mapped of its rings and tables
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")


@benchmark(
    Value("agent.rss", "MB", "all five processes after a load, pages that they share counted once, without the rings"),
    Value("agent.rss.sensor", "MB", "the sensor alone"),
    Value("agent.rss.engine", "MB", "the engine alone"),
    Value("agent.rss.supervisor", "MB", "the supervisor alone"),
    Value("agent.rss.drift", "MB", "the process that looks for drift alone"),
    Value("agent.rss.keeper", "MB", "the process that keeps alerts alone"),
    Value("agent.rss.rings", "MB", "the rings and tables in the kernel, as far as the sensor has them mapped"),
    runs=1,
    limit=15,
    needs_root=True,
)
def agent(run: Run) -> Iterator[Sample]:
    """Start programs on one CPU and open files on the other for a time (--soak SECONDS), then look."""
    require_sensor()
    near, far = two_cpus()
    with loads() as programs:
        seconds = SECONDS_QUICK
        while True:
            with watched() as running:
                time.sleep(SETTLE)
                starts = programs.start("fork_exec", near, seconds)
                programs.result(programs.start_paced(far, seconds, OPENS), seconds)
                programs.result(starts, seconds)
                sizes = {name: proportional(pid) for name, pid in running.processes().items()}
            yield {f"agent.rss.{name}": own for name, (own, _) in sizes.items()} | {
                "agent.rss": sum(own for own, _ in sizes.values()),
                "agent.rss.rings": sum(kernel for _, kernel in sizes.values()),
            }
            seconds = SECONDS_QUICK if run.quick else run.soak or SECONDS  # the first sample is thrown away


def proportional(pid: int) -> tuple[float, float]:
    """Return a process's proportional memory in MB of 10^6: its own, and what it has mapped of the kernel's tables."""
    own = kernel = 0
    in_kernel = False
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        if _MAPPING.match(line):
            in_kernel = _KERNEL_TABLE in line
        elif line.startswith("Pss:"):
            size = int(line.split()[1]) * 1024
            own, kernel = (own, kernel + size) if in_kernel else (own + size, kernel)
    return own / 1e6, kernel / 1e6
