"""The state that a capture tells of, rebuilt event after event: threads, descriptors, users, containers.

Reading is a fold: an event changes the state first, then it is judged with what is known around it. What a call takes
away (the descriptor that it closes, the thread that ends) goes when the next event comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.scap import blocks as kinds
from hullwatch.captures.scap.accounts import Accounts
from hullwatch.captures.scap.containers import Containers, container_of, read_container
from hullwatch.captures.scap.conversion import keep
from hullwatch.captures.scap.descriptor_changes import DescriptorChanges
from hullwatch.captures.scap.descriptors import of_listed
from hullwatch.captures.scap.interfaces import Interfaces
from hullwatch.captures.scap.lists import Machine, read_accounts, read_descriptors, read_machine, read_threads
from hullwatch.captures.scap.raw_event import strings_of
from hullwatch.captures.scap.thread_changes import ThreadChanges
from hullwatch.captures.scap.threads import Thread, Threads, describe_content
from hullwatch.enrich.container import HOST
from hullwatch.enrich.process import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.captures.scap.blocks import Block
    from hullwatch.captures.scap.descriptors import Descriptor
    from hullwatch.captures.scap.lists import ListedThread
    from hullwatch.captures.scap.raw_event import RawEvent
    from hullwatch.enrich.container import Container

_WRITABLE, _UPPER, _MEMFD, _LOWER = 1, 2, 4, 8  # execve_flags
META = frozenset({"container", "asyncevent", "useradded", "userdeleted", "groupadded", "groupdeleted"})
"""Events that belong to no thread."""
ANONYMOUS = frozenset({"switch", "procinfo", "signaldeliver"})
"""Events that do not announce a thread."""


class Around(NamedTuple):
    """What is known around an event.

    Attributes:
        thread: that it belongs to; None when it belongs to none.
        number: of the descriptor that it is about; None for events that are about none, -1 when it is not known.
        descriptor: what that is of; None when it is not known.
    """

    thread: Thread | None
    number: int | None = None
    descriptor: Descriptor | None = None


class State:
    """What is known at one moment of a capture.

    Attributes:
        changing: the names of the calls whose ends change something.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        self.machine = Machine()
        self.threads = Threads()
        self.accounts = Accounts()
        self.containers = Containers()
        self.interfaces = Interfaces()
        self._is_listed = False
        self._begun: dict[int, RawEvent] = {}
        self._after: Callable[[], object] | None = None
        self.paths = descriptors = DescriptorChanges(self)
        threads = ThreadChanges(self)
        self._changes: dict[str, Callable[[RawEvent, Thread], None]] = {**descriptors.changes, **threads.changes}
        self.changing = frozenset(self._changes)
        self._moving = frozenset(threads.changes)
        self._moved = 0

    @property
    def moved(self) -> int:
        """Another number whenever something of a thread may have changed, other than its descriptors."""
        return self._moved + self.containers.news

    def take_list(self, block: Block) -> bool:
        """Take a block that is no event; return whether its type is known.

        Raises:
            DamagedError: when it is damaged.
        """
        if block.type in kinds.MACHINE:
            self.machine = read_machine(block)
        elif block.type in kinds.INTERFACES:
            self.interfaces.take(block)
        elif block.type in kinds.USERS:
            self.accounts.add(read_accounts(block))
        elif block.type in kinds.PROCESSES:
            self._moved += 1
            for listed in read_threads(block):
                self._list(listed)
        elif block.type in kinds.DESCRIPTORS:
            for one in read_descriptors(block):
                thread = self.threads.find(one.tid)
                if thread is not None and one.number >= 0 and (one.number in thread.files or self.threads.take(1)):
                    thread.files[one.number] = of_listed(one)
        else:
            return block.type == kinds.SECTION
        return True

    def _list(self, listed: ListedThread) -> None:
        tail = listed.tail
        flags = (
            _WRITABLE * bool(tail.exe_writable)
            | _UPPER * bool(tail.exe_upper_layer)
            | _MEMFD * bool(tail.exe_from_memfd)
            | _LOWER * bool(tail.exe_lower_layer)
        )
        program = Program(
            listed.comm, listed.exe, strings_of(listed.args), listed.exepath.removesuffix(" (deleted)"), cwd=listed.cwd,
            tty=tail.tty,
            uid=listed.uid, gid=listed.gid, loginuid=tail.loginuid, pgid=tail.pgid, sid=listed.sid, flags=flags,
            exe_ino=tail.exe_ino, exe_ino_ctime=tail.exe_ino_ctime, exe_ino_mtime=tail.exe_ino_mtime,
            cap_inheritable=tail.cap_inheritable, cap_permitted=tail.cap_permitted, cap_effective=tail.cap_effective,
        )  # fmt: skip
        program.env = strings_of(listed.env)
        describe_content(program)
        thread = Thread(listed.tid, listed.pid, listed.ptid, program)
        thread.flags, thread.uid = listed.flags, listed.uid
        thread.vtid, thread.vpid, thread.vpgid = listed.vtid, listed.vpid, listed.vpgid
        thread.cgroups = listed.cgroups
        thread.container_id = container_of(listed.cgroups)
        self.threads.add(thread)

    def take(self, event: RawEvent) -> Around:
        """Take an event; return what is known around it."""
        self.finish()
        if not self._is_listed:
            self._is_listed = True
            self._find_servers()
        kind = event.kind
        change = self._changes.get(kind.name)
        if kind.name in META:
            self._take_meta(event)
            return Around(None)
        thread = self.threads.find(event.tid)
        if thread is None:
            if kind.name in ANONYMOUS or "skip_parser_reset" in kind.marks:
                return Around(None)
            thread = self.threads.unknown(event.tid)
            self._moved += 1
        if kind.descriptor >= 0:
            thread.last = event.integer(kind.descriptor, -1)
        else:
            thread.last = -1
        before = thread.shares.files.get(thread.last) if kind.descriptor >= 0 else None
        if kind.enters:
            self.keep(event)
        elif change is not None:
            self._moved += kind.name in self._moving
            change(event, thread)
            thread = self.threads.find(event.tid) or thread
        if kind.number % 2:  # the end of a call
            self._begun.pop(event.tid, None)
        return self._around(event, thread, before)

    def _find_servers(self) -> None:
        """Tell servers from clients among the connections of the list: a server's port is one that is listened at."""
        listed = [(thread.files, number, one) for thread in self.threads for number, one in thread.files.items()]
        ports = {one.destination.port for _, _, one in listed if one.role == "server" and one.destination is not None}
        for files, number, one in listed:
            if one.is_ip and one.source is not None:
                if one.source.port in ports:
                    files[number] = one._replace(source=one.destination, destination=one.source, role="server")
                else:
                    files[number] = one._replace(role="client")

    def _around(self, event: RawEvent, thread: Thread, before: Descriptor | None) -> Around:
        marks = event.kind.marks
        if "uses_fd" not in marks and "creates_fd" not in marks:
            return Around(thread)
        found = thread.shares.files.get(thread.last)
        return Around(thread, thread.last, found if found is not None else before)

    def _take_meta(self, event: RawEvent) -> None:
        """Take an event that belongs to no thread: of containers, users and groups."""
        name = event.kind.name
        if name == "container":
            self.containers.learn(event.bytes(0))
        elif name in {"useradded", "userdeleted", "groupadded", "groupdeleted"}:
            self.accounts.take(event)
        elif name == "asyncevent" and event.text_of("name") == "container":
            self.containers.learn(event.bytes_of("data"))

    def container_of(self, event: RawEvent, thread: Thread | None) -> Container:
        """Return the container that an event belongs to, or tells of."""
        if thread is not None:
            return self.containers.find(thread.container_id)
        told = read_container(event.bytes(0)) if event.kind.name == "container" else None
        return told if told is not None else HOST

    def begun(self, event: RawEvent) -> RawEvent | None:
        """Return the event of the beginning of the call that an event is the end of; None without one."""
        begin = self._begun.get(event.tid)
        return begin if begin is not None and begin.kind.number == event.kind.number - 1 else None

    def keep(self, event: RawEvent) -> None:
        """Keep the beginning of a call until that ends."""
        keep(self._begun, event)

    def change(self, changes: Iterable[tuple[int, int, Descriptor | None]]) -> None:
        """Make and close descriptors: of each the thread, the number, and what it is of; None for a closed one."""
        find, put, remove = self.threads.find, self.paths.put, self.paths.remove
        for tid, number, descriptor in changes:
            thread = find(tid)
            if thread is None:
                continue
            if descriptor is None:
                remove(thread.shares, number)
            else:
                put(thread, number, descriptor)

    def after(self, do: Callable[[], object]) -> None:
        """Do something when the next event comes."""
        self._after = do

    def finish(self) -> None:
        """Do what the last event has left to be done."""
        if self._after is not None:
            self._after, after = None, self._after
            self._moved += 1
            after()
