"""Fields of a connection, and those that a file and a connection share (``fd.*``)."""

from __future__ import annotations

import functools
import socket
import stat
from typing import TYPE_CHECKING

from hullwatch.fields.address import FAMILY_IPV4, FAMILY_IPV6, FAMILY_UNIX, address_text
from hullwatch.fields.connection import FAMILY_NETLINK, Connection, connection_of, family_of, socket_name
from hullwatch.fields.fd import DIRECTORIES, is_open, number_of, opened_path
from hullwatch.fields.field import field

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.events.event import Event
    from hullwatch.fields.address import Endpoint

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 255: "raw"}


_FAMILY_NAMES = {
    FAMILY_IPV4: ("ipv4", "4"),
    FAMILY_IPV6: ("ipv6", "6"),
    FAMILY_UNIX: ("unix", "u"),
    FAMILY_NETLINK: ("netlink", "n"),
}
_SERVER_LAYOUTS = frozenset({"accepted", "bound", "listening"})
_UNCONNECTED_LAYOUTS = frozenset({"socket", "bound", "listening"})
_OTHER_NAMES = ("<NA>", "o")  # Falco's for a socket of another family
_STREAM, _DATAGRAM, _RAW = 1, 2, 3
_KIND_BITS = 0xF  # of a socket's type; above are flags


@field("fd.type")
def kind(event: Event) -> str | None:
    """What it is: file, directory, ipv4, ipv6, unix or netlink."""
    if is_open(event):
        is_directory = event.type.layout.name in DIRECTORIES or stat.S_ISDIR(number_of(event, "inode_mode") or 0)
        return "directory" if is_directory else "file"
    family = family_of(event)
    return _FAMILY_NAMES.get(family, _OTHER_NAMES)[0] if family is not None else None


@field("fd.typechar")
def typechar(event: Event) -> str | None:
    """What it is as one character: f, d, 4, 6, u (unix), n (netlink) or o (another socket)."""
    if opened_path(event) is not None:
        return "d" if stat.S_ISDIR(number_of(event, "inode_mode") or 0) else "f"
    family = family_of(event)
    return _FAMILY_NAMES.get(family, _OTHER_NAMES)[1] if family is not None else None


@field("fd.name")
def name(event: Event) -> str | None:
    """Path of the file, the connection as source:port->destination:port, or 0->0 and a unix socket's path."""
    path = opened_path(event)
    return path if path is not None else socket_name(event)


@field("fd.nameraw")
def nameraw(event: Event) -> str | None:
    """The same as fd.name."""
    return name(event)


@field("fd.containername")
def container_name(event: Event) -> str | None:
    """Container id and name of the descriptor, joined with a colon."""
    value = name(event)
    return f"{event.container.id}:{value}" if value is not None else None


@field("fd.sockfamily")
def sockfamily(event: Event) -> str | None:
    """Family of the socket: ip or unix."""
    family = family_of(event)
    return {FAMILY_IPV4: "ip", FAMILY_IPV6: "ip", FAMILY_UNIX: "unix"}.get(family) if family is not None else None


@field("fd.l4proto")
def l4proto(event: Event) -> str | None:
    """Protocol of the connection or the new socket: tcp, udp, icmp or raw."""
    family = family_of(event)
    if family is None:
        return None
    if event.type.layout.name == "socket":
        return _protocol_of_new(event) if family in {FAMILY_IPV4, FAMILY_IPV6} else "<NA>"
    return _PROTOCOLS.get(number_of(event, "l4proto") or 0, "<NA>")


def _protocol_of_new(event: Event) -> str:
    type_ = (number_of(event, "type") or 0) & _KIND_BITS
    if type_ == _RAW:
        return "raw"
    usual = {_STREAM: 6, _DATAGRAM: 17}.get(type_, 0)  # what 0 stands for
    return _PROTOCOLS.get(number_of(event, "proto") or usual, "<NA>")


@field("fd.is_server")
def is_server(event: Event) -> bool | None:
    """Whether the process is the server of the connection; for data the end with the lower port is."""
    connection = connection_of(event)
    if connection is not None:
        return connection.is_server
    return event.type.layout.name in _SERVER_LAYOUTS if family_of(event) is not None else None


@field("fd.connected")
def connected(event: Event) -> bool | None:
    """Whether the connection stands; false while it is being made and when it failed, or when there is none."""
    if family_of(event) is None:
        return None
    if event.type.layout.name in _UNCONNECTED_LAYOUTS or number_of(event, "connected") == 0:
        return False
    return (number_of(event, "res") or 0) >= 0


def _end(event: Event, which: Callable[[Connection], Endpoint | None]) -> Endpoint | None:
    connection = connection_of(event)
    return which(connection) if connection is not None else None


def _client(connection: Connection) -> Endpoint | None:
    return connection.client


def _server(connection: Connection) -> Endpoint:
    return connection.server


def _local(connection: Connection) -> Endpoint | None:
    return connection.local


def _remote(connection: Connection) -> Endpoint | None:
    return connection.remote


def _ip(event: Event, which: Callable[[Connection], Endpoint | None]) -> str | None:
    end = _end(event, which)
    return address_text(end.address) if end is not None else None


def _net(event: Event, which: Callable[[Connection], Endpoint | None]) -> bytes | None:
    end = _end(event, which)
    return end.address if end is not None else None


def _port(event: Event, which: Callable[[Connection], Endpoint | None]) -> int | None:
    end = _end(event, which)
    return end.port if end is not None else None


def _service(event: Event, which: Callable[[Connection], Endpoint | None]) -> str | None:
    end = _end(event, which)
    return service_name(end.port, l4proto(event) or "tcp") if end is not None else None


@functools.lru_cache(4096)
def service_name(port: int, protocol: str) -> str:
    """Return the name of a port from the host's list of services, or the number as text."""
    try:
        return socket.getservbyport(port, protocol if protocol in {"tcp", "udp"} else "tcp")
    except OSError:
        return str(port)


@field("fd.ip")
def ip(event: Event) -> tuple[str, ...] | None:
    """Address of either end."""
    connection = connection_of(event)
    return tuple(address_text(end.address) for end in connection.ends) if connection is not None else None


@field("fd.net")
def net(event: Event) -> tuple[bytes, ...] | None:
    """Network of either end."""
    connection = connection_of(event)
    return tuple(end.address for end in connection.ends) if connection is not None else None


@field("fd.port")
def port(event: Event) -> tuple[int, ...] | None:
    """Port of either end."""
    connection = connection_of(event)
    return tuple(end.port for end in connection.ends) if connection is not None else None


@field("fd.proto")
def proto(event: Event) -> tuple[int, ...] | None:
    """Service of either end."""
    return port(event)


@field("fd.cip")
def cip(event: Event) -> str | None:
    """Address of the client."""
    return _ip(event, _client)


@field("fd.sip")
def sip(event: Event) -> str | None:
    """Address of the server."""
    return _ip(event, _server)


@field("fd.lip")
def lip(event: Event) -> str | None:
    """Address of our end."""
    return _ip(event, _local)


@field("fd.rip")
def rip(event: Event) -> str | None:
    """Address of the other end."""
    return _ip(event, _remote)


@field("fd.cnet")
def cnet(event: Event) -> bytes | None:
    """Network of the client."""
    return _net(event, _client)


@field("fd.snet")
def snet(event: Event) -> bytes | None:
    """Network of the server."""
    return _net(event, _server)


@field("fd.lnet")
def lnet(event: Event) -> bytes | None:
    """Network of our end."""
    return _net(event, _local)


@field("fd.rnet")
def rnet(event: Event) -> bytes | None:
    """Network of the other end."""
    return _net(event, _remote)


@field("fd.cport")
def cport(event: Event) -> int | None:
    """Port of the client."""
    return _port(event, _client)


@field("fd.sport")
def sport(event: Event) -> int | None:
    """Port of the server."""
    return _port(event, _server)


@field("fd.lport")
def lport(event: Event) -> int | None:
    """Port of our end."""
    return _port(event, _local)


@field("fd.rport")
def rport(event: Event) -> int | None:
    """Port of the other end."""
    return _port(event, _remote)


@field("fd.cproto")
def cproto(event: Event) -> str | None:
    """Service of the client's port."""
    return _service(event, _client)


@field("fd.sproto")
def sproto(event: Event) -> str | None:
    """Service of the server's port."""
    return _service(event, _server)


@field("fd.lproto")
def lproto(event: Event) -> str | None:
    """Service of our port."""
    return _service(event, _local)


@field("fd.rproto")
def rproto(event: Event) -> str | None:
    """Service of the other end's port."""
    return _service(event, _remote)
