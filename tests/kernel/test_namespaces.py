"""The namespaces of processes as the sensor tells of them, against the links in /proc."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hullwatch.enrich.namespaces import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.observation import Record, Sensor

    Child = Callable[..., dict[str, Any]]

# Numbers as the kernel shows them, and those calls that change them.
NUMBERS = f"""
KINDS = {NAMESPACES!r}
def numbers():
    return [int(os.readlink(f"/proc/self/ns/{{kind}}").partition("[")[2][:-1]) for kind in KINDS]
UNSHARE, SETNS, CLONE = 272, 308, 56
UTS, IPC, USER, PID, NET, MNT, CGROUP = (1 << bit for bit in (26, 27, 28, 29, 30, 17, 25))
"""


def told(record: Record) -> list[int]:
    """Return the numbers of a record: those of a program's start, or of the other parameter."""
    if "pid_ns" in record.values:
        return [record.number(f"{kind}_ns") for kind in NAMESPACES]
    return list(struct.unpack("<7I", record.bytes("namespaces")))


def test_a_program_that_starts_has_the_namespaces_of_its_process(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []
    script = """
before = numbers()
call(UNSHARE, UTS | IPC | NET | MNT | CGROUP)
say(before=before)
if os.fork() == 0:
    say(after=numbers())
    os.execv("/bin/true", ["true"])
os.wait()
"""
    seen = sensor.during(lambda: said.append(child(NUMBERS + script)))
    pid, before, after = (said[0][name] for name in ("pid", "before", "after"))
    assert told(seen.of("execve", pid=pid)[-1]) == before
    changed = [kind for kind, one, two in zip(NAMESPACES, before, after, strict=True) if one != two]
    assert changed == ["mnt", "net", "ipc", "uts", "cgroup"]
    fork = next(r for r in seen.of("clone", "fork", "vfork", "clone3", pid=pid) if r.number("res") != pid)
    assert fork.bytes("namespaces") == b""  # where its parent is
    assert told(seen.one("execve", pid=fork.number("res"))) == after
    assert told(seen.one("unshare", pid=pid)) == after


def test_a_thread_that_joins_a_namespace_is_in_that(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []
    script = """
old = os.open("/proc/self/ns/uts", os.O_RDONLY)
before = numbers()
call(UNSHARE, UTS)
call(SETNS, old, 0)
say(before=before)
"""
    seen = sensor.during(lambda: said.append(child(NUMBERS + script)))
    assert told(seen.one("setns", pid=said[0]["pid"])) == said[0]["before"]
    assert told(seen.one("unshare", pid=said[0]["pid"])) != said[0]["before"]


def test_a_child_in_namespaces_of_its_own_is_told_of_with_them(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []
    script = """
before = numbers()
first = call(CLONE, USER | UTS | 17, 0, 0, 0, 0)
if first == 0:
    say(first=numbers())
    os._exit(0)
os.waitpid(first, 0)
call(UNSHARE, PID)
second = os.fork()
if second == 0:
    os._exit(0)
say(before=before, after=int(os.readlink("/proc/self/ns/pid_for_children").partition("[")[2][:-1]))
os.waitpid(second, 0)
"""
    seen = sensor.during(lambda: said.append(child(NUMBERS + script)))
    first, second = seen.of("clone", "fork", "vfork", "clone3", pid=said[0]["pid"])
    assert told(first) == said[0]["first"]
    assert told(second) == [said[0]["after"], *said[0]["before"][1:]]
    assert second.number("vpid") == 1


def test_processes_that_run_already_are_listed_with_theirs_behind_those_of_the_host(sensor: Sensor) -> None:
    listed = sensor.list_processes()
    host = listed.one("host")
    assert told(host) == told(listed.of("process")[0])
    assert host.header.time <= min(record.header.time for record in listed.of("process"))
    links = [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in NAMESPACES]
    assert told(listed.one("process", pid=os.getpid())) == [int(one.partition("[")[2][:-1]) for one in links]
