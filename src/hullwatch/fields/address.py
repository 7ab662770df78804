"""Internet addresses as events carry them: the SOCKTUPLE of the event table."""

from __future__ import annotations

import functools
import socket
from typing import NamedTuple

_MAPPED = bytes(10) + b"\xff\xff"  # an IPv4 address in IPv6 form (RFC 4291, 2.5.5.2)
_SIZES = {2: 4, 10: 16}


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
    ends: list[Endpoint] = []
    for start in (1, 1 + size + 2):
        address = value[start : start + size]
        port = int.from_bytes(value[start + size : start + size + 2], "little")
        ends.append(Endpoint(address, port))
    mapped = [end.address.startswith(_MAPPED) for end in ends]
    unspecified = [not any(end.address) for end in ends]  # the local end of a connection that was not made
    if size == 16 and any(mapped) and all(one or other for one, other in zip(mapped, unspecified, strict=True)):
        ends = [Endpoint(end.address[12:], end.port) for end in ends]
    return ends[0], ends[1]


def write_tuple(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """Return a SOCKTUPLE for two addresses in text form.

    Raises:
        ValueError: when one is no address, or they are of different families.
    """
    family = 10 if ":" in source[0] else 2
    text_family = socket.AF_INET6 if family == 10 else socket.AF_INET
    blob = bytes([family])
    for address, port in (source, destination):
        try:
            blob += socket.inet_pton(text_family, address) + port.to_bytes(2, "little")
        except (OSError, OverflowError) as error:
            raise ValueError(f"{address!r} port {port} is no address of the same family as {source[0]!r}") from error
    return blob


def address_text(address: bytes) -> str:
    """Return a packed address in its canonical text form."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def tuple_text(source: Endpoint, destination: Endpoint) -> str:
    """Return ``source:port->destination:port``, as Falco names a connection."""
    left, right = address_text(source.address), address_text(destination.address)
    return f"{left}:{source.port}->{right}:{destination.port}"
