"""Fields of the domain names that the ends of a connection have (``fd.sip.name``).

A name is one that a rule names and that stands for the address, or one that the name system gave the address when a
process of the same container asked (``enrich/names.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.connection import connection_of
from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.fields.address import Endpoint

NAME_FIELDS = frozenset({"fd.cip.name", "fd.sip.name", "fd.lip.name", "fd.rip.name"})
"""The names of all fields here."""


def _names(event: Event, end: Endpoint | None) -> tuple[str, ...] | None:
    """Return the names of an end: none of an address that has none, None where there is no address."""
    if end is None:
        return None
    return () if event.names is None else event.names.of(event.container.full_id, end.address, event.time)


@field("fd.cip.name")
def cip_name(event: Event) -> tuple[str, ...] | None:
    """Domain names of the client."""
    connection = connection_of(event)
    return None if connection is None else _names(event, connection.client)


@field("fd.sip.name")
def sip_name(event: Event) -> tuple[str, ...] | None:
    """Domain names of the server."""
    connection = connection_of(event)
    return None if connection is None else _names(event, connection.server)


@field("fd.lip.name")
def lip_name(event: Event) -> tuple[str, ...] | None:
    """Domain names of our end."""
    connection = connection_of(event)
    return None if connection is None else _names(event, connection.local)


@field("fd.rip.name")
def rip_name(event: Event) -> tuple[str, ...] | None:
    """Domain names of the other end."""
    connection = connection_of(event)
    return None if connection is None else _names(event, connection.remote)
