"""The list of processes that were already running."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.enrich.program_record import ProgramRecords
from hullwatch.enrich.tree import ProcessTree
from hullwatch.events.codec import encode
from hullwatch.events.table import BY_NAME

if TYPE_CHECKING:
    from tests.kernel.observation import Sensor


def test_a_running_process_is_listed_with_what_an_exec_would_have_told(sensor: Sensor, tmp_path: Path) -> None:
    arguments = ["cat", "-", "line\nbreak", "ü"]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x")
        assert process.stdout.read(1) == b"x"  # its exec, which Popen does not wait out, has ended
        exe = Path(f"/proc/{process.pid}/exe").readlink()
        record = sensor.list_processes().one("process", pid=process.pid)
        process.stdin.close()
    assert record.bytes("argv") == "".join(argument + "\0" for argument in arguments).encode()
    assert record.text("trusted_exepath") == str(exe)
    assert record.text("cwd") == str(tmp_path)
    assert record.text("comm") == "cat"
    assert record.text("filename") == ""
    assert record.number("ptid") == os.getpid()
    assert record.number("exe_ino") == exe.stat().st_ino
    assert record.number("exe_ino_mtime") == exe.stat().st_mtime_ns
    assert record.number("vpid") == process.pid


def processes() -> set[int]:
    """Return the processes of /proc, without those that this kernel keeps even from root."""
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            (folder / "exe").readlink()
        except PermissionError:
            continue
        except FileNotFoundError:  # a kernel thread
            pass
        found.add(int(folder.name))
    return found


def test_every_process_of_proc_is_listed_once_threads_are_not(sensor: Sensor) -> None:
    before = processes()
    seen = sensor.list_processes()
    after = processes()
    listed = [record.header.pid for record in seen.of("process")]
    assert len(listed) == len(set(listed))
    assert before & after <= set(listed)


def test_a_kernel_thread_has_a_name_and_neither_arguments_nor_a_program(sensor: Sensor) -> None:
    record = sensor.list_processes().one("process", pid=2)
    assert record.text("comm") == "kthreadd"
    assert (record.bytes("argv"), record.text("trusted_exepath")) == (b"", "")


def test_the_end_of_the_list_tells_how_many_and_since_when(sensor: Sensor) -> None:
    begin = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    seen = sensor.list_processes()
    end = seen.one("snapshot_end")
    assert end.number("processes") == len(seen.of("process"))
    assert begin < end.number("started") <= end.header.time < time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_the_start_of_a_process_is_the_same_in_the_list_in_its_events_and_in_its_childrens(sensor: Sensor) -> None:
    seen = sensor.during(lambda: list(Path("/").iterdir()))
    start = {record.header.process_start for record in seen.of("openat", pid=os.getpid())}
    listed = sensor.list_processes().one("process", pid=os.getpid())
    assert start == {listed.header.process_start}
    spawned = sensor.during(lambda: subprocess.run(["true"], check=True))
    parents = {r.number("parent_start") for r in spawned.of("execve") if r.number("ptid") == os.getpid()}
    assert parents == start


def test_a_tree_made_of_the_list_has_every_process_below_its_parent(sensor: Sensor) -> None:
    tree = ProcessTree()
    seen = sensor.list_processes()
    for record in seen.of("process"):
        read = ProgramRecords().read(BY_NAME["process"], encode("process", None, **record.values), 0)
        program = read.program(record.header.uid, 0)
        tree.ran_program(record.header.pid, record.header.process_start, program, read, listed=True)
    tree.snapshot_ended(seen.one("snapshot_end").number("started"))
    own = seen.one("process", pid=os.getpid())
    process = tree.find(os.getpid(), own.header.process_start)
    lines: list[int] = []
    while process is not None:
        lines.append(process.pid)
        process = process.parent
    assert lines[:2] == [os.getpid(), os.getppid()]
    assert lines[-1] in {1, 2}
