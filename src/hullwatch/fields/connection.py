"""What a call did with which socket: the ends of its connection, or its name in a file system."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.fields.address import (
    FAMILY_IPV4,
    FAMILY_IPV6,
    FAMILY_UNIX,
    Endpoint,
    end_text,
    read_address,
    read_tuple,
    read_unix_address,
    read_unix_tuple,
    tuple_text,
    unix_text,
)
from hullwatch.fields.fd import num, number_of

if TYPE_CHECKING:
    from hullwatch.events.event import Event

FAMILY_NETLINK = 16
OTHER_FAMILY = -1  # of a socket that is there, and nothing more is known of

_GUESSED_LAYOUTS = frozenset({"message", "dns", "shut_down"})  # the tuple's source is our end
_ADDRESS_LAYOUTS = frozenset({"bound", "listening"})


class Connection(NamedTuple):
    """Both ends; the client is the source. Of a socket that only has its own address, there is no client."""

    client: Endpoint | None
    server: Endpoint
    is_server: bool  # whether our process is the server

    @property
    def ends(self) -> tuple[Endpoint, ...]:
        """Those that are there."""
        return (self.server,) if self.client is None else (self.client, self.server)

    @property
    def local(self) -> Endpoint | None:
        """Our end."""
        return self.server if self.is_server else self.client

    @property
    def remote(self) -> Endpoint | None:
        """The other end."""
        return self.client if self.is_server else self.server

    @property
    def name(self) -> str:
        """As Falco names it."""
        return end_text(self.server) if self.client is None else tuple_text(self.client, self.server)


def connection_of(event: Event) -> Connection | None:
    """Return the connection of an event; None for other events and other address families."""
    layout = event.type.layout.name
    if layout in _ADDRESS_LAYOUTS:
        address = event.params.get("addr")
        end = read_address(address) if isinstance(address, bytes) else None
        return Connection(None, end, is_server=True) if end is not None else None
    value = event.params.get("tuple")
    ends = read_tuple(value) if isinstance(value, bytes) else None
    if ends is None or (layout == "accepted" and num(event) is None):
        return None
    if layout in _GUESSED_LAYOUTS:
        return _by_ports(*ends)
    return Connection(*ends, is_server=layout == "accepted")


def _by_ports(local: Endpoint, remote: Endpoint) -> Connection:
    """Return a connection of which it is not known who made it: the server is the one with the lower port."""
    if remote.port == 0 and not any(remote.address):
        return Connection(None, local, is_server=True)
    if 0 < local.port < remote.port:
        return Connection(remote, local, is_server=True)
    return Connection(local, remote, is_server=False)


def unix_name_of(event: Event) -> str | None:
    """Return the name of the unix socket that an event is about, empty without one; None for other events."""
    address, both = event.params.get("addr"), event.params.get("tuple")
    if isinstance(address, bytes):
        return read_unix_address(address)
    if not isinstance(both, bytes) or (event.type.layout.name == "accepted" and num(event) is None):
        return None
    return read_unix_tuple(both)


def family_of(event: Event) -> int | None:
    """Return the address family of the socket that an event is about; None when there is none."""
    if event.type.layout.name == "socket":
        return number_of(event, "domain") if num(event) is not None else None
    connection = connection_of(event)
    if connection is not None:
        return FAMILY_IPV4 if len(connection.server.address) == 4 else FAMILY_IPV6
    if unix_name_of(event) is not None:
        return FAMILY_UNIX
    value = event.params.get("addr")
    return OTHER_FAMILY if isinstance(value, bytes) and len(value) == 1 else None


def socket_name(event: Event) -> str | None:
    """Return what Falco names the socket of an event; None when there is none."""
    connection = connection_of(event)
    if connection is not None:
        return connection.name
    name = unix_name_of(event)
    if name is not None:
        return name if event.type.layout.name in _ADDRESS_LAYOUTS else unix_text(name)
    return None if family_of(event) is None else ""
