"""What stands before the events of a .scap file: the machine, its users, its processes and what they had open."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.scap.blocks import DESCRIPTORS, PROCESSES, DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.captures.scap.blocks import Block

FILE_TYPES = {
    1: "file",
    2: "directory",
    7: "fifo",
    9: "event",
    10: "unsupported",
    11: "signalfd",
    12: "eventpoll",
    13: "inotify",
    14: "timerfd",
    15: "netlink",
    16: "file",
    17: "bpf",
    18: "userfaultfd",
    19: "io_uring",
    20: "memfd",
    21: "pidfd",
}
"""Descriptors that have a name and nothing else."""
_FILE_V2 = 16
_IPV4, _IPV6, _IPV4_SERVER, _IPV6_SERVER, _UNIX = 3, 4, 5, 6, 8
_LONGEST_TEXT = 4096  # bytes that are kept of one
_PADDING = 4  # an entry has more bytes
_OLD_TAIL = 29  # bytes of the last part of a process as older writers made it


class Machine(NamedTuple):
    """The machine: number of CPUs, bytes of memory, name, and when it was started (ns since the epoch, or 0)."""

    cpus: int = 0
    memory: int = 0
    hostname: str = ""
    boot_time: int = 0


class Account(NamedTuple):
    """A user or, with ``is_group``, a group."""

    is_group: bool
    number: int
    name: str
    home: str = ""
    shell: str = ""
    group: int = 0


class ListedThread(NamedTuple):
    """A thread that was there when the capture began."""

    tid: int
    pid: int
    ptid: int
    sid: int
    vpgid: int
    comm: str
    exe: str
    exepath: str
    args: bytes
    cwd: str
    fdlimit: int
    flags: int
    uid: int
    gid: int
    env: bytes
    vtid: int
    vpid: int
    cgroups: bytes
    root: str
    tail: ListedTail


class ListedTail(NamedTuple):
    """What newer writers say of a thread."""

    init_start: int = 0
    tty: int = 0
    loginuid: int = 0xFFFFFFFF
    exe_writable: bool = False
    cap_inheritable: int = 0
    cap_permitted: int = 0
    cap_effective: int = 0
    exe_upper_layer: bool = False
    exe_ino: int = 0
    exe_ino_ctime: int = 0
    exe_ino_mtime: int = 0
    exe_from_memfd: bool = False
    exe_lower_layer: bool = False
    pgid: int = -1


class ListedDescriptor(NamedTuple):
    """A descriptor that a thread had when the capture began.

    Attributes:
        kind: ``file``, ``ipv4``, ``ipv6``, ``ipv4_server``, ``ipv6_server``, ``unix`` or one of ``FILE_TYPES``.
        name: of a file or unix socket.
        source: packed address and port of a connection's source; of a server its own.
        destination: the same of the destination.
        protocol: the file's number of the protocol.
    """

    tid: int
    number: int
    ino: int
    kind: str
    name: str = ""
    flags: int = 0
    dev: int = 0
    source: tuple[bytes, int] = (b"", 0)
    destination: tuple[bytes, int] = (b"", 0)
    protocol: int = 0
    ends: tuple[int, int] = (0, 0)  # kernel addresses of a unix socket's ends


class _Cursor:
    """Reads values one after another and never behind an end."""

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self.data, self.at, self.end = data, begin, end

    @property
    def left(self) -> int:
        return self.end - self.at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise DamagedError("an entry of a list ends within a value")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def string(self) -> bytes:
        return self.take(self.number(2))[:_LONGEST_TEXT]

    def text(self) -> str:
        return self.string().partition(b"\0")[0].decode("utf-8", "surrogateescape")

    def part(self, size: int) -> _Cursor:
        if size > self.left or size < 0:
            raise DamagedError("an entry of a list is longer than the list")
        self.at += size
        return _Cursor(self.data, self.at - size, self.at)

    def entry(self, *, has_length: bool) -> _Cursor:
        """Return the next entry, which says its own length, or is the rest."""
        if not has_length:
            return self
        return self.part(self.number(4) - 4)


def read_machine(block: Block) -> Machine:
    """Return what is said of the machine.

    Raises:
        DamagedError: when the block is too short.
    """
    cursor = _Cursor(block.data, block.begin, block.end)
    cpus, memory = cursor.number(4), cursor.number(8)
    cursor.number(8)
    name = cursor.take(128).partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return Machine(cpus, memory, name, cursor.number(8))


def read_accounts(block: Block) -> Iterator[Account]:
    """Yield users and groups.

    Raises:
        DamagedError: when the block is damaged.
    """
    cursor = _Cursor(block.data, block.begin, block.end)
    while cursor.left >= _PADDING:
        entry = cursor.entry(has_length=block.type == 0x220)
        kind, number = entry.number(1), entry.number(4)
        if kind == 1:
            yield Account(is_group=True, number=number, name=entry.text())
        elif kind == 0:
            group = entry.number(4)
            yield Account(False, number, entry.text(), entry.text(), entry.text(), group)  # noqa: FBT003
        else:
            raise DamagedError(f"a list of users has an entry of kind {kind}")


def read_threads(block: Block) -> Iterator[ListedThread]:
    """Yield the threads of a list of processes.

    Raises:
        DamagedError: when the block is damaged.
    """
    version = PROCESSES[block.type]
    cursor = _Cursor(block.data, block.begin, block.end)
    while cursor.left >= _PADDING:
        yield _thread(cursor.entry(has_length=version >= 9), version)


def _thread(entry: _Cursor, version: int) -> ListedThread:
    tid, pid, ptid = struct.unpack("<3q", entry.take(24))
    sid = entry.number(8, signed=True) if version >= 6 else -1
    vpgid = entry.number(8, signed=True) if version >= 8 else -1
    comm, exe = entry.text(), entry.text()
    exepath = entry.text() if version >= 7 else ""
    args, cwd = entry.string(), entry.text()
    fdlimit, flags = entry.number(8, signed=True), entry.number(4)
    uid, gid = entry.number(4), entry.number(4)
    if version >= 2:
        entry.take(28)  # memory and page faults
    env = entry.string() if version >= 3 else b""
    vtid, vpid, cgroups = -1, -1, b""
    if version >= 4:
        vtid, vpid = entry.number(8, signed=True), entry.number(8, signed=True)
        cgroups = entry.string()
    root = entry.text() if version >= 5 else ""
    return ListedThread(
        tid, pid, ptid, sid, vpgid, comm, exe, exepath, args, cwd, fdlimit, flags, uid, gid, env, vtid, vpid, cgroups,
        root, _tail(entry) if version >= 9 else ListedTail(),
    )  # fmt: skip


def _tail(entry: _Cursor) -> ListedTail:
    """Return what the newest writers append; each value only while it fits."""
    newest = entry.left > _OLD_TAIL
    sizes = {
        **({"init_start": 8, "tty": 4} if newest else {}),
        "loginuid": 4,
        "exe_writable": 1,
        "cap_inheritable": 8,
        "cap_permitted": 8,
        "cap_effective": 8,
        "exe_upper_layer": 1,
        "exe_ino": 8,
        "exe_ino_ctime": 8,
        "exe_ino_mtime": 8,
        "exe_from_memfd": 1,
        "exe_lower_layer": 1,
        "pgid": 8,
    }
    found: dict[str, int] = {}
    for name, size in sizes.items():
        if entry.left < size:
            break
        found[name] = entry.number(size, signed=name == "pgid")
    return ListedTail()._replace(**found)


def read_descriptors(block: Block) -> Iterator[ListedDescriptor]:
    """Yield the descriptors of one thread.

    Raises:
        DamagedError: when the block is damaged.
    """
    version = DESCRIPTORS[block.type]
    cursor = _Cursor(block.data, block.begin, block.end)
    if cursor.left < 8:
        return
    tid = cursor.number(8)
    while cursor.left >= _PADDING:
        entry = cursor.entry(has_length=version >= 2)
        number, ino, kind = entry.number(8, signed=True), entry.number(8), entry.number(1)
        found = ListedDescriptor(tid, number, ino, FILE_TYPES.get(kind, ""))
        if kind in {_IPV4, _IPV6}:
            yield _connection(found, entry, 4 if kind == _IPV4 else 16)
        elif kind in {_IPV4_SERVER, _IPV6_SERVER}:
            size = 4 if kind == _IPV4_SERVER else 16
            own = entry.take(size), entry.number(2)
            name = "ipv4_server" if size == 4 else "ipv6_server"
            yield found._replace(kind=name, source=own, protocol=entry.number(1))
        elif kind == _UNIX:
            ends = entry.number(8), entry.number(8)
            yield found._replace(kind="unix", ends=ends, name=entry.text())
        elif kind == _FILE_V2:
            flags, name = entry.number(4), entry.text()
            has_device = version >= 2 and entry.left >= 4
            yield found._replace(flags=flags, name=name, dev=entry.number(4) if has_device else 0)
        elif kind in FILE_TYPES:
            yield found._replace(name=entry.text())
        elif version < 2:
            raise DamagedError(f"a list of descriptors has one of type {kind}")


def _connection(found: ListedDescriptor, entry: _Cursor, size: int) -> ListedDescriptor:
    source, destination = entry.take(size), entry.take(size)
    ports = entry.number(2), entry.number(2)
    return found._replace(
        kind="ipv4" if size == 4 else "ipv6",
        source=(source, ports[0]),
        destination=(destination, ports[1]),
        protocol=entry.number(1),
    )
