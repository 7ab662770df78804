"""Threads of a capture: processes as rules know them, and what each thread has of its own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from hullwatch.enrich.process import Process, ProcessKey, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.captures.scap.descriptors import Descriptor

THREADS_KEPT = 1 << 17
DESCRIPTORS_KEPT = 1 << 17  # of one process
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
    """

    __slots__ = (
        "cgroups", "cpu_time", "files", "flags", "is_known", "last", "leader", "ptid", "tid", "time", "uid", "vpgid",
        "vtid",
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
        self._waiting: dict[int, list[Thread]] = {}  # for a parent that is not known yet
        self.leaving: Callable[[int], object] | None = None  # called with each thread that ends
        self.forgotten = 0

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
        elif len(self._threads) >= THREADS_KEPT:
            self.remove(next(iter(self._threads.values())))
            self.forgotten += 1
        self._threads[thread.tid] = thread
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
            thread.key = ProcessKey(pid, 0)
            self._find_leader(thread)

    def _find_leader(self, thread: Thread) -> None:
        leader = self._threads.get(thread.key.pid)
        thread.leader = leader if leader is not None else thread

    def _hang(self, thread: Thread) -> None:
        """Hang a thread below its parent, unless that would make a circle."""
        parent = self._threads.get(thread.ptid)
        thread.ancestry = 0
        if parent is None:
            thread.hang_below(None)
            waiting = self._waiting.setdefault(thread.ptid, [])
            if thread.ptid > 0 and len(waiting) < THREADS_KEPT:
                waiting.append(thread)
            return
        above: Process | None = parent
        for _ in range(THREADS_KEPT):
            if above is None:
                break
            if above is thread:
                thread.hang_below(None)
                return
            above = above.parent
        thread.hang_below(parent)
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
        return [thread for thread in self._threads.values() if thread.key.pid == pid]
