"""A CPU goes offline and comes back under a running sensor.

For real only with ``HOTPLUG=1``, on a machine that nobody else uses: it takes half of a small one away for a moment,
and CPU sets of cgroups of version 1 do not get the CPU back. Otherwise the busy process is moved from CPU to CPU,
which is what a CPU that goes offline does to it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.observation import Sensor

REAL = bool(os.environ.get("HOTPLUG"))
ROUNDS = 3
OPENS = 2000  # in each state
OPENER = """
import os, sys
path = sys.argv[1]
for line in sys.stdin:
    for _ in range(int(line)):
        try:
            os.open(path, 0)
        except OSError:
            pass
    print("done", flush=True)
"""


def switches() -> list[Path]:
    """Return the switches of the CPUs that can be taken offline; the first CPU often cannot."""
    return sorted(Path("/sys/devices/system/cpu").glob("cpu[1-9]*/online"))


@pytest.fixture
def opener() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", "-S", "-c", OPENER, "/sensor/hotplug"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


def test_no_event_is_lost_or_out_of_order_while_a_cpu_goes_and_comes_or_its_processes_are_moved(
    sensor: Sensor, opener: subprocess.Popen[str]
) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    off = switches()[-1:] if REAL else []
    if REAL and not off:
        pytest.skip("no CPU of this machine can be taken offline")

    def opens() -> None:
        assert opener.stdin is not None
        assert opener.stdout is not None
        opener.stdin.write(f"{OPENS}\n")
        opener.stdin.flush()
        assert opener.stdout.readline() == "done\n"

    def act() -> None:
        for _ in range(ROUNDS):
            for state, cpu in (("1", cpus[-1]), ("0", cpus[0])):
                if off:
                    off[0].write_text(state)
                else:
                    os.sched_setaffinity(opener.pid, {cpu})
                opens()

    try:
        seen = sensor.during(act)
    finally:
        if off:
            off[0].write_text("1")
    calls = seen.of("openat", pid=opener.pid).where(name="/sensor/hotplug")
    assert len(calls) == ROUNDS * 2 * OPENS
    times = [record.header.time for record in calls]
    assert times == sorted(times)
    assert sensor.process.poll() is None
