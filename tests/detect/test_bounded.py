"""Whatever a host does, what is remembered of it stays bounded: limits are shrunk, and the stream is hostile."""

from __future__ import annotations

import gc
import itertools
import struct
import types
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import pytest

from hullwatch.counters import Counters
from hullwatch.detect import known_values, prefilter, process_prefilter
from hullwatch.detect import remembered as remembered_processes
from hullwatch.detect import stream as stream_module
from hullwatch.detect.stream import Stream
from hullwatch.enrich import ancestry, drift, gate, known_cgroups, program_record, sharing, tree, unmade
from hullwatch.enrich.container import Container, unknown
from hullwatch.enrich.container import encode as encode_container
from hullwatch.events.codec import encode
from hullwatch.events.table import EVENTS
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sized

    from hullwatch.detect.engine import Match

LIMIT = 64
RULES = """
- {rule: file, desc: d, condition: evt.type = openat and fd.name endswith /shadow and proc.aname = x,
   output: "%fd.name", priority: NOTICE}
- {rule: start, desc: d, condition: evt.type = execve and proc.cmdline contains evil, output: "%proc.cmdline",
   priority: NOTICE}
- {rule: inside, desc: d, condition: evt.type = openat and container.id != host and fd.directory = /etc,
   output: "%container.name", priority: NOTICE}
- {rule: many, desc: d, condition: evt.type = openat and fd.name startswith /many, output: "%proc.name",
   priority: NOTICE}
"""
numbers = itertools.count(2)


@pytest.fixture(params=[False, True], ids=["python", "c"])
def stream(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A stream that remembers little: only what grows past all limits shows."""
    for module, name in (
        *((tree, name) for name in ("ENDED_KEPT", "ABOVE_KEPT", "PROCESSES_KEPT")),
        (gate, "CONTAINERS_KEPT"),
        (remembered_processes, "CONTAINERS_KEPT"),
        (stream_module, "MAXIMUM_CLASSES"),
        *((known_values, name) for name in ("VALUES_KEPT", "CONTEXTS_KEPT", "COMBINATIONS_KEPT")),
        *((known_values, name) for name in ("RULED_OUT_KEPT", "_PROCESSES_KEPT")),
        *((drift, name) for name in ("PENDING_KEPT", "CONTAINERS_KEPT", "_SCRIPTS_KEPT")),
        *((unmade, name) for name in ("ENDED_KEPT", "SIZE_KEPT", "TEXTS_KEPT")),
        (known_cgroups, "CGROUPS_KEPT"),
        (sharing, "SIZE_KEPT"),
        (ancestry, "NUMBERS_KEPT"),
        (process_prefilter, "_KEPT"),
        (prefilter, "_VALUES_KEPT"),
        (program_record, "_TEXTS_KEPT"),
    ):
        assert getattr(module, name) > LIMIT, name
        monkeypatch.setattr(module, name, LIMIT)
    return Stream(load_text(RULES), Counters(), lambda _: None, LIMIT, native=request.param)


def header(pid: int, **more: int) -> dict[str, int]:
    return {"pid": pid, "tid": pid, "process_start": 10 * pid, "time": 20 * pid} | more


def forks(parent: int, child: int) -> bytes:
    return encode("clone", header(parent), res=child, child_start=10 * child, vpid=child, comm="bomb")


def runs(pid: int, cgroup: str = "/", group: int = 1, ancestors: bytes = b"") -> bytes:
    argv = f"sh\0-c\0{pid}\0".encode()
    where = header(pid, cgroup_id=group)
    return encode("execve", where, comm=f"c{pid}", argv=argv, cwd=f"/{pid}", cgroup_v2=cgroup, ancestors=ancestors)


def opens(pid: int, path: str, group: int = 1) -> bytes:
    return encode("openat", header(pid, cgroup_id=group), fd=3, name=path)


def ends(pid: int) -> bytes:
    return encode("procexit", header(pid))


# ---- what a host may do


def short_processes() -> Iterator[bytes]:
    """A shell in a loop."""
    pid = next(numbers)
    yield forks(1, pid) + runs(pid) + opens(pid, f"/many/{pid}") + ends(pid)


def ends_that_nobody_saw() -> Iterator[bytes]:
    pid = next(numbers)
    yield forks(1, pid) + runs(pid) + opens(pid, f"/{pid}/shadow")


def processes_that_nobody_announced() -> Iterator[bytes]:
    pid = next(numbers)
    ancestors = b"".join(struct.pack("<QQ", 10 * pid - n, pid) for n in range(1, 9))
    yield opens(pid, "/x") + runs(next(numbers), ancestors=ancestors)


def daemons_below_a_line_of_ended_ones() -> Iterator[bytes]:
    """Each process forks and ends, eight times, and the last one stays: none of its ancestors is needed by others."""
    pid = next(numbers)
    yield forks(1, pid)
    for _ in range(8):
        child = next(numbers)
        yield forks(pid, child) + runs(child) + ends(pid)
        pid = child


def containers_with_and_without_an_engine() -> Iterator[bytes]:
    pid, group = next(numbers), next(numbers)
    full_id = f"{pid:064x}"
    path = f"/docker/{full_id}"
    yield encode("cgroup_mkdir", header(1), hierarchy=0, id=group, path=path)
    yield runs(pid, path, group) + opens(pid, "/etc/x", group)
    if pid % 3 == 0:
        known = Container(id=full_id[:12], full_id=full_id, name=f"n{pid}", running=True)
        yield encode("container", header(1), json=encode_container(known))
    elif pid % 3 == 1:
        yield encode("container", header(1), json=encode_container(unknown(full_id, "nobody knows it")))
    yield opens(pid, "/etc/y", group)
    if pid % 2:
        yield encode("cgroup_rmdir", header(1), hierarchy=0, id=group, path=path)


def lists_of_processes_that_break_off() -> Iterator[bytes]:
    pid = next(numbers)
    yield encode("process", header(pid), comm="p", argv=b"p\0", cwd="/")
    if pid % 50 == 0:
        yield encode("sensor_lost", header(1), reason="it was ended")


def losses_and_tampering() -> Iterator[bytes]:
    count = next(numbers)
    counts = struct.pack("<HHIQ", EVENTS[count % len(EVENTS)].number, 1 + count % 6, 0, count)
    yield encode("drops", header(1), counts=counts) + encode("clock", header(count), realtime=5)
    yield encode("tampered", header(next(numbers)), what=f"x{'y' * (next(numbers) % 5000)}", caller_pid=1)


HOSTILE = (
    short_processes,
    ends_that_nobody_saw,
    processes_that_nobody_announced,
    daemons_below_a_line_of_ended_ones,
    containers_with_and_without_an_engine,
    lists_of_processes_that_break_off,
    losses_and_tampering,
)


def remembered(judge: object) -> int:
    """Return how many entries all collections have that can be reached from whoever judges a stream."""
    seen: set[int] = set()
    pending: list[Any] = [judge]
    total = 0
    leave = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, leave):
            continue
        seen.add(id(one))
        if isinstance(one, (dict, list, set, deque)):
            total += len(cast("Sized", one))
        pending += gc.get_referents(one)
    return total


@pytest.mark.parametrize("does", HOSTILE, ids=lambda does: does.__name__)
def test_what_is_remembered_stays_bounded_when_a_host_does(does: Callable[[], Iterator[bytes]], stream: Stream) -> None:
    def feed(times: int) -> None:
        for _ in range(times):
            matches: list[Match] = list(stream.feed(b"".join(does())))
            del matches
            stream.take_ruled_out()
            stream.assembler.take_notices()

    list(stream.feed(runs(1)))
    feed(5 * LIMIT)
    before = remembered(stream)
    feed(5 * LIMIT)
    assert remembered(stream) <= before + before // 5 + LIMIT, "something grows with what the host does"


def test_waiting_events_are_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "HELD_BYTES", 100_000)
    stream = Stream(load_text(RULES), Counters(), lambda _: None, 1_000_000)
    full_id = "a" * 64
    list(stream.feed(runs(7, f"/docker/{full_id}", 5)))
    long = "/etc/" + "x" * 4000
    for _ in range(100):
        list(stream.feed(opens(7, long, 5)))
        assert stream.assembler.gate._held_bytes <= 100_000
    assert stream._counters.held_timeout > 0


def test_a_process_that_was_forgotten_is_entered_anew_and_asked_for(stream: Stream) -> None:
    list(stream.feed(runs(1) + runs(5000)))
    for _ in range(3 * LIMIT):
        list(stream.feed(b"".join(ends_that_nobody_saw())))
    assert stream.assembler.tree.forgotten > 0
    assert stream.assembler.tree.find(5000, 50_000) is None
    before = stream.assembler.gaps
    list(stream.feed(opens(5000, "/many/x")))
    assert stream.assembler.tree.find(5000, 50_000) is not None
    assert stream.assembler.gaps == before + 1  # so the sensor lists all processes again
