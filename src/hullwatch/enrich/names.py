"""Domain names of addresses: what the name system answered in each container, and what the names in rules stand for.

All of it follows from records of the stream, answers that were seen and answers that Hullwatch got itself, so that a
capture replays. Answers come from whoever a container asks: all is limited, and one container's are no other's.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.events.dns_message import read_addresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hullwatch.events.codec import Value
    from hullwatch.events.event import Event

NAMES_KEPT = 8192  # of addresses, in all containers together
NAMES_OF_ONE = 1024  # in one container
NAMES_OF_ADDRESS = 8  # in one container
SHORTEST = 300_000_000_000  # ns that a name stays an address's, for programs go on using what they were answered
LONGEST = 86_400_000_000_000
MOST_RESOLVED = 1024  # names of rules
MOST_ADDRESSES = 64  # of one of them
EVERYWHERE = "*"
_STAYS = 1 << 62  # an end behind all times

_TCP = 6
_DNS_PORT = (53).to_bytes(2, "little")
_MAPPED = bytes(10) + b"\xff\xff"  # an IPv4 address in IPv6 form (RFC 4291, 2.5.5.2)
_Until = dict[str, int]  # by name, in ns since boot


class SavedName(NamedTuple):
    """A name that an address has until a time (ns since boot).

    Attributes:
        container_id: of those that were answered to it, 64 digits or nothing; ``EVERYWHERE`` for what rules name.
    """

    container_id: str
    address: bytes
    name: bytes
    until: int


class Names:
    """Knows the names.

    Attributes:
        clock_offset: of the wall clock from the time since boot, ns.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        self.clock_offset = 0
        self._heard: dict[str, OrderedDict[bytes, _Until]] = {}  # by container; what was answered last stands last
        self._sizes: dict[str, int] = {}  # names in each container
        self._total = 0
        self._resolved: dict[str, dict[bytes, int]] = {}  # by name, until when it has an address
        self._names_of: dict[bytes, list[str]] = {}  # the same by address

    def of(self, container_id: str, address: bytes, time: int) -> tuple[str, ...]:
        """Return the names of an address: those that rules name first, then the latest answer's.

        Args:
            container_id: 64 digits; empty outside of containers.
            address: 4 or 16 bytes.
            time: ns since the epoch.
        """
        heard = self._heard.get(container_id)
        until = heard.get(address) if heard is not None else None
        resolved = self._names_of.get(address)
        if until is None and resolved is None:
            return ()
        now = time - self.clock_offset
        found = [name for name in resolved or () if self._resolved[name][address] > now]
        found += [name for name, end in reversed((until or {}).items()) if end > now and name not in found]
        return tuple(found)

    def heard(self, container_id: str, values: Mapping[str, Value], time: int) -> None:
        """Take a message of the name system, as a record of type ``dns`` has it; only answers of servers count.

        Args:
            container_id: 64 digits; empty outside of containers.
            values: of the record.
            time: of the record, ns since boot.
        """
        both, data = values["tuple"], values["data"]
        if not isinstance(both, bytes) or not isinstance(data, bytes) or both[-2:] != _DNS_PORT:
            return  # our end is the server
        answer = read_addresses(data, stream=values["l4proto"] == _TCP)
        for address, seconds in answer.seconds.items() if answer is not None else ():
            end = time + min(max(seconds * 1_000_000_000, SHORTEST), LONGEST)
            self._learn(container_id, _plain(address), answer.names if answer is not None else (), end)

    def _learn(self, container_id: str, address: bytes, names: Iterable[str], until: int) -> None:
        heard = self._heard.setdefault(container_id, OrderedDict())
        known = heard.setdefault(address, {})
        heard.move_to_end(address)
        before = len(known)
        for name in reversed(tuple(names)):  # the one that was asked for stands last
            known[name] = max(until, known.pop(name, 0))
            if len(known) > NAMES_OF_ADDRESS:
                del known[next(iter(known))]
        self._grew(container_id, len(known) - before)
        while self._sizes[container_id] > NAMES_OF_ONE:
            self._forget_oldest(container_id)
        if self._total > NAMES_KEPT:
            self._make_room()

    def _grew(self, container_id: str, number: int) -> None:
        self._sizes[container_id] = self._sizes.get(container_id, 0) + number
        self._total += number

    def _make_room(self) -> None:
        """Forget an eighth, of the containers with most: one that asks for many names makes no other lose its own."""
        wanted, most = NAMES_KEPT // 8 * 7, NAMES_OF_ONE
        while most and sum(min(size, most) for size in self._sizes.values()) > wanted:
            most //= 2
        for container_id in list(self._sizes):
            while self._total > wanted and self._sizes.get(container_id, 0) > most:
                self._forget_oldest(container_id)

    def _forget_oldest(self, container_id: str) -> None:
        heard = self._heard[container_id]
        _, names = heard.popitem(last=False)
        self._grew(container_id, -len(names))
        if not heard:
            del self._heard[container_id], self._sizes[container_id]

    def resolved(self, time: int, values: Mapping[str, Value]) -> list[Event]:
        """Take what a name in a rule stands for from now on; an address that it had lasts a while.

        Args:
            time: of the record, ns since boot.
            values: of the record.

        Returns:
            No event: rules do not see that.
        """
        name, packed = values["name"], values["addresses"]
        assert isinstance(name, str)
        assert isinstance(packed, bytes)
        if len(self._resolved) >= MOST_RESOLVED and name not in self._resolved:
            return []
        addresses = unpack(packed)
        before = self._resolved.get(name, {})
        lasting = {address: min(until, time + SHORTEST) for address, until in before.items() if until > time}
        self._resolved[name] = lasting | dict.fromkeys(addresses, _STAYS)
        if not self._resolved[name]:
            del self._resolved[name]
        self._sort_by_address()
        return []

    def _sort_by_address(self) -> None:
        self._names_of = {}
        for name, addresses in self._resolved.items():
            for address in addresses:
                self._names_of.setdefault(address, []).append(name)

    def saved(self) -> tuple[SavedName, ...]:
        """Return what is known, for ``restore``."""
        heard = tuple(
            SavedName(container_id, address, _to_bytes(name), until)
            for container_id, by_address in self._heard.items()
            for address, names in by_address.items()
            for name, until in names.items()
        )
        resolved = tuple(
            SavedName(EVERYWHERE, address, _to_bytes(name), until)
            for name, addresses in self._resolved.items()
            for address, until in addresses.items()
        )
        return heard + resolved

    def restore(self, saved: Iterable[SavedName], clock_offset: int) -> None:
        """Know what ``saved`` returned, and nothing else."""
        self.clock_offset = clock_offset
        self._heard, self._sizes, self._total, self._resolved = {}, {}, 0, {}
        for one in saved:
            if one.container_id == EVERYWHERE:
                self._resolved.setdefault(_to_text(one.name), {})[one.address] = one.until
            else:
                self._learn(one.container_id, one.address, (_to_text(one.name),), one.until)
        self._sort_by_address()


def pack(addresses: Iterable[bytes]) -> bytes:
    """Return addresses as the record of a resolved name has them: the size of each in a byte before it."""
    return b"".join(bytes([len(one)]) + one for one in list(addresses)[:MOST_ADDRESSES])


def unpack(packed: bytes) -> list[bytes]:
    """Return the addresses that ``pack`` was given; of other bytes those before what is none."""
    found: list[bytes] = []
    while packed and packed[0] in {4, 16} and len(packed) > packed[0] and len(found) < MOST_ADDRESSES:
        found.append(_plain(packed[1 : 1 + packed[0]]))
        packed = packed[1 + packed[0] :]
    return found


def _plain(address: bytes) -> bytes:
    """Return an address as connections have it: IPv4 in IPv6 form is IPv4."""
    return address[12:] if address.startswith(_MAPPED) else address


def _to_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _to_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
