"""The values of a kind that were seen: since when, how often, when last; so many and no more."""

from __future__ import annotations

import heapq

OVERHEAD = 400  # bytes that a value takes beside its text: what is known of it, and its places in tables
WIDE = 6  # bytes of a character where some are not ASCII: as Python has it, and as it was written to the file


class Seen:
    """A value that was seen.

    Attributes:
        first: when first, ns since the epoch, by the events.
        last: when last.
        count: how often.
        origin: the event that made it new, where that was told; the same event makes it new again.
        owner: whose it is, for a kind of each user; empty for the cluster's.
        note: what else is known of it.
    """

    __slots__ = ("count", "first", "last", "note", "origin", "owner")

    def __init__(
        self, first: int, last: int, count: int = 0, origin: str = "", owner: str = "", note: str = ""
    ) -> None:
        """Take what is known."""
        self.first = first
        self.last = last
        self.count = count
        self.origin = origin
        self.owner = owner
        self.note = note


class Values:
    """The values of one kind in one cluster.

    Attributes:
        changed: those that are not saved as they are; None for one that is gone.
        size: about how many bytes they take.

    Args:
        kept: whether they are saved, so that it is to be noted what changed.
    """

    def __init__(self, *, kept: bool = False) -> None:
        """Know none."""
        self._kept = kept
        self._seen: dict[str, Seen] = {}
        self._owned: dict[str, int] = {}
        self.changed: dict[str, Seen | None] = {}
        self.size = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._seen)

    def get(self, value: str) -> Seen | None:
        """Return what is known of a value."""
        return self._seen.get(value)

    def items(self) -> list[tuple[str, Seen]]:
        """Return all values with what is known of them."""
        return list(self._seen.items())

    def put(self, value: str, seen: Seen) -> Seen:
        """Take a value that is not there."""
        self._seen[value] = seen
        self.size += _cost(value, seen)
        self._owned[seen.owner] = self._owned.get(seen.owner, 0) + 1
        return seen

    def touch(self, value: str, seen: Seen, now: int, number: int = 1) -> None:
        """Note that a value was seen again."""
        seen.count += number
        seen.last = max(seen.last, now)
        self.note(value, seen)

    def note(self, value: str, seen: Seen | None) -> None:
        """Note that a value is not saved as it is."""
        if self._kept:
            self.changed[value] = seen

    def drop(self, value: str) -> bool:
        """Forget a value; tell whether it was there."""
        seen = self._seen.pop(value, None)
        if seen is None:
            return False
        self.size -= _cost(value, seen)
        left = self._owned.get(seen.owner, 1) - 1
        if left:
            self._owned[seen.owner] = left
        else:
            self._owned.pop(seen.owner, None)
        self.note(value, None)
        return True

    def others(self, owner: str) -> int:
        """Return how many values an owner has beside one that was just put."""
        return max(0, self._owned.get(owner, 0) - 1)

    def older(self, moment: int) -> list[str]:
        """Return the values that were not seen since a moment."""
        return [value for value, seen in self._seen.items() if seen.last < moment]

    def weakest(self, number: int) -> list[str]:
        """Return values that are missed least: those seen once, and of these the ones seen longest ago."""
        found = heapq.nsmallest(number, self._seen.items(), key=lambda one: (one[1].count > 1, one[1].last))
        return [value for value, _ in found]


def _cost(value: str, seen: Seen) -> int:
    """Return about how many bytes a value takes: its text and its owner's are what somebody may have made long."""
    return OVERHEAD + _bytes(value) + _bytes(seen.owner)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text) * WIDE
