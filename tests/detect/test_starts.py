"""Processes that begin as others did before are known at once, and made when somebody asks: the same results."""

from __future__ import annotations

import itertools
import random
import struct
from typing import TYPE_CHECKING, Any

from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.enrich import unmade
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.enrich.unmade import ALIVE_KEPT, ENDED_KEPT
from hullwatch.events.codec import encode
from hullwatch.events.table import FLAGS
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    import pytest

    from hullwatch.enrich.assembler import Assembler
    from hullwatch.enrich.saved_state import SavedProcess

WEB, OTHER = "a" * 64, "b" * 64
GROUPS = {1: "", 2: WEB, 3: OTHER}
HOSTS, ELSEWHERE = struct.pack("<7I", 0, 0, 3, 0, 0, 0, 0), struct.pack("<7I", 0, 0, 7, 0, 0, 0, 0)  # network's third
IN_IMAGE = FLAGS["execve_flags"]["EXE_LOWER_LAYER"]
COMMS = ("sh", "date", "cat", "nginx")
CONDITIONS = (
    "evt.type = openat and fd.name = /etc/shadow and proc.name = cat",
    "evt.type = openat and proc.pname = sh and fd.name startswith /etc",
    "evt.type = openat and proc.aname[2] = nginx and fd.name = /tmp/x",
    "evt.type = execve and proc.name = cat and proc.pname = nginx and user.uid = 0",
    "evt.type = execve and proc.cmdline contains secret",
    "evt.type in (clone, procexit) and proc.name = nginx and container.name = web",
    "evt.type in (openat, execve) and proc.name = nginx and proc.vpid >= 1013 and proc.pid < 1400",
    "evt.type = openat and proc.cwd = /tmp and container.id != host",
    "evt.type = execve and evt.failed = true and proc.name = sh",
    "evt.type in (execve, openat) and proc.ns.net.is_host = false and fd.name != /lib/x",
    "evt.type = openat and proc.args icontains kelvin",
    "evt.type = openat and proc.args regex '.*(one|two) (file|dir)[0-9]*1.*'",
    "evt.type = execve and proc.pcmdline contains ' two' and not proc.args contains zero",
    "evt.type = openat and proc.acmdline[1] glob '* three*file*'",
    "evt.type = openat and proc.name = cat and proc.args[1] = one and fd.name = /etc/passwd",
    "evt.type = openat and proc.name = sh and proc.cmdnargs > 3",
    "evt.type = execve and proc.name in (cat, date) and proc.args contains four",
    "evt.type = openat and proc.name = date and proc.args icontains 'ZERO' and fd.name startswith /etc",
    "evt.type = openat and (proc.cmdline startswith 'cat file77' or proc.exeline in ('date one', 'date secret'))",
)
WORDS = ("-a", "b", "one", "two", "three", "zero", "KELVIN", "kelvin", "\u212aelvin", "dir1", "four", "")
SEQUENCE = """
- rule: sequence
  desc: d
  sequence:
    - condition: evt.type = openat and fd.name = /tmp/x and container.name = web
      by: container.id
    - condition: evt.type = execve and evt.failed = false and container.name = web
      by: container.id
  within: 5m
  output: x
  priority: NOTICE
"""
RULES = SEQUENCE + "".join(
    f"- rule: r{number}\n  desc: d\n  condition: {condition}\n  output: x\n  priority: NOTICE\n"
    for number, condition in enumerate(CONDITIONS)
)
Found = list[tuple[Any, ...]]


class _Lives:
    """Makes records of processes that begin, do something and end, from the same few values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._time, self._pid = 1000, 1000
        self._alive: list[tuple[int, int, int]] = []  # id, start, group

    def batches(self, number: int) -> list[bytes]:
        known = [
            encode("host", self._header((0, 0, 1)), namespaces=HOSTS),
            encode("cgroup_mkdir", self._header((0, 0, 1)), id=1, path="/system.slice"),
        ]
        for group, full_id in GROUPS.items():
            if full_id:
                known.append(encode("cgroup_mkdir", self._header((0, 0, 1)), id=group, path=f"/docker/{full_id}"))
                container = Container(
                    id=full_id[:12], full_id=full_id, name="web" if group == 2 else "db", running=True
                )
                known.append(encode("container", self._header((0, 0, 1)), json=encode_container(container)))
        for group in GROUPS:
            self._alive.append(self._new(group))
            known.append(self._program(self._alive[-1], "nginx", "process"))
        records = [*known, *(self._record() for _ in range(number))]
        ends = sorted(
            {0, len(records), *(self._random.randrange(len(known), len(records)) for _ in range(number // 50))}
        )
        return [b"".join(records[first:last]) for first, last in itertools.pairwise(ends)]

    def _new(self, group: int) -> tuple[int, int, int]:
        self._pid += 1
        self._time += 1
        return self._pid, self._time, group

    def _header(self, process: tuple[int, int, int]) -> dict[str, int]:
        self._time += 1
        pid, start, group = process
        return {
            "time": self._time, "pid": pid, "tid": pid, "process_start": start, "cgroup_id": group,
            "uid": 0 if self._random.random() < 0.9 else 1000,
        }  # fmt: skip

    def _arguments(self) -> list[str]:
        """Return the same, others that no rule asks for, or some of which rules have the words."""
        choice = self._random.random()
        if choice < 0.5:
            return ["secret" if choice < 0.03 else "-a"]
        if choice < 0.8:
            return [f"file{self._random.randrange(1000)}"]
        few = self._random.choices(WORDS, k=self._random.randrange(5))
        return [*few, f"file{self._random.randrange(10)}"]

    def _program(self, process: tuple[int, int, int], comm: str, kind: str = "execve", res: int = 0) -> bytes:
        full_id = GROUPS[process[2]]
        namespaces = {"net_ns": 7} if self._random.random() < 0.1 else {"net_ns": 3}
        argv = "".join(f"{one}\0" for one in (comm, *self._arguments()))
        return encode(
            kind, self._header(process), argv=argv.encode(), comm=comm, filename=f"/bin/{comm}",
            trusted_exepath=f"/bin/{comm}", cwd="/", vpid=process[0], flags=IN_IMAGE,
            cgroup_v2=f"/docker/{full_id}" if full_id else "/system.slice", res=res, **namespaces,
        )  # fmt: skip

    def _record(self) -> bytes:
        choice = self._random.random()
        process = self._random.choice(self._alive[-6:] if choice < 0.8 else self._alive)
        if choice < 0.25 and len(self._alive) < 40:
            if self._random.random() < 0.8:  # most are children of servers
                process = self._random.choice(self._alive[: len(GROUPS)])
            child = self._new(process[2])
            self._alive.append(child)
            comm = self._random.choice(("", "", "", "nginx", "sh"))
            return encode(
                "clone", self._header(process), res=child[0], child_start=child[1], comm=comm,
                vpid=1 if self._random.random() < 0.05 else child[0],
                namespaces=ELSEWHERE if self._random.random() < 0.1 else b"",
            )  # fmt: skip
        if choice < 0.5:
            comm = self._random.choice(COMMS[1:3] if choice < 0.4 else COMMS)
            return self._program(process, comm, res=-2 if self._random.random() < 0.1 else 0)
        if choice < 0.7 and len(self._alive) > 8:
            ended = self._random.choice(self._alive[3:])
            self._alive.remove(ended)
            late = encode("openat", self._header(ended), fd=3, name="/etc/shadow")
            return encode("procexit", self._header(ended)) + (late if self._random.random() < 0.1 else b"")
        if choice < 0.73:
            return encode("chdir", self._header(process), path="/tmp")
        if choice < 0.74:
            moved = process[0], process[1], self._random.choice(tuple(GROUPS))
            return encode("openat", self._header(moved), fd=3, name="/etc/passwd")
        path = self._random.choice(("/etc/shadow", "/etc/passwd", "/tmp/x", "/lib/x"))
        return encode("openat", self._header(process), fd=3, name=path)


def _judged(stream: Stream, batches: list[bytes]) -> Found:
    return [
        (match.rule.name, match.event.number, match.event.container.id, _line(match.event.process))
        for batch in batches
        for match in stream.feed(batch)
    ]


def _line(process: Any) -> tuple[Any, ...]:
    found: list[Any] = []
    while process is not None:
        program = process.program
        found.append((process.key, program.comm, program.args, program.cwd, program.uid, program.time, process.vpid))
        found.append(program.namespaces)
        process = process.parent
    return tuple(found)


def _kept(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that grows by each record that could be kept: whether it was."""
    kept: list[bool] = []
    keep = stream.assembler.kept.take

    def counted(batch: bytes, offset: int, *, known: bool) -> bool:
        kept.append(keep(batch, offset, known=known))
        return kept[-1]

    monkeypatch.setattr(stream.assembler.kept, "take", counted)
    return kept


def _alive(assembler: Assembler) -> dict[tuple[int, int], tuple[Any, ...]]:
    saved = assembler.saved()

    def line(one: SavedProcess) -> tuple[Any, ...]:
        above = line(saved.processes[one.parent]) if one.parent >= 0 else ()
        return one.pid, one.start, one.container_id, one.vpid, saved.programs[one.program], above

    return {(one.pid, one.start): line(one) for one in saved.processes if one.alive}


def test_processes_that_begin_alike_have_the_matches_and_the_state_of_processes_that_were_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules, met, were_kept = load_text(RULES), set[str](), 0
    assert {"one", "kelvin", " two", "three"} <= set(Stream(rules, Counters(), lambda _: None, 20).plan.arguments.marks)
    for seed in range(6):
        batches = _Lives(seed).batches(3000)
        slow, fast = (
            Stream(rules, Counters(), lambda _: None, 20, every=True, native=native) for native in (False, True)
        )
        kept = _kept(fast, monkeypatch)
        expected = _judged(slow, batches)
        assert _judged(fast, batches) == expected, f"seed {seed}"
        assert _alive(fast.assembler) == _alive(slow.assembler), f"seed {seed}"
        met |= {name for name, *_ in expected}
        were_kept += sum(kept)
    assert {"sequence", *(f"r{number}" for number in range(len(CONDITIONS)))} - met == set(), "every rule is met"
    assert were_kept > 300, "many were kept as records"


def _start(pid: int) -> bytes:
    header = {"time": pid, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 1}
    forked = encode("clone", {**header, "pid": 1, "tid": 1, "process_start": 1}, res=pid, child_start=pid, vpid=pid)
    return forked + encode("execve", header, comm="date", argv=b"date\0", cgroup_v2="/system.slice")


def _beginning() -> bytes:
    header = {"time": 1, "pid": 1, "tid": 1, "process_start": 1, "cgroup_id": 1}
    return encode("process", header, comm="init", argv=b"init\0", cgroup_v2="/system.slice")


def _end(pid: int) -> bytes:
    return encode("procexit", {"time": pid, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 1})


def test_what_is_kept_of_processes_that_run_is_bounded() -> None:
    stream = Stream(load_text(RULES), Counters(), lambda _: None, 20)
    batch = _beginning() + b"".join(_start(pid) for pid in range(2, 3 * ALIVE_KEPT))
    assert list(stream.feed(batch)) == []
    assert len(stream.assembler.tree) == 3 * ALIVE_KEPT - 1
    assert len(stream.assembler.saved().processes) == 3 * ALIVE_KEPT - 1


def test_long_records_of_those_that_ended_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unmade, "SIZE_KEPT", 5000)
    stream = Stream(load_text(RULES), Counters(), lambda _: None, 20)
    batch = _beginning() + b"".join(_start(pid) + _end(pid) for pid in range(2, 200))
    assert list(stream.feed(batch)) == []
    ended = stream.assembler.tree._unmade._ended
    assert 3 < len(ended) < 40
    assert sum(one.size for one in ended.values()) <= 5000
    assert stream.assembler.tree.find(199, 199) is not None


def test_the_last_that_ended_can_be_asked_for_and_no_others() -> None:
    stream = Stream(load_text(RULES), Counters(), lambda _: None, 20)
    last = 2 * ENDED_KEPT + 20
    batch = _beginning() + b"".join(_start(pid) + _end(pid) for pid in range(2, last))
    assert list(stream.feed(batch)) == []
    tree = stream.assembler.tree
    assert len(tree) < ENDED_KEPT + 30
    late = tree.find(last - 1, last - 1)
    assert late is not None
    assert (late.program.comm, late.alive) == ("date", False)
    assert late.parent is tree.find(1, 1)
    assert tree.find(100, 100) is None


def test_a_parent_that_runs_another_program_is_seen_by_children_that_were_kept() -> None:
    rules = load_text(
        "- rule: below\n  desc: d\n  condition: evt.type = openat and proc.pname = shell and fd.name = /x\n"
        "  output: x\n  priority: NOTICE\n"
    )
    stream = Stream(rules, Counters(), lambda _: None, 20)
    header = {"time": 90, "pid": 9, "tid": 9, "process_start": 9, "cgroup_id": 1}
    opened = encode("openat", header, fd=3, name="/x")
    batch = _beginning() + b"".join(_start(pid) for pid in range(2, 10)) + opened
    parent = {"time": 91, "pid": 1, "tid": 1, "process_start": 1, "cgroup_id": 1}
    again = encode("execve", parent, comm="shell", argv=b"shell\0", cgroup_v2="/system.slice")
    assert list(stream.feed(batch)) == []
    found = [match.event.process for match in stream.feed(again + opened)]
    assert [process.pid for process in found if process is not None] == [9]
