"""Addresses of sockets as events carry them: SOCKTUPLE and SOCKADDR of the event table."""

from __future__ import annotations

import functools
import socket
from typing import NamedTuple

FAMILY_UNIX, FAMILY_IPV4, FAMILY_IPV6 = 1, 2, 10

_MAPPED = bytes(10) + b"\xff\xff"  # an IPv4 address in IPv6 form (RFC 4291, 2.5.5.2)
_SIZES = {FAMILY_IPV4: 4, FAMILY_IPV6: 16}
_UNIX_ENDS = 16  # bytes of a unix tuple between the family and the name


class Endpoint(NamedTuple):
    """One end of a connection: the packed address (4 or 16 bytes) and the port."""

    address: bytes
    port: int


@functools.lru_cache(1 << 14)
def read_tuple(value: bytes) -> tuple[Endpoint, Endpoint] | None:
    """Return source and destination of a SOCKTUPLE; None when it is empty or of another family.

    An IPv4 address in IPv6 form is treated as IPv4: the same peer has one name.
    """
    size = _SIZES.get(value[0]) if value else None
    if size is None or len(value) < 1 + 2 * (size + 2):
        return None
    ends = [_endpoint(value, start, size) for start in (1, 1 + size + 2)]
    mapped = [end.address.startswith(_MAPPED) for end in ends]
    unspecified = [not any(end.address) for end in ends]  # the local end of a connection that was not made
    if size == 16 and any(mapped) and all(one or other for one, other in zip(mapped, unspecified, strict=True)):
        ends = [Endpoint(end.address[12:], end.port) for end in ends]
    return ends[0], ends[1]


def _endpoint(value: bytes, start: int, size: int) -> Endpoint:
    port = int.from_bytes(value[start + size : start + size + 2], "little")
    return Endpoint(value[start : start + size], port)


@functools.lru_cache(1 << 12)
def read_address(value: bytes) -> Endpoint | None:
    """Return the end that a SOCKADDR names; None when it is empty or of another family."""
    size = _SIZES.get(value[0]) if value else None
    if size is None or len(value) < 1 + size + 2:
        return None
    end = _endpoint(value, 1, size)
    return Endpoint(end.address[12:], end.port) if size == 16 and end.address.startswith(_MAPPED) else end


def read_unix_tuple(value: bytes) -> str | None:
    """Return the name in a SOCKTUPLE of unix sockets, empty without one; None for other families."""
    if len(value) <= _UNIX_ENDS or value[0] != FAMILY_UNIX:
        return None
    return str(value[1 + _UNIX_ENDS :], "utf-8", "surrogateescape")


def read_unix_address(value: bytes) -> str | None:
    """Return the name in a SOCKADDR of a unix socket, empty without one; None for other families."""
    return str(value[1:], "utf-8", "surrogateescape") if value[:1] == bytes([FAMILY_UNIX]) else None


def write_tuple(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """Return a SOCKTUPLE for two addresses in text form.

    Raises:
        ValueError: when one is no address, or they are of different families.
    """
    blob = b""
    for address, port in (source, destination):
        end = write_address(address, port)
        if blob and blob[0] != end[0]:
            raise ValueError(f"{address!r} port {port} is no address of the same family as {source[0]!r}")
        blob += end[1:] if blob else end
    return blob


def write_address(address: str, port: int) -> bytes:
    """Return a SOCKADDR for an address in text form.

    Raises:
        ValueError: when it is no address, or no port.
    """
    family, text_family = (FAMILY_IPV6, socket.AF_INET6) if ":" in address else (FAMILY_IPV4, socket.AF_INET)
    try:
        return bytes([family]) + socket.inet_pton(text_family, address) + port.to_bytes(2, "little")
    except (OSError, OverflowError) as error:
        raise ValueError(f"{address!r} port {port} is no address of a family") from error


def write_unix_tuple(name: str) -> bytes:
    """Return a SOCKTUPLE for unix sockets: a path, or ``@`` and an abstract name."""
    return bytes([FAMILY_UNIX]) + bytes(_UNIX_ENDS) + name.encode("utf-8", "surrogateescape")


def write_unix_address(name: str) -> bytes:
    """Return a SOCKADDR for a unix socket: a path, or ``@`` and an abstract name."""
    return bytes([FAMILY_UNIX]) + name.encode("utf-8", "surrogateescape")


def address_text(address: bytes) -> str:
    """Return a packed address in its canonical text form."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def end_text(end: Endpoint) -> str:
    """Return ``address:port``."""
    return f"{address_text(end.address)}:{end.port}"


def tuple_text(source: Endpoint, destination: Endpoint) -> str:
    """Return ``source:port->destination:port``, as Falco names a connection."""
    return f"{end_text(source)}->{end_text(destination)}"


def unix_text(name: str) -> str:
    """Return how Falco names a connection of unix sockets; where it has addresses in the kernel, we have none."""
    return f"0->0 {name}"
