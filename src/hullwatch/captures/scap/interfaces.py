"""The network interfaces of the machine: which of its addresses it uses to reach another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.captures.scap.blocks import DamagedError

if TYPE_CHECKING:
    from hullwatch.captures.scap.blocks import Block

INTERFACES_KEPT = 1 << 12
_WITH_SPEED = frozenset({1, 2})
_SIZES = {1: 4, 2: 16, 3: 4, 4: 16}
_LOOPBACK = 127
_LOOPBACK_6 = bytes(15) + b"\x01"


class Interfaces:
    """Addresses of the machine."""

    def __init__(self) -> None:
        """Start with none."""
        self._networks: list[tuple[bytes, int, int]] = []  # address, and as a number with the mask

    def take(self, block: Block) -> None:
        """Take a list of interfaces.

        Raises:
            DamagedError: when it is damaged.
        """
        at, end, data = block.begin, block.end, block.data
        while end - at >= 4 and len(self._networks) < INTERFACES_KEPT:
            if block.type == 0x219:
                at += 4
            kind, length = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
            size = _SIZES.get(kind)
            if size is None:
                raise DamagedError(f"a list of interfaces has one of type {kind}")
            at += 4
            address, mask = data[at : at + size], data[at + size : at + 2 * size]
            at += 3 * size + 8 * (kind in _WITH_SPEED) + length
            if at > end:
                raise DamagedError("an entry of a list ends within a value")
            number = int.from_bytes(mask, "big")
            self._networks.append((address, int.from_bytes(address, "big") & number, number))

    def own(self, address: bytes, other: bytes) -> bytes:
        """Return an end's address; where it is not set, the one that reaches the other end."""
        if any(address) or not address:
            return address
        number = int.from_bytes(other, "big")
        networks = [one for one in self._networks if len(one[0]) == len(address)]
        for own, network, mask in networks:
            if own == other or (mask and number & mask == network):
                return own
        return next((own for own, _, _ in networks if own[0] != _LOOPBACK and own != _LOOPBACK_6), address)
