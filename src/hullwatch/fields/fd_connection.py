"""Fields of a connection, and those that a file and a connection share (``fd.*``)."""

from __future__ import annotations

import functools
import socket
import stat
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.fields.address import Endpoint, address_text, read_tuple, tuple_text
from hullwatch.fields.fd import DIRECTORIES, num, number_of, opened_path
from hullwatch.fields.field import field

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.events.event import Event

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 255: "raw"}


class Connection(NamedTuple):
    """Both ends; the client is the source."""

    client: Endpoint
    server: Endpoint
    is_server: bool  # whether our process is the server

    @property
    def local(self) -> Endpoint:
        """Our end."""
        return self.server if self.is_server else self.client

    @property
    def remote(self) -> Endpoint:
        """The other end."""
        return self.client if self.is_server else self.server


def connection_of(event: Event) -> Connection | None:
    """Return the connection of an event; None for other events and other address families."""
    value = event.params.get("tuple")
    ends = read_tuple(value) if isinstance(value, bytes) else None
    if ends is None or (event.type.layout.name == "accepted" and num(event) is None):
        return None
    return Connection(*ends, is_server=event.type.layout.name == "accepted")


def _is_v6(connection: Connection) -> bool:
    return len(connection.server.address) == 16


@field("fd.type")
def kind(event: Event) -> str | None:
    """What it is: file, directory, ipv4 or ipv6."""
    if opened_path(event) is not None:
        is_directory = event.type.layout.name in DIRECTORIES or stat.S_ISDIR(number_of(event, "inode_mode") or 0)
        return "directory" if is_directory else "file"
    connection = connection_of(event)
    if connection is None:
        return None
    return "ipv6" if _is_v6(connection) else "ipv4"


@field("fd.typechar")
def typechar(event: Event) -> str | None:
    """What it is as one character: f, d, 4 or 6."""
    name = kind(event)
    return {"file": "f", "directory": "d", "ipv4": "4", "ipv6": "6"}[name] if name is not None else None


@field("fd.name")
def name(event: Event) -> str | None:
    """Path of the file, or the connection as source:port->destination:port."""
    path = opened_path(event)
    if path is not None:
        return path
    connection = connection_of(event)
    return tuple_text(connection.client, connection.server) if connection is not None else None


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
    """Family of the socket: ip."""
    return "ip" if connection_of(event) is not None else None


@field("fd.l4proto")
def l4proto(event: Event) -> str | None:
    """Protocol of the connection: tcp, udp, icmp or raw."""
    if connection_of(event) is None:
        return None
    return _PROTOCOLS.get(number_of(event, "l4proto") or 0, "<NA>")


@field("fd.is_server")
def is_server(event: Event) -> bool | None:
    """Whether the process is the server of the connection."""
    connection = connection_of(event)
    return connection.is_server if connection is not None else None


@field("fd.connected")
def connected(event: Event) -> bool | None:
    """Whether the connection stands; false while it is being made and when it failed."""
    if connection_of(event) is None:
        return None
    return (number_of(event, "res") or 0) >= 0


def _end(event: Event, which: Callable[[Connection], Endpoint]) -> Endpoint | None:
    connection = connection_of(event)
    return which(connection) if connection is not None else None


def _client(connection: Connection) -> Endpoint:
    return connection.client


def _server(connection: Connection) -> Endpoint:
    return connection.server


def _local(connection: Connection) -> Endpoint:
    return connection.local


def _remote(connection: Connection) -> Endpoint:
    return connection.remote


def _ip(event: Event, which: Callable[[Connection], Endpoint]) -> str | None:
    end = _end(event, which)
    return address_text(end.address) if end is not None else None


def _net(event: Event, which: Callable[[Connection], Endpoint]) -> bytes | None:
    end = _end(event, which)
    return end.address if end is not None else None


def _port(event: Event, which: Callable[[Connection], Endpoint]) -> int | None:
    end = _end(event, which)
    return end.port if end is not None else None


def _service(event: Event, which: Callable[[Connection], Endpoint]) -> str | None:
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
    return tuple(address_text(end.address) for end in connection[:2]) if connection is not None else None


@field("fd.net")
def net(event: Event) -> tuple[bytes, ...] | None:
    """Network of either end."""
    connection = connection_of(event)
    return tuple(end.address for end in connection[:2]) if connection is not None else None


@field("fd.port")
def port(event: Event) -> tuple[int, ...] | None:
    """Port of either end."""
    connection = connection_of(event)
    return tuple(end.port for end in connection[:2]) if connection is not None else None


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
