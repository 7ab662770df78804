"""What calls do to descriptors: open, connect, duplicate and close them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.captures.scap.descriptors import (
    FAMILIES,
    O_CLOEXEC,
    Descriptor,
    plain_ends,
    protocol_of,
)
from hullwatch.captures.scap.paths import AT_FDCWD, UNKNOWN_DIRECTORY, UNREADABLE, join
from hullwatch.captures.scap.table import NAMES
from hullwatch.fields.address import Endpoint, end_text, read_address, read_tuple, read_unix_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.scap.raw_event import RawEvent
    from hullwatch.captures.scap.state import State
    from hullwatch.captures.scap.threads import Thread

    Change = Callable[[RawEvent, Thread], None]

_LONGEST_PATH = 256  # bytes of an address of a unix socket, with what is before the path
_O_DIRECTORY = 1024
_OPENED_BITS = ~0x3FFF  # of an open's flags, that the kernel adds: O_F_CREATED and above
_EINPROGRESS = -115
_FCNTL = NAMES["fcntl_commands"].numbers
_COPIES = {_FCNTL["F_DUPFD"]: 0, _FCNTL["F_DUPFD_CLOEXEC"]: O_CLOEXEC}
_F_SETFD = _FCNTL["F_SETFD"]
_RANGE_CLOEXEC = NAMES["close_range_flags"].numbers["CLOSE_RANGE_CLOEXEC"]
_LONGEST_TUPLE = 37  # bytes of the ends of a connection
_UNIX_ENDS = 17  # bytes of a tuple of unix sockets before the name
_PLAIN_OBJECTS = {
    "eventfd": "event",
    "eventfd2": "event",
    "signalfd": "signalfd",
    "signalfd4": "signalfd",
    "timerfd_create": "timerfd",
    "inotify_init": "inotify",
    "inotify_init1": "inotify",
    "epoll_create": "eventpoll",
    "epoll_create1": "eventpoll",
    "userfaultfd": "userfaultfd",
    "io_uring_setup": "io_uring",
    "bpf": "bpf",
    "memfd_create": "memfd",
    "pidfd_open": "pidfd",
}
_OPENING = ("open", "openat", "openat2", "creat", "open_by_handle_at")
_SENDING = ("send", "sendto", "sendmsg", "sendmmsg")
_RECEIVING = ("recv", "recvfrom", "recvmsg", "recvmmsg")
MAKING = frozenset({*_OPENING, "socket", *_PLAIN_OBJECTS})
"""Calls that make a descriptor, which depends on nothing but their values and the working directory."""
TELLING = frozenset({*_SENDING, *_RECEIVING})
"""Calls that change something only when their event has a tuple."""
CHANGING_COMMANDS = frozenset({*_COPIES, _F_SETFD})
"""Commands of fcntl that change something."""


class DescriptorChanges:
    """Changes the descriptors of threads.

    Attributes:
        changes: what each call's end does, by the call's name.
    """

    def __init__(self, state: State) -> None:
        """Work on a state."""
        self._state = state
        self.changes: dict[str, Change] = {
            **dict.fromkeys(_OPENING, self._open),
            **dict.fromkeys(("accept", "accept4"), self._accept),
            **dict.fromkeys(_SENDING, self._send),
            **dict.fromkeys(_RECEIVING, self._receive),
            **dict.fromkeys(("dup", "dup2", "dup3"), self._duplicate),
            **dict.fromkeys(_PLAIN_OBJECTS, self._object),
            **dict.fromkeys(("pipe", "pipe2", "socketpair"), self._pair),
            "socket": self._socket, "bind": self._bind, "connect": self._connect, "fcntl": self._control,
            "close": self._close, "close_range": self._close_range, "pidfd_getfd": self._take_over,
        }  # fmt: skip

    def _add(self, thread: Thread, number: int, descriptor: Descriptor) -> None:
        self.put(thread, number, descriptor)
        thread.last = number

    def put(self, thread: Thread, number: int, descriptor: Descriptor) -> None:
        """Enter a descriptor, if there is room and a number."""
        files = thread.shares.files
        if number >= 0 and (number in files or self._state.threads.take(1)):
            files[number] = descriptor

    def directory(self, thread: Thread, number: int) -> str:
        """Return the directory that a path is relative to; ``<UNKNOWN>`` when it is not known."""
        if number == AT_FDCWD:
            return thread.cwd or UNKNOWN_DIRECTORY
        found = thread.shares.files.get(number)
        return found.name if found is not None and found.name else UNKNOWN_DIRECTORY

    def path(self, event: RawEvent, thread: Thread, name: str) -> str:
        """Return the path that a parameter of an event names, absolute where that can be told."""
        index = event.place(name)
        if index >= len(event.kind.parameters):
            return ""
        parameter = event.kind.parameters[index]
        directory = event.integer(parameter.directory, AT_FDCWD) if parameter.directory >= 0 else AT_FDCWD
        return join(self.directory(thread, directory), event.text(index))

    def _open(self, event: RawEvent, thread: Thread) -> None:
        number = event.integer(0, -1)
        thread.last = -1
        if number < 0:
            return
        begin = self._state.begun(event)
        name = "path" if event.kind.name == "open_by_handle_at" else "name"
        source = begin if begin is not None and begin.text_of(name) not in {"", UNREADABLE} else event
        flags = event.number_of("flags")
        if source is begin:
            flags = source.number_of("flags") | flags & _OPENED_BITS
        kind = "directory" if flags & _O_DIRECTORY else "file"
        path, written = self.path(source, thread, name), source.text_of(name)
        dev, ino = event.number_of("dev"), event.number_of("ino")
        self._add(thread, number, Descriptor(kind, path, flags, dev, ino, raw_name=written))

    def _socket(self, event: RawEvent, thread: Thread) -> None:
        number = event.integer(0, -1)
        thread.last = -1
        if number >= 0:
            kind = FAMILIES.get(event.number_of("domain"), "")
            protocol = protocol_of(event.number_of("type"), event.number_of("proto")) if kind[:2] == "ip" else "<NA>"
            flags = event.number_of("flags")
            self._add(thread, number, Descriptor(kind, flags=flags, protocol=protocol))

    def _bind(self, event: RawEvent, thread: Thread) -> None:
        descriptor = thread.shares.files.get(thread.last)
        if event.integer(0, -1) < 0 or descriptor is None:
            return
        address = event.bytes_of("addr")
        end, name = read_address(address[:_LONGEST_TUPLE]), read_unix_address(address[:_LONGEST_PATH])
        if end is not None and not end.port:
            self._replace(thread, descriptor._replace(name=end_text(end)))
        elif end is not None:
            kind = "ipv4" if len(end.address) == 4 else "ipv6"
            self._replace(thread, descriptor._replace(kind=kind, source=None, destination=end, role="server"))
        elif name is not None:
            self._replace(thread, descriptor._replace(name=name.rstrip("\0"), ends=None, role="server"))

    def _replace(self, thread: Thread, descriptor: Descriptor) -> None:
        thread.shares.files[thread.last] = descriptor

    def _connect(self, event: RawEvent, thread: Thread) -> None:
        result = event.integer(0, -1)
        descriptor = thread.shares.files.get(thread.last)
        if descriptor is None or (result < 0 and result != _EINPROGRESS):
            return
        named = self._named(event, descriptor)
        if named is not None:
            connected = result >= 0
            self._replace(thread, named._replace(role="client", connected=connected))

    def _named(self, event: RawEvent, descriptor: Descriptor) -> Descriptor | None:
        """Return a socket with the ends that a connect tells of."""
        both, begin = event.bytes_of("tuple"), self._state.begun(event)
        address = event.bytes_of("addr") or (begin.bytes_of("addr") if begin is not None else b"")
        ends, end = read_tuple(both[:_LONGEST_TUPLE]), read_address(address[:_LONGEST_TUPLE])
        if ends is not None:
            return self._ends(descriptor, *ends)
        unix = _unix(both)
        if unix is not None:
            return descriptor._replace(kind="unix", name=unix[1], ends=unix[0])
        if end is not None:
            kind = "ipv4" if len(end.address) == 4 else "ipv6"
            source = descriptor.source or Endpoint(bytes(len(end.address)), 0)
            return descriptor._replace(kind=kind, source=source, destination=end)
        return None

    def _ends(self, descriptor: Descriptor, source: Endpoint, destination: Endpoint) -> Descriptor:
        source, destination = plain_ends(source, destination)
        source = Endpoint(self._state.interfaces.own(source.address, destination.address), source.port)
        kind = "ipv4" if len(source.address) == 4 else "ipv6"
        return descriptor._replace(kind=kind, source=source, destination=destination)

    def _accept(self, event: RawEvent, thread: Thread) -> None:
        number = event.integer(0, -1)
        thread.last = -1
        if number < 0:
            return
        both = event.bytes_of("tuple")
        ends, unix = read_tuple(both[:_LONGEST_TUPLE]), _unix(both)
        descriptor = Descriptor("", role="server", connected=True, flags=0)
        if ends is not None:
            descriptor = self._ends(descriptor, *ends)._replace(protocol="tcp")
        elif unix is not None:
            descriptor = descriptor._replace(kind="unix", name=unix[1], ends=unix[0])
        self._add(thread, number, descriptor)

    def _send(self, event: RawEvent, thread: Thread) -> None:
        self._message(event, thread, sends=True)

    def _receive(self, event: RawEvent, thread: Thread) -> None:
        self._message(event, thread, sends=False)

    def _message(self, event: RawEvent, thread: Thread, *, sends: bool) -> None:
        """Learn the ends of a socket that was not connected from a message that says them."""
        ends = read_tuple(event.bytes_of("tuple")[:_LONGEST_TUPLE])
        if ends is None or event.integer(0, -1) < 0 or thread.last < 0:
            return
        descriptor = thread.shares.files.get(thread.last)
        if descriptor is None:
            if sends:
                self._add(thread, thread.last, self._ends(Descriptor("", protocol="udp", role="client"), *ends))
            return
        has_name = descriptor.source is not None
        if has_name and descriptor.protocol == "tcp":
            return
        own, other = ends if sends else (ends[1], ends[0])
        if has_name and descriptor.role:
            ends = (other, own) if descriptor.role == "server" else (own, other)
            self._replace(thread, self._ends(descriptor, *ends))
        else:
            role = "client" if sends else "server"
            ends = (own, other) if sends else (other, own)
            self._replace(thread, self._ends(descriptor, *ends)._replace(role=role))

    def _pair(self, event: RawEvent, thread: Thread) -> None:
        thread.last = -1
        if event.integer(0, -1) < 0:
            return
        flags = event.number_of("flags")
        if event.kind.name == "socketpair":
            ends = event.number_of("source"), event.number_of("peer")
            descriptor = Descriptor("unix", ends=ends)
        else:
            descriptor = Descriptor("fifo", flags=flags, ino=event.number_of("ino"))
        for name in ("fd1", "fd2"):
            self._add(thread, event.number_of(name, -1), descriptor)

    def _object(self, event: RawEvent, thread: Thread) -> None:
        number = event.integer(0, -1)
        thread.last = -1
        if number >= 0:
            name = event.text_of("name") if event.kind.name == "memfd_create" else ""
            self._add(thread, number, Descriptor(_PLAIN_OBJECTS[event.kind.name], name))

    def _duplicate(self, event: RawEvent, thread: Thread) -> None:
        number, descriptor = event.integer(0, -1), thread.shares.files.get(thread.last)
        if number >= 0 and descriptor is not None:
            flags = event.number_of("flags") & O_CLOEXEC if event.kind.name == "dup3" else 0
            self._add(thread, number, descriptor._replace(flags=descriptor.flags & ~O_CLOEXEC | flags))

    def _control(self, event: RawEvent, thread: Thread) -> None:
        result, command = event.integer(0, -1), event.number_of("cmd")
        descriptor = thread.shares.files.get(thread.last)
        if result < 0 or descriptor is None:
            return
        if command in _COPIES:
            flags = descriptor.flags & ~O_CLOEXEC | _COPIES[command]
            self._add(thread, result, descriptor._replace(flags=flags))
        elif command == _F_SETFD:
            flags = descriptor.flags & ~O_CLOEXEC | O_CLOEXEC * (event.number_of("arg") & 1)
            self._replace(thread, descriptor._replace(flags=flags))

    def _close(self, event: RawEvent, thread: Thread) -> None:
        if event.integer(0, -1) >= 0:
            owner, number = thread.shares, thread.last
            self._state.after(lambda: self.remove(owner, number))

    def remove(self, owner: Thread, number: int) -> None:
        """Take a descriptor out."""
        if owner.files.pop(number, None) is not None:
            self._state.threads.drop(1)

    def _close_range(self, event: RawEvent, thread: Thread) -> None:
        if event.integer(0, -1) < 0:
            return
        first, last = event.number_of("first"), event.number_of("last")
        files = thread.shares.files
        closes = not event.number_of("flags") & _RANGE_CLOEXEC
        for number in [one for one in files if first <= one <= last]:
            if closes:
                self.remove(thread.shares, number)
            else:
                files[number] = files[number]._replace(flags=files[number].flags | O_CLOEXEC)

    def _take_over(self, event: RawEvent, thread: Thread) -> None:
        """Copy the descriptor of another process."""
        number = event.integer(0, -1)
        thread.last = -1
        if number >= 0:
            self._add(thread, number, Descriptor(""))


def _unix(both: bytes) -> tuple[tuple[int, int], str] | None:
    """Return the kernel addresses and the name of a tuple of unix sockets; None for other families."""
    if len(both) < _UNIX_ENDS or both[0] != 1:
        return None
    ends = int.from_bytes(both[1:9], "little"), int.from_bytes(both[9:17], "little")
    return ends, both[_UNIX_ENDS:_LONGEST_PATH].partition(b"\0")[0].decode("utf-8", "surrogateescape")
