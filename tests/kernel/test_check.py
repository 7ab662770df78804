"""The sensor looks after what it left in the kernel: somebody else changes it with bpftool, as root can."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel.intruder import close_descriptors, opened_ring, skip_all
from tests.kernel.observation import Records, Sensor

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.kernel.observation import Record

BPFTOOL = shutil.which("bpftool", path="/usr/sbin:/usr/local/sbin:/usr/bin") or ""
OPENAT = {"x86_64": 257, "aarch64": 56}[os.uname().machine]
KILL = {"x86_64": 62, "aarch64": 129}[os.uname().machine]

pytestmark = pytest.mark.skipif(not BPFTOOL, reason="bpftool is not installed")


@pytest.fixture(scope="module")
def watching() -> Iterator[Sensor]:
    """A sensor of this file alone, whose tables are changed."""
    with Sensor(interest=["openat", "connect"]) as running:
        yield running


def bpftool(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [BPFTOOL, *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def ids(sensor: Sensor, what: str) -> list[int]:
    """Return the numbers of a sensor's maps or links, as anybody can find them."""
    folder = Path(f"/proc/{sensor.process.pid}/fdinfo")
    lines = [line for entry in folder.iterdir() for line in entry.read_text().splitlines()]
    return sorted({int(line.split()[1]) for line in lines if line.startswith(f"{what}:")})


def table(sensor: Sensor, name: str) -> int:
    """Return the number of a table; the kernel keeps 15 characters of a name."""
    for number in ids(sensor, "map_id"):
        if json.loads(bpftool("-j", "map", "show", "id", number).stdout).get("name") == name[:15]:
            return number
    raise AssertionError(f"the sensor has no table {name}")


def write(sensor: Sensor, name: str, value: bytes) -> subprocess.CompletedProcess[str]:
    """Write the only entry of a table."""
    numbers = [f"0x{byte:02x}" for byte in value]
    return bpftool("map", "update", "id", table(sensor, name), "key", 0, 0, 0, 0, "value", *numbers)


def size(sensor: Sensor, name: str) -> int:
    return int(json.loads(bpftool("-j", "map", "show", "id", table(sensor, name)).stdout)["bytes_value"])


def findings(sensor: Sensor, position: int, *words: str) -> list[Record]:
    """Wait until each of some words is in a finding; return these findings."""
    found: list[Record] = []
    for word in words:
        end = sensor.wait_for(lambda r, word=word: r.name == "tampered" and word in str(r.values["what"]), position)
        found.append(sensor._records[end - 1])
    return found


def opens(sensor: Sensor) -> Records:
    """Return the record of an open of ours, if it is seen."""

    def act() -> None:
        with pytest.raises(FileNotFoundError):
            Path("/sensor/check").read_bytes()

    return sensor.during(act).of("openat", pid=os.getpid()).where(name="/sensor/check")


def test_what_others_change_in_its_tables_is_told_with_who_did_it_and_put_right(watching: Sensor) -> None:
    key = [OPENAT & 0xFF, OPENAT >> 8, 0, 0]
    position = len(watching._records)
    with_ourselves = os.getpid().to_bytes(4, "little") + bytes(size(watching, "settings_buffer") - 4)
    assert write(watching, "settings_buffer", with_ourselves).returncode == 0
    assert write(watching, "interest_buffer", bytes(size(watching, "interest_buffer"))).returncode == 0
    assert bpftool("map", "update", "id", table(watching, "ruled_out"), "key", *key, "value", *[7] * 8).returncode == 0
    taken_out = subprocess.Popen(
        [BPFTOOL, "map", "delete", "id", str(table(watching, "syscall_handlers")), "key", *map(str, key)]
    )
    assert taken_out.wait(10) == 0
    found = findings(watching, position, "the settings", "which events", "table of calls", "for some system calls")
    assert all(record.number("repaired") for record in found)
    assert "(openat)" in found[3].text("what")
    assert found[3].number("caller_pid") == taken_out.pid
    assert found[3].number("caller_time") < found[3].header.time
    assert opens(watching)


def test_what_says_whose_calls_and_which_failed_ones_are_left_out_is_put_right_too(watching: Sensor) -> None:
    watching.set_interest(["openat", "connect", "kill"], narrowed=["kill"])
    position = len(watching._records)
    openat, kill = ([number & 0xFF, number >> 8, 0, 0] for number in (OPENAT, KILL))
    for name, key in (("failures_left_out", openat), ("judged_processes", kill)):
        done = bpftool("map", "update", "id", table(watching, name), "key", *key, "value", 1, *[0] * 7)
        assert done.returncode == 0, name
    assert bpftool("map", "delete", "id", table(watching, "narrowed_handlers"), "key", *kill).returncode == 0
    found = findings(watching, position, "which failed calls", "table of processes", "(kill)")
    assert all(record.number("repaired") and record.number("caller_pid") for record in found)
    assert opens(watching)
    assert watching.during(lambda: os.kill(os.getpid(), 0)).of("kill", pid=os.getpid())
    watching.set_interest(["openat", "connect"])


def test_what_never_changes_cannot_be_written_by_others(watching: Sensor) -> None:
    ring = bpftool("map", "delete", "id", table(watching, "rings"), "key", 0, 0, 0, 0)
    assert "Operation not permitted" in ring.stderr
    for name in ("counter_buffers", "own_maps_buffer"):
        number = table(watching, name)
        refused = bpftool("map", "update", "id", number, "key", 0, 0, 0, 0, "value", *[0] * size(watching, name))
        assert refused.returncode != 0, name
    assert opens(watching)


def test_its_programs_cannot_be_detached_by_others(watching: Sensor) -> None:
    links = ids(watching, "link_id")
    assert len(links) >= 6
    for link in links:
        assert bpftool("link", "detach", "id", link).returncode != 0
    assert opens(watching)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the debugger of this test knows the registers of x86_64")
def test_hooks_whose_descriptors_a_debugger_closed_are_told_and_attached_again(watching: Sensor) -> None:
    position = len(watching._records)
    pid = watching.process.pid
    infos = {int(entry.name): entry.read_text() for entry in Path(f"/proc/{pid}/fdinfo").iterdir()}
    links = [number for number, text in infos.items() if "link_type:\traw_tracepoint" in text]
    assert len(links) >= 6
    close_descriptors(pid, links)
    findings(watching, position, "handle_exec was detached", "handle_exit was", "dispatch_system_call was detached")
    assert opens(watching)
    seen = watching.during(lambda: subprocess.run(["true"], check=True))
    assert seen.of("execve").where(comm="true")


@contextmanager
def on_one_cpu() -> Generator[int]:
    """Stay on a CPU, so that all our events go through its ring buffer; gives its number."""
    before = os.sched_getaffinity(0)
    cpu = min(before)
    os.sched_setaffinity(0, {cpu})
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, before)


def test_events_that_somebody_takes_out_of_a_ring_buffer_or_puts_back_are_counted(watching: Sensor) -> None:
    position = len(watching._records)
    rings = [number for number in ids(watching, "map_id") if is_ring(number)]
    with on_one_cpu() as cpu, opened_ring(rings[cpu]) as (reader, writer):
        before = writer[:8]
        assert opens(watching)
        for _ in range(100):
            with pytest.raises(FileNotFoundError):
                Path("/sensor/taken").read_bytes()
        watching.list_processes()  # the hundred have been read now
        reader[:8] = before
        (again,) = findings(watching, position, "reader back")
        for _ in range(200):
            with pytest.raises(FileNotFoundError):
                Path("/sensor/taken").read_bytes()
            skip_all(reader, writer)
    (taken,) = findings(watching, position, "out of the ring buffers")
    assert (again.number("repaired"), taken.number("repaired")) == (1, 0)
    assert opens(watching)


def is_ring(number: int) -> bool:
    return json.loads(bpftool("-j", "map", "show", "id", number).stdout).get("type") == "ringbuf"
