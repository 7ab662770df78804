"""The process tree: who runs what, and who started whom; safe against reused process ids."""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, cast

from hullwatch.enrich.process import Process, ProcessKey, Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.events.codec import Value

ENDED_KEPT = 4096  # ended processes that late events may still ask for
DEPTH_MAXIMUM = 64  # generations that are kept above a process once some of them have ended

_ANCESTOR = struct.Struct("<QQ")


class ProcessTree:
    """All processes that run, and the last few that ended."""

    def __init__(self) -> None:
        """Start empty; a snapshot of the sensor fills it."""
        self._processes: dict[ProcessKey, Process] = {}
        self._ended: deque[ProcessKey] = deque()
        self._listed: set[ProcessKey] = set()

    def __len__(self) -> int:
        """Return how many processes are known."""
        return len(self._processes)

    def find(self, pid: int, start: int) -> Process | None:
        """Return the process with this id that started then (ns since boot)."""
        return self._processes.get((pid, start))  # type: ignore[call-overload]  # a tuple equals a NamedTuple

    def find_or_add(self, pid: int, start: int) -> Process:
        """Return the process; one that was never heard of is entered with nothing but its id."""
        process = self.find(pid, start)
        if process is None:
            process = self._add(ProcessKey(pid, start), None, Program())
        return process

    def ran_program(
        self, pid: int, start: int, uid: int, time: int, values: Mapping[str, Value], container_id: str
    ) -> Process:
        """Enter what an exec (or, with ``time`` 0, a process that was already running) tells.

        The parent is the one that forked it where that is known: after the parent's end the kernel
        names another, which has nothing to do with how the process came about.
        """
        key = ProcessKey(pid, start)
        program = _program(values, uid, time)
        process = self._processes.get(key)
        if process is None:
            process = self._add(key, None, program)
        process.program = program
        process.container_id = container_id
        process.vpid = cast("int", values["vpid"])
        if process.parent is None and pid > 1:
            self._adopt(process, cast("bytes", values["ancestors"]))
        if time == 0:
            self._listed.add(key)
        return process

    def _adopt(self, process: Process, ancestors: bytes) -> None:
        """Hang a process below the ancestors that the kernel named; unknown ones are entered by their key."""
        child = process
        for start, pid in _ANCESTOR.iter_unpack(ancestors[: len(ancestors) // 16 * 16]):
            key = ProcessKey(pid, start)
            if start >= child.key.start:  # no ancestor is younger: whatever this is, it must not make a circle
                return
            parent = self._processes.get(key)
            known = parent is not None
            if parent is None:
                parent = self._add(key, None, Program())
            child.parent = parent
            child.depth = parent.depth + 1
            if known:
                return
            child = parent

    def forked(self, parent: Process, values: Mapping[str, Value], container_id: str) -> Process:
        """Enter a child: it runs what its parent runs until it says otherwise."""
        if parent.depth >= DEPTH_MAXIMUM:
            parent = _nearest_alive(parent)
        program = parent.program
        comm = cast("str", values["comm"])
        if comm and comm != program.comm:  # the parent has renamed itself
            program = _renamed(program, comm)
        key = ProcessKey(cast("int", values["res"]), cast("int", values["child_start"]))
        above = parent if parent.key.start < key.start else None  # as in _adopt
        known = self._processes.get(key)
        if known is not None and known.program.comm:  # its own exec or the snapshot came first, and is newer
            if known.parent is None and above is not None:
                known.parent = above
                known.depth = above.depth + 1
            return known
        child = self._add(key, above, program)
        child.container_id = container_id
        child.vpid = cast("int", values["vpid"])
        return child

    def ended(self, process: Process) -> None:
        """Note the end of a process; it can be asked for a while longer."""
        if not process.alive:
            return
        process.alive = False
        self._ended.append(process.key)
        if len(self._ended) > ENDED_KEPT:
            self._processes.pop(self._ended.popleft(), None)

    def snapshot_ended(self, started: int) -> int:
        """Remove what was not in the snapshot and is older than it; return how many those were.

        Their ends were not seen, because events were lost or the sensor was restarted.
        """
        gone = [
            process
            for key, process in self._processes.items()
            if process.alive and key.start < started and key not in self._listed
        ]
        for process in gone:
            self.ended(process)
        self._listed.clear()
        return len(gone)

    def _add(self, key: ProcessKey, parent: Process | None, program: Program) -> Process:
        process = Process(key, parent, program)
        self._processes[key] = process
        return process


def _nearest_alive(process: Process) -> Process:
    """Cut ended generations out of a long line, so that a program that forks and ends for ever stays bounded."""
    ancestor = process.parent
    while ancestor is not None and not ancestor.alive:
        ancestor = ancestor.parent
    process.parent = ancestor
    process.depth = 0 if ancestor is None else ancestor.depth + 1
    return process


def _renamed(program: Program, comm: str) -> Program:
    renamed = Program(comm, program.exe, program.args, program.exepath)
    for name in Program.__slots__:
        if name != "comm":
            setattr(renamed, name, getattr(program, name))
    return renamed


def _program(values: Mapping[str, Value], uid: int, time: int) -> Program:
    argv = cast("bytes", values["argv"])
    arguments = argv.decode("utf-8", "surrogateescape").split("\0")
    if arguments and not arguments[-1]:
        arguments.pop()  # behind the last end mark
    comm, exepath = cast("str", values["comm"]), cast("str", values["trusted_exepath"])
    exe = arguments[0] if arguments else comm
    program = Program(comm, exe, tuple(arguments[1:]), exepath)
    program.filename = cast("str", values["filename"])
    program.cwd = cast("str", values["cwd"])
    program.tty = cast("int", values["tty"])
    program.uid = uid
    program.gid = cast("int", values["gid"])
    program.loginuid = cast("int", values["loginuid"])
    program.pgid = cast("int", values["pgid"])
    program.sid = cast("int", values["sid"])
    program.flags = cast("int", values["flags"])
    program.exe_ino = cast("int", values["exe_ino"])
    program.exe_ino_ctime = cast("int", values["exe_ino_ctime"])
    program.exe_ino_mtime = cast("int", values["exe_ino_mtime"])
    program.time = time
    return program
