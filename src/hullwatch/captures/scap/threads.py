"""Threads of a capture: processes as rules know them, and what each thread has of its own."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING

from hullwatch.enrich.process import Process, ProcessKey, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.captures.scap.descriptors import Descriptor

THREADS_KEPT = 1 << 17
DESCRIPTORS_KEPT = 1 << 18  # of all processes
TEXT_KEPT = 256 << 20  # bytes of arguments, environments and paths of all threads
_STRING = 64  # bytes that one takes beside its text
GENERATIONS = 1024  # that are kept above a thread
_ROOM = 1024  # when all places are taken, so many are freed at once
UNKNOWN = "<NA>"  # Falco's name for a thread that nobody has announced
NOBODY = 0xFFFFFFFF

CLONE_FILES = 1
CLONE_NEWPID = 64
CLONE_PARENT = 256
CLONE_THREAD = 8192
CLONE_VFORK = 1 << 27
CHILD_IN_PIDNS = 1 << 29
CLONE_INVERTED = 1 << 16


class Thread(Process):
    """A thread; the first of a process is its leader, which has the descriptors and the working directory.

    Attributes:
        tid: on the host.
        ptid: of the thread that made the process.
        flags: of the clone.
        uid: effective user.
        vtid: in its own pid namespace; -1 when that is not known.
        vpgid: process group in its own pid namespace; -1 when that is not known.
        time: when it was made, ns since the epoch; 0 for one that was there before.
        leader: of its process.
        files: its descriptors by number; use those of ``shares``.
        last: the descriptor that its last call was about; -1 without.
        is_known: False for a thread that nobody has announced.
        cgroups: ``subsystem=path`` strings, each with a NUL.
        weight: bytes that its texts take.
    """

    __slots__ = (
        "cgroups", "files", "flags", "is_known", "last", "leader", "ptid", "tid", "time", "uid", "vpgid",
        "vtid", "weight",
    )  # fmt: skip

    def __init__(self, tid: int, pid: int, ptid: int, program: Program) -> None:
        """Enter a thread; ``Threads.add`` puts it in its place."""
        super().__init__(ProcessKey(pid, 0), None, program)
        self.tid = tid
        self.ptid = ptid
        self.flags = 0
        self.uid = NOBODY
        self.vtid = -1
        self.vpid = -1
        self.vpgid = -1
        self.time = 0
        self.leader: Thread = self
        self.files: dict[int, Descriptor] = {}
        self.last = -1
        self.is_known = True
        self.cgroups = b""
        self.weight = 0

    @property
    def is_leader(self) -> bool:
        """Whether it is the first thread of its process."""
        return self.tid == self.key.pid

    @property
    def shares(self) -> Thread:
        """The thread whose descriptors it uses."""
        return self.leader if self.flags & CLONE_FILES else self

    @property
    def cwd(self) -> str:
        """Working directory of the process."""
        return self.leader.program.cwd

    def change(self, **values: object) -> None:
        """Give it another program, which differs from the present one in some values."""
        program = copy.copy(self.program)
        program.command_line = ""
        for name, value in values.items():
            setattr(program, name, value)
        describe_content(program)
        self.program = program
        Threads.forget_below(self)


def describe_content(program: Program) -> None:
    """Say what a program is known again by: all that rules ask of it but ids, times and inodes."""
    program.set_content((program.exe, program.args, program.exepath, program.env))


class Threads:
    """All threads that are known, by their id on the host."""

    def __init__(self) -> None:
        """Start with none."""
        self._threads: dict[int, Thread] = {}
        self._processes: dict[int, dict[int, Thread]] = {}  # the threads of each
        self._waiting: dict[int, list[Thread]] = {}  # for a parent that is not known yet
        self._descriptors = 0
        self._text = 0
        self.leaving: Callable[[int], object] | None = None  # called with each thread that ends
        self.forgotten = 0
        self.descriptors_forgotten = 0
        self.texts_forgotten = 0

    def __iter__(self) -> Iterator[Thread]:
        """Return all threads."""
        return iter(list(self._threads.values()))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._threads)

    def find(self, tid: int) -> Thread | None:
        """Return a thread; None when it is not known."""
        return self._threads.get(tid)

    def add(self, thread: Thread) -> Thread:
        """Enter a thread, in the place of another one of its id."""
        known = self._threads.pop(thread.tid, None)
        if known is not None:
            self._hang_children(known, thread)
            known.hang_below(None)
            self._leave_process(known)
        elif len(self._threads) >= THREADS_KEPT:
            for oldest in list(itertools.islice(self._threads.values(), _ROOM)):
                self.remove(oldest)
                self.forgotten += 1
        self._threads[thread.tid] = thread
        self.weigh(thread)
        self._find_leader(thread)
        self._hang(thread)
        for child in self._waiting.pop(thread.tid, ()):
            if self._threads.get(child.tid) is child and child.parent is None:
                self._hang(child)
        return thread

    def unknown(self, tid: int) -> Thread:
        """Enter a thread that nobody has announced."""
        thread = Thread(tid, tid, -1, Program(UNKNOWN, UNKNOWN, gid=NOBODY, pgid=-1, sid=-1))
        thread.is_known = False
        return self.add(thread)

    def adopt(self, thread: Thread, ptid: int) -> None:
        """Make another thread the parent."""
        thread.ptid = ptid
        self._hang(thread)

    def change_process(self, thread: Thread, pid: int) -> None:
        """Say to which process a thread belongs."""
        if thread.key.pid != pid:
            if self._threads.get(thread.tid) is thread:
                self._leave_process(thread, keeps_files=True)
            thread.key = ProcessKey(pid, 0)
            self._find_leader(thread)

    def _find_leader(self, thread: Thread) -> None:
        leader = self._threads.get(thread.key.pid)
        thread.leader = leader if leader is not None else thread
        self._processes.setdefault(thread.key.pid, {})[thread.tid] = thread

    def _leave_process(self, thread: Thread, *, keeps_files: bool = False) -> None:
        members = self._processes.get(thread.key.pid)
        if members is not None and members.get(thread.tid) is thread:
            del members[thread.tid]
            if not members:
                del self._processes[thread.key.pid]
        if not keeps_files:
            self.drop(len(thread.files))
            thread.files = {}
            self._text -= thread.weight
            thread.weight = 0

    def weigh(self, thread: Thread) -> None:
        """Count what a thread's texts take; when there is no room, it is known by its name alone."""
        program = thread.program
        strings = (*program.args, *program.env, program.exe, program.exepath, program.cwd, program.filename)
        weight = sum(map(len, strings)) + _STRING * len(strings) + len(thread.cgroups)
        if self._text + weight - thread.weight > TEXT_KEPT:
            self.texts_forgotten += 1
            thread.program = Program(program.comm[:_STRING], gid=program.gid, pgid=program.pgid, sid=program.sid)
            thread.cgroups, weight = b"", 0
        self._text += weight - thread.weight
        thread.weight = weight

    def take(self, number: int) -> bool:
        """Take places for descriptors; return whether there are as many."""
        if self._descriptors + number > DESCRIPTORS_KEPT:
            self.descriptors_forgotten += number
            return False
        self._descriptors += number
        return True

    @property
    def room(self) -> int:
        """How many descriptors there are places for."""
        return max(DESCRIPTORS_KEPT - self._descriptors, 0)

    def drop(self, number: int) -> None:
        """Give places of descriptors back."""
        self._descriptors -= number

    def _hang(self, thread: Thread) -> None:
        """Hang a thread below its parent, unless that would make a circle."""
        parent = self._threads.get(thread.ptid)
        thread.ancestry = 0
        if parent is None:
            thread.hang_below(None)
            if thread.ptid > 0:
                if len(self._waiting) >= THREADS_KEPT:
                    self._waiting.clear()
                waiting = self._waiting.setdefault(thread.ptid, [])
                if len(waiting) < _ROOM:
                    waiting.append(thread)
            return
        above: Process | None = parent
        for _ in range(GENERATIONS):
            if above is None or above is thread:
                break
            above = above.parent
        thread.hang_below(parent if above is None else None)  # no circle, and no line without an end
        self.forget_below(thread)

    def _hang_children(self, known: Thread, parent: Process | None) -> None:
        for child in list(known.children):
            child.hang_below(parent)
            child.ancestry = 0
            self.forget_below(child)

    @staticmethod
    def forget_below(thread: Process) -> None:
        """Note that the line of ancestors of a thread, and of everything below it, is another one now."""
        thread.ancestry = 0
        for one in thread.descendants():
            one.ancestry = 0

    def remove(self, thread: Thread, reaper: int = 0) -> None:
        """Take a thread out; its children go to another one."""
        if self._threads.get(thread.tid) is not thread:
            return
        del self._threads[thread.tid]
        self._leave_process(thread)
        if self.leaving is not None:
            self.leaving(thread.tid)
        new = self._threads.get(reaper) or self._reaper(thread)
        for child in list(thread.children):
            if isinstance(child, Thread) and new is not None:
                self.adopt(child, new.tid)
            else:
                child.hang_below(None)
                self.forget_below(child)
        thread.alive = False
        thread.hang_below(None)

    def _reaper(self, thread: Thread) -> Thread | None:
        """Return who takes the children: another thread of the process, or the first process."""
        sibling = self._threads.get(thread.key.pid)
        return sibling if sibling is not None and sibling is not thread else self._threads.get(1)

    def of_process(self, pid: int) -> list[Thread]:
        """Return the threads of a process."""
        return list(self._processes.get(pid, {}).values())
