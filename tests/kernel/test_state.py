"""The state around events: what an assembler makes of a real stream when ids come again, threads exec, and more."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from hullwatch.counters import Counters
from hullwatch.enrich.assembler import Assembler
from hullwatch.events.codec import encode
from tests.kernel.test_process import TRUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.events.event import Event
    from tests.kernel.observation import Record, Sensor

    Child = Callable[..., dict[str, Any]]


class Replay:
    """An assembler that is fed records as a sensor sent them."""

    def __init__(self, sensor: Sensor) -> None:
        """Begin with the processes that run."""
        self.counters = Counters()
        self.assembler = Assembler(self.counters, lambda _: None, 0, frozenset({"openat", "execve", "procexit"}))
        self.feed(sensor.list_processes())

    def feed(self, records: Iterable[Record]) -> list[Event]:
        batch = b"".join(encode(one.name, one.header._asdict(), **one.values) for one in records)
        return list(self.assembler.feed(batch))


def opened(events: list[Event], prefix: str) -> list[Event]:
    """Return the events of files whose names begin with something."""
    return [event for event in events if str(event.params.get("name", "")).startswith(prefix)]


# The number of a process can be chosen where one may do that: the same for two, one after the other.
SAME_NUMBER = """
import struct
def child_with(number, then):
    wanted = (ctypes.c_int * 1)(number)
    arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(wanted) if number else 0, bool(number))
    pid = call(435, arguments, 88)
    if pid == 0:
        then()
        os._exit(0)
    os.waitpid(pid, 0)
    return pid
def look():
    try:
        os.open("/state/second", 0)
    except OSError:
        pass
first = child_with(0, lambda: os.execv(sys.argv[1], ["first"]))
say(first=first, second=child_with(first, look))
"""


def test_a_process_with_the_number_of_one_that_has_ended_is_another_one(sensor: Sensor, child: Child) -> None:
    replay = Replay(sensor)
    said: list[dict[str, Any]] = []
    events = replay.feed(sensor.during(lambda: said.append(child(SAME_NUMBER, TRUE))))
    assert said[0]["first"] == said[0]["second"]
    ran = next(event for event in events if event.type.name == "execve" and event.tid == said[0]["first"])
    (looked,) = opened(events, "/state/second")
    assert ran.process is not None
    assert looked.process is not None
    assert ran.process.pid == looked.process.pid
    assert ran.process is not looked.process
    assert ran.program is not None
    assert looked.program is not None
    assert (ran.program.exe, looked.program.exe) == ("first", sys.executable)
    assert not ran.process.alive


def test_a_program_that_another_thread_started_is_the_process_s_with_its_children_and_parent(
    sensor: Sensor, child: Child
) -> None:
    replay = Replay(sensor)
    script = """
import threading, time
if os.fork() == 0:
    time.sleep(0.2)
    try:
        os.open("/state/child", 0)
    except OSError:
        pass
    os._exit(0)
code = "import os\\ntry: os.open('/state/after', 0)\\nexcept OSError: os.wait()"
arguments = [sys.executable, "-I", "-S", "-c", code]
threading.Thread(target=os.execv, args=(sys.executable, arguments)).start()
threading.Event().wait()
"""
    said: list[dict[str, Any]] = []
    events = replay.feed(sensor.during(lambda: said.append(child(script))))
    (after,), (other,) = opened(events, "/state/after"), opened(events, "/state/child")
    assert after.process is not None
    assert after.program is not None
    assert other.process is not None
    assert (after.process.pid, after.tid) == (said[0]["pid"], said[0]["pid"])
    assert after.program.args[-1].startswith("import os\ntry")
    assert other.process.parent is after.process
    assert other.program is not None
    assert not other.program.args[-1].startswith("import os\ntry")  # the child runs what its parent ran


def test_of_many_forks_at_once_each_process_has_its_own_parent_and_nothing_is_missed(
    sensor: Sensor, child: Child
) -> None:
    replay = Replay(sensor)
    script = """
def storm(depth):
    for _ in range(4):
        if os.fork() == 0:
            try:
                os.open(f"/state/storm/{os.getpid()}/{os.getppid()}", 0)
            except OSError:
                pass
            if depth:
                storm(depth - 1)
            os._exit(0)
    for _ in range(4):
        os.wait()
storm(3)
say()
"""
    said: list[dict[str, Any]] = []
    events = replay.feed(sensor.during(lambda: said.append(child(script))))
    looks = opened(events, "/state/storm/")
    assert len(looks) == 4 + 16 + 64 + 256
    for look in looks:
        assert look.process is not None
        assert look.process.parent is not None
        written = str(look.params["name"]).removeprefix("/state/storm/")
        assert written == f"{look.process.pid}/{look.process.parent.pid}"
        assert look.program is not None
        assert look.program.exe == sys.executable


def test_a_process_whose_start_was_lost_is_known_from_the_next_list_of_all_processes(
    sensor: Sensor, child: Child
) -> None:
    replay = Replay(sensor)
    running: list[subprocess.Popen[bytes]] = []

    def act() -> None:
        command = ["/bin/sh", "-c", "read line; cat /state/lost; read line", "lost program"]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL))

    sensor.during(act)  # and nobody tells the assembler
    with running[0] as process:
        assert process.stdin is not None
        pid = process.pid

        def go_on() -> None:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
            sensor.wait_for(lambda one: one.name == "openat" and one.text("name") == "/state/lost")

        seen = sensor.during(go_on)
        events = opened(replay.feed(r for r in seen if r.header.pid != pid), "/state/lost")
        assert [event.program.exe if event.program else "" for event in events] == ["cat"]
        parent = events[0].process.parent if events[0].process is not None else None
        assert parent is not None
        assert (parent.pid, parent.program.exe) == (pid, "")  # what it runs is not known, and nothing is made up
        replay.feed(sensor.list_processes())
        assert (parent.program.args[-1], parent.parent is not None) == ("lost program", True)
