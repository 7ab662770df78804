"""What a descriptor is of: a file, a socket, or one of the kernel's other objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.fields.address import FAMILY_IPV4, FAMILY_IPV6, FAMILY_UNIX, Endpoint, end_text, tuple_text

if TYPE_CHECKING:
    from hullwatch.captures.scap.lists import ListedDescriptor

FAMILY_NETLINK = 16
FAMILIES = {FAMILY_IPV4: "ipv4", FAMILY_IPV6: "ipv6", FAMILY_UNIX: "unix", FAMILY_NETLINK: "netlink"}
LETTERS = {
    "file": "f",
    "directory": "d",
    "ipv4": "4",
    "ipv6": "6",
    "unix": "u",
    "fifo": "p",
    "event": "e",
    "signalfd": "s",
    "eventpoll": "l",
    "inotify": "i",
    "timerfd": "t",
    "netlink": "n",
    "bpf": "b",
    "userfaultfd": "u",
    "io_uring": "r",
    "memfd": "m",
    "pidfd": "P",
}
"""Falco's character for each kind; ``o`` for others."""
SOCKETS = frozenset({"ipv4", "ipv6", "unix", "netlink", "packet"})
PROTOCOLS = {0: "<NA>", 1: "<NA>", 2: "tcp", 3: "udp", 4: "icmp", 5: "raw"}
_IP_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 255: "raw"}
_STREAM, _DATAGRAM, _RAW = 1, 2, 3
_KIND_BITS = 0xF  # of a socket's type; above are flags
O_CLOEXEC = 4096
_MAPPED = bytes(10) + b"\xff\xff"


class Descriptor(NamedTuple):
    """What a descriptor is of; replaced when something changes, so that an event keeps what was true.

    Attributes:
        kind: ``file``, ``directory``, ``ipv4``, ``ipv6``, ``unix``, ``netlink`` or another key of ``LETTERS``; empty
            when it is not known.
        name: path of a file, or what a unix socket is called.
        flags: of the open, or for sockets and others only close-on-exec.
        source: of a connection, the client; None without.
        destination: of a connection, the server; of a server its own end.
        protocol: of a socket.
        role: ``client``, ``server`` or empty.
        ends: kernel addresses of a unix socket's ends.
        connected: whether the connection stands; False while it is being made.
    """

    kind: str
    name: str = ""
    flags: int = 0
    dev: int = 0
    ino: int = 0
    source: Endpoint | None = None
    destination: Endpoint | None = None
    protocol: str = "<NA>"
    role: str = ""
    ends: tuple[int, int] | None = None
    connected: bool = False
    raw_name: str = ""

    @property
    def closes_on_exec(self) -> bool:
        """Whether an exec closes it."""
        return bool(self.flags & O_CLOEXEC)

    @property
    def is_ip(self) -> bool:
        """Whether it is a socket of the Internet's families."""
        return self.kind in {"ipv4", "ipv6"}

    @property
    def text(self) -> str:
        """As Falco names it: a path, source->destination of a connection, a server's address and port."""
        if self.source is not None and self.destination is not None:
            return tuple_text(self.source, self.destination)
        if self.destination is not None:
            return end_text(self.destination)
        if self.ends is not None:
            return f"{self.ends[0]:x}->{self.ends[1]:x} {self.name}"
        return self.name


def of_listed(listed: ListedDescriptor) -> Descriptor:
    """Return a descriptor of those that were open when the capture began."""
    protocol = PROTOCOLS.get(listed.protocol, "<NA>")
    if listed.kind in {"ipv4", "ipv6"}:
        source, destination = plain_ends(Endpoint(*listed.source), Endpoint(*listed.destination))
        kind = "ipv4" if len(source.address) == 4 else "ipv6"
        return Descriptor(
            kind, ino=listed.ino, source=source, destination=destination, protocol=protocol, connected=True
        )
    if listed.kind in {"ipv4_server", "ipv6_server"}:
        kind = listed.kind.removesuffix("_server")
        return Descriptor(kind, ino=listed.ino, destination=Endpoint(*listed.source), protocol=protocol, role="server")
    if listed.kind == "unix":
        return Descriptor("unix", listed.name.rstrip("\n"), ino=listed.ino)
    return Descriptor(listed.kind, listed.name, listed.flags, listed.dev, listed.ino)


def plain_ends(source: Endpoint, destination: Endpoint) -> tuple[Endpoint, Endpoint]:
    """Return two ends as IPv4 where both are IPv4 addresses in IPv6 form: the same peer has one name."""
    ends = (source, destination)
    mapped = [end.address.startswith(_MAPPED) for end in ends]
    if any(mapped) and all(one or not any(end.address) for one, end in zip(mapped, ends, strict=True)):
        return Endpoint(source.address[12:], source.port), Endpoint(destination.address[12:], destination.port)
    return ends


def protocol_of(kind: int, number: int) -> str:
    """Return the protocol of a new socket of a type, with the number that was asked for."""
    kind &= _KIND_BITS
    if kind == _RAW:
        return "raw"
    return _IP_PROTOCOLS.get(number or {_STREAM: 6, _DATAGRAM: 17}.get(kind, 0), "<NA>")
