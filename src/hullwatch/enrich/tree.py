"""The process tree: who runs what, and who started whom; safe against reused process ids."""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, Any

from hullwatch.enrich.namespaces import read_namespaces
from hullwatch.enrich.process import Process, ProcessKey, Program
from hullwatch.enrich.process_change import change, with_changes
from hullwatch.enrich.unmade import ALIVE_KEPT, LONGEST, Unmade, UnmadeProcesses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hullwatch.enrich.namespaces import Numbers
    from hullwatch.enrich.program_record import ProgramRecord

ENDED_KEPT = 2048  # ended processes that late events may still ask for
ABOVE_KEPT = 16_384  # older ones that are kept because they stand above others
PROCESSES_KEPT = 1 << 16  # that are known, in all; the end of some may never have been seen
_ROOM = 64  # when all places are taken, a part of this size is freed at once
DEPTH_MAXIMUM = 64  # generations that are kept above a process once some of them have ended

_ANCESTOR = struct.Struct("<QQ")


def _nobody_asks(_: Process) -> None:
    pass


def _no_records(_record: bytes) -> None:
    pass


def _no_values(_record: bytes) -> Mapping[str, Any]:
    return {}


class ProcessTree:
    """All processes that run, and the last few that ended.

    However many there are, not more than ``PROCESSES_KEPT`` are remembered: of those that nobody stands below, the
    one that was entered first is forgotten first, and entered anew when it does something.

    Attributes:
        forgotten: processes that were forgotten for want of room.
        host_namespaces: of the host, once they were told.

    Args:
        changed_itself: called with each process of which a call of its own, or of its parent, has changed something.
        changed: called with each process whose line of ancestors has become another one, before anybody is told
            of the event that did it.
        read_child: reads a record of a child that was kept.
        run_program: lets its process run what a record tells that was kept.
    """

    def __init__(
        self,
        changed: Callable[[Process], None] = _nobody_asks,
        changed_itself: Callable[[Process], None] = _nobody_asks,
        read_child: Callable[[bytes], Mapping[str, Any]] = _no_values,
        run_program: Callable[[bytes], None] = _no_records,
    ) -> None:
        """Start empty; a snapshot of the sensor fills it."""
        self._changed = changed
        self._changed_itself = changed_itself
        self._read_child = read_child
        self._run_program = run_program
        self._unmade = UnmadeProcesses()
        self._processes: dict[ProcessKey, Process] = {}
        self._ended: deque[ProcessKey] = deque()
        self._above: dict[ProcessKey, Process] = {}  # ended, and kept because others hang below
        self._listed: set[ProcessKey] = set()
        self.forgotten = 0
        self.host_namespaces: Numbers = ()

    def __len__(self) -> int:
        """Return how many processes are known."""
        return len(self._processes) + len(self._unmade)

    def find(self, pid: int, start: int) -> Process | None:
        """Return the process with this id that started then (ns since boot)."""
        process = self._processes.get((pid, start))  # type: ignore[call-overload]  # a tuple equals a NamedTuple
        return self._make((pid, start)) if process is None and self._unmade.used else process

    def keep_child(self, parent: Process, key: tuple[int, int], container_id: str, record: bytes) -> bool:
        """Keep the record of a child that nobody may ever ask for; return False when it has to be made at once."""
        if key in self._processes or key in self._unmade:  # its own exec or the snapshot came first
            return False
        if parent.depth >= DEPTH_MAXIMUM or parent.key.start >= key[1] or len(record) > LONGEST:
            return False
        if len(self._unmade.alive) >= ALIVE_KEPT:
            self._make_those_alive()
        self._unmade.add(key, Unmade(parent, container_id, record))
        return True

    def keep_program(self, key: tuple[int, int], record: bytes, texts: bytes) -> bool:
        """Keep the record of a program that a kept process runs; return False when there is none.

        Args:
            key: of the process.
            record: but for its texts.
            texts: with the ancestors behind them.
        """
        unmade = self._unmade.alive.get(key)
        if unmade is None or len(texts) > LONGEST:
            return False
        self._unmade.run(unmade, record, texts)
        return True

    def keep_end(self, key: tuple[int, int]) -> bool:
        """Note the end of a kept process; return False when there is none."""
        parent = self._unmade.end(key)
        if parent is None:
            return False
        if not parent.unmade and not parent.alive:
            self._let_go(parent)
        return True

    def _make(self, key: tuple[int, int]) -> Process | None:
        """Make a process of its records; None when none are kept."""
        found = self._unmade.take(key)
        if found is None:
            return None
        unmade, alive = found
        values = self._read_child(unmade.forked)
        process = self._enter_child(ProcessKey(*key), unmade.parent, unmade.program, values, unmade.container_id)
        if unmade.ran:
            self._run_program(unmade.ran + unmade.texts)
        if not alive:
            self.ended(process)
        return process

    def _make_those_alive(self) -> None:
        """Make those that run: a change above them is to be told to them too."""
        for key in list(self._unmade.alive):
            self._make(key)

    def find_or_add(self, pid: int, start: int) -> Process:
        """Return the process; one that was never heard of is entered with nothing but its id."""
        process = self.find(pid, start)
        if process is None:
            process = self._add(ProcessKey(pid, start), None, Program())
        return process

    def ran_program(
        self, pid: int, start: int, program: Program, record: ProgramRecord, *, listed: bool = False
    ) -> Process:
        """Enter what a process runs; whatever was remembered of it is void, as its descendants are told.

        The parent is the one that forked it where that is known: after the parent's end the kernel
        names another, which has nothing to do with how the process came about.

        Args:
            pid: of the process.
            start: when it started, ns since boot.
            program: that it runs from now on.
            record: that told of it.
            listed: whether it was already running, and is an entry of a list of all processes.
        """
        process = self.find(pid, start)
        if process is None:
            process = self._add(ProcessKey(pid, start), None, program)
        process.program = program
        if process.container_id != record.texts.container_id:
            process.container_id, process.entry = record.texts.container_id, None
        process.vpid = record.vpid
        if process.parent is None and pid > 1:
            self._adopt(process, record.ancestors)
        if listed:
            self._listed.add(process.key)
        process.ancestry = 0
        if process.children or process.unmade:
            self._tell_below(process)
        return process

    def _tell(self, process: Process) -> None:
        """Tell of a change that everything below a process shares."""
        process.ancestry = 0
        self._changed(process)
        self._tell_below(process)

    def _tell_below(self, process: Process) -> None:
        self._make_those_alive()
        for one in process.descendants():
            one.ancestry = 0
            self._changed(one)

    def _adopt(self, process: Process, ancestors: bytes) -> None:
        """Hang a process below the ancestors that the kernel named; unknown ones are entered by their key."""
        child = process
        for start, pid in _ANCESTOR.iter_unpack(ancestors[: len(ancestors) // 16 * 16]):
            key = ProcessKey(pid, start)
            if start >= child.key.start:  # no ancestor is younger: whatever this is, it must not make a circle
                return
            parent = self.find(pid, start)
            known = parent is not None
            if parent is None:
                parent = self._add(key, None, Program())
            child.hang_below(parent)
            if known:
                return
            child = parent

    def forked(self, parent: Process, values: Mapping[str, Any], container_id: str) -> Process:
        """Enter a child: it runs what its parent runs until it says otherwise."""
        if parent.depth >= DEPTH_MAXIMUM:
            parent.hang_below(_nearest_alive(parent))
            self._tell(parent)
        key = ProcessKey(values["res"], values["child_start"])
        above = parent if parent.key.start < key.start else None  # as in _adopt
        known = self.find(*key)
        if known is not None and known.program.comm:  # its own exec or the snapshot came first, and is newer
            if known.parent is None and above is not None:
                known.hang_below(above)
                self._tell(known)
            return known
        child = self._enter_child(key, above, parent.program, values, container_id)
        if known is not None:
            self._changed(child)
        return child

    def _enter_child(
        self, key: ProcessKey, parent: Process | None, program: Program, values: Mapping[str, Any], container_id: str
    ) -> Process:
        comm = values["comm"]
        if comm and comm != program.comm:  # the parent has renamed itself
            program = _renamed(program, comm)
        namespaces = read_namespaces(values.get("namespaces"))
        if namespaces and namespaces != program.namespaces:
            program = with_changes(program, namespaces=namespaces)
        child = self._add(key, parent, program)
        child.container_id, child.entry = container_id, None
        child.vpid = values["vpid"]
        return child

    def changed(self, process: Process, name: str, values: Mapping[str, Any], *, by_leader: bool) -> None:
        """Note what a call changes of a process or of its child; its children take nothing of it after the fork."""
        if process.unmade:  # setpgid() may be about one of them
            self._make_those_alive()
        target = change(name, process, values, by_leader=by_leader)
        if target is not None:
            target.ancestry = 0
            self._changed_itself(target)

    def ended(self, process: Process) -> None:
        """Note the end of a process; it can be asked for a while longer."""
        if not process.alive:
            return
        process.alive = False
        self._ended.append(process.key)
        if len(self._ended) > ENDED_KEPT:
            self._drop(self._processes.pop(self._ended.popleft(), None))

    def _drop(self, process: Process | None) -> None:
        """Let go of a process that is not asked for any more; those that hang below it keep it, up to a limit."""
        if process is None:
            return
        if process.unmade:
            self._make_those_alive()
        if not process.children:
            self._let_go(process)
            return
        self._above[process.key] = process
        if len(self._above) > ABOVE_KEPT:
            oldest = next(iter(self._above))
            self._take_out(self._above.pop(oldest))

    def _let_go(self, process: Process | None) -> None:
        """Take a forgotten process off its parent, once it has no children whose way up leads over it."""
        while process is not None and not process.children and self._processes.get(process.key) is not process:
            if process.unmade:
                return
            if self._above.get(process.key) is process:
                del self._above[process.key]
            parent = process.parent
            if parent is not None:
                parent.let_go(process)
            process = parent

    def _take_out(self, process: Process) -> None:
        """Hang what is below a process below its own parent: lines of ancestors that nobody can end cost too much."""
        parent = process.parent
        for child in list(process.children):
            child.hang_below(parent)
            child.entry = None
            self._tell(child)
        process.hang_below(None)  # who knows it as something else must not keep its whole line

    def _make_room(self) -> None:
        """Forget a part of the processes, first those that were entered first and that nobody stands below."""
        self._make_those_alive()
        wanted = max(1, PROCESSES_KEPT // _ROOM)
        ended = set(self._ended)
        victims = [key for key, one in self._processes.items() if not one.children and key not in ended][:wanted]
        victims += [key for key in self._processes if key not in ended][: wanted - len(victims)]
        for key in dict.fromkeys(victims):
            process = self._processes.pop(key)
            process.alive = False
            self._changed(process)
            self._drop(process)
            self.forgotten += 1

    def snapshot_ended(self, started: int) -> int:
        """Remove what was not in the snapshot and is older than it; return how many those were.

        Their ends were not seen, because events were lost or the sensor was restarted.
        """
        self._make_those_alive()
        gone = [
            process
            for key, process in self._processes.items()
            if process.alive and key.start < started and key not in self._listed
        ]
        for process in gone:
            self.ended(process)
        self._listed.clear()
        return len(gone)

    @property
    def processes(self) -> list[Process]:
        """All that are known, those that ended in the order of their ends."""
        for key in self._unmade.names():
            self._make(key)
        alive = [process for process in self._processes.values() if process.alive]
        return [*alive, *(self._processes[key] for key in self._ended)]

    def restore(self, processes: Iterable[Process]) -> None:
        """Know these processes and no others."""
        self._unmade.clear()
        self._processes = {process.key: process for process in processes}
        self._ended = deque(key for key, process in self._processes.items() if not process.alive)
        self._above.clear()
        while len(self._ended) > ENDED_KEPT:
            self._drop(self._processes.pop(self._ended.popleft()))
        self._listed.clear()

    def _add(self, key: ProcessKey, parent: Process | None, program: Program) -> Process:
        if len(self._processes) >= PROCESSES_KEPT:
            self._make_room()
        process = Process(key, parent, program)
        self._processes[key] = process
        return process

    def snapshot_lost(self) -> None:
        """Forget what a list has said so far: its end will not come."""
        self._listed.clear()


def _nearest_alive(process: Process) -> Process | None:
    """Return the first ancestor that runs.

    Hung below it, a process has no ended generations above: one that forks and ends for ever stays bounded.
    """
    ancestor = process.parent
    while ancestor is not None and not ancestor.alive:
        ancestor = ancestor.parent
    return ancestor


def _renamed(program: Program, comm: str) -> Program:
    return with_changes(program, comm=comm, command_line="")
