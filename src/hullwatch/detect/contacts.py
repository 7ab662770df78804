"""Contacts: a container and a peer that it connected to. The first call of each is seen, whatever rules ask for.

Nearly all connections are nothing to rules and end as bytes, most of them in the kernel. The classifier remembers which
control group has connected to which address and port, and hands on the first one; the kernel need not count for it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Protocol

from hullwatch.detect.recipe import CONTEXT_BEGIN, peer_place, result_offset
from hullwatch.events.table import BY_NAME, HEADER
from hullwatch.sources.interest import Interest

if TYPE_CHECKING:
    from hullwatch.events.event import Event

TYPES = frozenset({"connect"})
REMEMBERED = 1 << 13  # contacts, as in native/classifier/contacts.h
_FAMILIES = {2: 4, 10: 16}  # bytes of an address
CGROUP = slice(CONTEXT_BEGIN + 8, CONTEXT_BEGIN + 20)  # id of the control group, and of which hierarchy that is


class Contacts(Protocol):
    """Takes contacts."""

    @property
    def has_room(self) -> bool:
        """Whether one more may be taken now; one that may not is counted by it."""
        ...

    def take(self, event: Event) -> None:
        """Take a connection of any process; the same ones may come again."""
        ...


def is_refused(result: int) -> bool:
    """Tell whether a call connected nothing; one that did not wait may have."""
    return result < 0 and result != -errno.EINPROGRESS


def with_contacts(interest: Interest) -> Interest:
    """Return what the sensor is asked for, with connections of all processes, also those that are still being made."""
    if interest.wanted is None:
        return interest
    return Interest(
        {*interest.wanted, *TYPES}, set(interest.narrowed).difference(TYPES), set(interest.succeeded).difference(TYPES)
    )


class KnownContacts:
    """Knows which have been seen; for the classifier in Python."""

    def __init__(self) -> None:
        """Start with none."""
        self._known: set[bytes] = set()
        layouts = {BY_NAME[name].number: BY_NAME[name].layout for name in TYPES}
        self._places = {
            number: (*peer_place(layout), result_offset(layout), HEADER.size + layout.fixed.size)
            for number, layout in layouts.items()
        }

    def is_first(self, number: int, batch: bytes, offset: int, length: int) -> bool:
        """Tell whether a record of an event type is the first one of its container to its peer; it is known then."""
        lengths, variable, protocol, result, begin = self._places[number]
        if length < begin or is_refused(
            int.from_bytes(batch[offset + result : offset + result + 8], "little", signed=True)
        ):
            return False
        sizes = [int.from_bytes(batch[offset + at : offset + at + 2], "little")
                 for at in range(lengths, lengths + 2 * variable + 2, 2)]  # fmt: skip
        begin, size = begin + sum(sizes[:-1]), sizes[-1]
        if begin + size > length or size < 5:
            return False
        record = batch[offset : offset + length]
        peer, address = record[begin : begin + size], _FAMILIES.get(record[begin])
        if address is None:
            return False
        if size == 2 * address + 5:  # without the client's port, which is another one every time
            peer = peer[: 1 + address] + peer[3 + address :]
        key = record[CGROUP] + record[protocol : protocol + 1] + peer
        if key in self._known:
            return False
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known.add(key)
        return True

    def forget(self) -> None:
        """Forget all."""
        self._known.clear()
