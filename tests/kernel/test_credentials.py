"""Users, groups and capabilities as the sensor reports them, by real system calls."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.observation import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.observation import Record, Sensor

    Child = Callable[..., dict[str, Any]]

LEFT = 0xFFFFFFFF  # -1: leave it as it is
# Name of the event, how it is called, its parameters after a call that works.
CHANGES: list[tuple[str, str, dict[str, int]]] = [
    ("setuid", "call(105, 1234)", {"uid": 1234}),
    ("setgid", "call(106, 1235)", {"gid": 1235}),
    ("setreuid", "call(113, -1, 1234)", {"ruid": LEFT, "euid": 1234}),
    ("setregid", "call(114, 5, -1)", {"rgid": 5, "egid": LEFT}),
    ("setresuid", "call(117, 1, 2, 3)", {"ruid": 1, "euid": 2, "suid": 3}),
    ("setresgid", "call(119, -1, 2, -1)", {"rgid": LEFT, "egid": 2, "sgid": LEFT}),
    ("setgroups", "call(116, 2, (ctypes.c_uint * 2)(7, 8))", {"count": 2}),
]
USER_AFTER = {"setuid": 1234, "setreuid": 1234, "setresuid": 2}


def made(sensor: Sensor, child: Child, name: str, script: str, **values: int) -> Record:
    """Run a script; return the one record of that type that its process caused."""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script)))
    return seen.one(name, pid=said[0]["pid"], **values)


@pytest.mark.parametrize(("name", "statement", "values"), CHANGES)
def test_a_change_of_user_or_group_is_reported_with_its_numbers_and_the_new_user(
    sensor: Sensor, child: Child, name: str, statement: str, values: dict[str, int]
) -> None:
    record = made(sensor, child, name, statement)
    assert record.values == {"res": 0, **values}
    assert record.header.uid == USER_AFTER.get(name, 0)
    assert not record.has_flag("USER_MEMORY")


@pytest.mark.parametrize(("name", "statement", "values"), CHANGES)
def test_a_change_that_is_not_allowed_is_reported_with_its_error(
    sensor: Sensor, child: Child, name: str, statement: str, values: dict[str, int]
) -> None:
    script = f"""
os.setgroups([])
os.setresgid(9999, 9999, 9999)
os.setresuid(9999, 9999, 9999)
try:
    {statement}
except OSError:
    pass
"""
    record = made(sensor, child, name, script, res=-errno.EPERM)
    assert record.values == {"res": -errno.EPERM, **values}
    assert record.header.uid == 9999


# Version 3 of capset(): a header of version and pid, then the lower and the upper halves of three sets.
CAPSET = """
class Set(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint) for name in ("effective", "permitted", "inheritable")]
def capset(effective, permitted, inheritable):
    values = (Set * 2)()
    for half in (0, 1):
        values[half] = Set(*((one >> 32 * half) & 0xFFFFFFFF for one in (effective, permitted, inheritable)))
    call(126, (ctypes.c_uint * 2)(0x20080522, 0), values)
"""
NET_RAW, SYS_PTRACE, BPF = 1 << 13, 1 << 19, 1 << 39


def test_capabilities_are_those_that_the_thread_has_after_the_call(sensor: Sensor, child: Child) -> None:
    script = CAPSET + f"capset({NET_RAW}, {NET_RAW | BPF}, {BPF})"
    assert made(sensor, child, "capset", script).values == {
        "res": 0,
        "cap_effective": NET_RAW,
        "cap_permitted": NET_RAW | BPF,
        "cap_inheritable": BPF,
    }


def test_capabilities_that_were_not_given_are_not_reported_as_held(sensor: Sensor, child: Child) -> None:
    script = f"""{CAPSET}
capset({NET_RAW}, {NET_RAW}, 0)
try:
    capset({SYS_PTRACE}, {SYS_PTRACE}, 0)
except OSError:
    pass
"""
    record = made(sensor, child, "capset", script, res=-errno.EPERM)
    assert (record.number("cap_effective"), record.number("cap_permitted")) == (NET_RAW, NET_RAW)


def test_a_program_is_reported_with_the_capabilities_that_it_runs_with(sensor: Sensor, child: Child) -> None:
    script = """
pid = os.fork()
if pid == 0:
    os.execv("/bin/true", ["true"])
os.waitpid(pid, 0)
say(other=pid)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script)))
    record = seen.one("execve", pid=said[0]["other"])
    bounding = next(
        int(line.split()[1], 16) for line in Path("/proc/self/status").read_text().splitlines() if "CapBnd" in line
    )
    assert (record.number("cap_permitted"), record.number("cap_effective")) == (bounding, bounding)
    assert record.number("cap_inheritable") == 0
    listed = sensor.list_processes().one("process", pid=os.getpid())
    assert listed.number("cap_effective") == bounding


def test_a_program_of_an_ordinary_user_has_no_capabilities(sensor: Sensor) -> None:
    pids: list[int] = []
    seen = sensor.during(lambda: pids.append(run(["/bin/true"], user=1234).pid))
    record = seen.one("execve", pid=pids[0])
    assert (record.number("cap_permitted"), record.number("cap_effective")) == (0, 0)
