"""What one process does to another: tracing, foreign memory, signals; and prctl(), by real system calls."""

from __future__ import annotations

import errno
import signal
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.observation import Records, Sensor

    Child = Callable[..., dict[str, Any]]

REQUESTS = FLAGS["ptrace_requests"]
TRY = """
def attempt(number, *arguments):
    try:
        return call(number, *arguments)
    except OSError:
        return -1
"""
VICTIM = """
reader, writer = os.pipe()
victim = os.fork()
if victim == 0:
    os.read(reader, 1)
    os._exit(0)
"""


def seen_of(sensor: Sensor, child: Child, script: str, *arguments: str) -> tuple[Records, dict[str, Any]]:
    """Run a script; return what was seen meanwhile, of its process only, and what it said."""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(TRY + script, *arguments)))
    return type(seen)(r for r in seen if r.header.pid == said[0]["pid"]), said[0]


def test_tracing_another_process_is_reported_with_the_request(sensor: Sensor, child: Child) -> None:
    script = (
        VICTIM
        + """
call(101, 0x4206, victim, 0, 0)
call(101, 0x4207, victim, 0, 0)
os.waitpid(victim, 0x40000000)
call(101, 17, victim, 0, 0)
os.write(writer, b"x")
os.waitpid(victim, 0)
say(victim=victim)
"""
    )
    seen, said = seen_of(sensor, child, script)
    records = seen.of("ptrace")
    assert [r.number("request") for r in records] == [
        REQUESTS["PTRACE_SEIZE"], REQUESTS["PTRACE_INTERRUPT"], REQUESTS["PTRACE_DETACH"]
    ]  # fmt: skip
    assert {(r.number("res"), r.number("pid")) for r in records} == {(0, said["victim"])}


def test_tracing_that_is_not_allowed_is_reported_with_the_error(sensor: Sensor, child: Child) -> None:
    seen, _ = seen_of(sensor, child, "attempt(101, 16, 1 << 22, 7, 8)\nattempt(101, 77, 1, 0, 0)")
    first, second = seen.of("ptrace")
    assert first.values == {
        "res": -errno.ESRCH, "request": REQUESTS["PTRACE_ATTACH"], "pid": 1 << 22, "addr": 7, "data": 8
    }  # fmt: skip
    assert second.number("request") == REQUESTS["PTRACE_UNKNOWN"]


@pytest.mark.parametrize(("name", "number"), [("process_vm_readv", 310), ("process_vm_writev", 311)])
def test_foreign_memory_is_reported_with_its_owner_and_how_much_it_was(
    sensor: Sensor, child: Child, name: str, number: int
) -> None:
    script = f"""{VICTIM}
buffer = ctypes.create_string_buffer(64)
vector = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 64)
call({number}, victim, vector, 1, vector, 1, 0)
attempt({number}, 1 << 22, vector, 1, vector, 1, 0)
os.write(writer, b"x")
os.waitpid(victim, 0)
say(victim=victim)
"""
    seen, said = seen_of(sensor, child, script)
    assert [r.values for r in seen.of(name)] == [
        {"res": 64, "pid": said["victim"]},
        {"res": -errno.ESRCH, "pid": 1 << 22},
    ]


def test_signals_that_are_sent_in_other_ways_are_reported_alike(sensor: Sensor, child: Child) -> None:
    script = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: None)
me = os.getpid()
information = ctypes.create_string_buffer(b"\\0" * 8 + (-1).to_bytes(4, "little", signed=True), 128)
call(129, me, 10, information)
call(297, me, me, 10, information)
call(424, os.pidfd_open(me), 10, 0, 0)
call(424, os.open("/proc/self", os.O_RDONLY), 10, 0, 0)
attempt(424, 1, 10, 0, 0)
attempt(424, 99, 10, 0, 0)
"""
    seen, said = seen_of(sensor, child, script)
    pid, usr1 = said["pid"], int(signal.SIGUSR1)
    assert [r.values for r in seen.of("kill")] == [{"res": 0, "pid": pid, "sig": usr1}] * 3
    assert [r.values for r in seen.of("tgkill")] == [{"res": 0, "pid": pid, "tid": pid, "sig": usr1}]


def test_signals_are_reported_with_receiver_and_number(sensor: Sensor, child: Child) -> None:
    script = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: None)
me = os.getpid()
call(62, me, 10)
call(200, me, 10)
call(234, me, me, 10)
attempt(62, 1 << 22, 9)
attempt(200, 1 << 22, 9)
attempt(234, 1 << 22, 1 << 22, 9)
attempt(62, -me, 0)
"""
    seen, said = seen_of(sensor, child, script)
    pid, nobody, gone = said["pid"], 1 << 22, -errno.ESRCH
    usr1, kill = int(signal.SIGUSR1), int(signal.SIGKILL)
    assert [r.values for r in seen.of("kill")] == [
        {"res": 0, "pid": pid, "sig": usr1},
        {"res": gone, "pid": nobody, "sig": kill},
        {"res": gone, "pid": -pid, "sig": 0},
    ]
    assert [r.values for r in seen.of("tkill")] == [
        {"res": 0, "tid": pid, "sig": usr1}, {"res": gone, "tid": nobody, "sig": kill}
    ]  # fmt: skip
    assert [r.values for r in seen.of("tgkill")] == [
        {"res": 0, "pid": pid, "tid": pid, "sig": usr1}, {"res": gone, "pid": nobody, "tid": nobody, "sig": kill}
    ]  # fmt: skip


def test_a_new_name_of_a_process_is_the_kernels_and_other_settings_have_their_number(
    sensor: Sensor, child: Child
) -> None:
    script = "call(157, 15, b'\\xff\\nnamed far too long')\ncall(157, 4, 0, 0, 0)\nattempt(157, 15, 8)"
    seen, _ = seen_of(sensor, child, script)
    named, dumpable, failed = seen.of("prctl")
    options = FLAGS["prctl_options"]
    assert named.values == {
        "res": 0, "option": options["PR_SET_NAME"], "arg2_str": "\udcff\nnamed far too", "arg2_int": 0
    }  # fmt: skip
    assert not named.has_flag("USER_MEMORY")
    assert dumpable.values == {"res": 0, "option": options["PR_SET_DUMPABLE"], "arg2_str": "", "arg2_int": 0}
    assert (failed.number("res"), failed.text("arg2_str")) == (-errno.EFAULT, "")
