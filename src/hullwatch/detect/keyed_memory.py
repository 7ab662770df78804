"""What a rule remembers by key: bounded in bytes, what was not used for longest goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

Key = tuple[Hashable, ...]

KEY_SIZE = 450  # bytes of a key and what it belongs to, about, without its texts


class Remembered(Protocol):
    """What is remembered under a key."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        ...

    @property
    def until(self) -> int:
        """The last moment at which it matters, ns since the epoch."""
        ...


Kept = TypeVar("Kept", bound=Remembered)


class KeyedMemory(Generic[Kept]):
    """Keys with what is remembered of each.

    Attributes:
        size: about how many bytes it takes.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.size = 0
        self._kept: OrderedDict[Key, tuple[Kept, int]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._kept)

    def get(self, key: Key) -> Kept | None:
        """Return what is remembered under a key; this is no use of it."""
        found = self._kept.get(key)
        return found[0] if found is not None else None

    def put(self, key: Key, kept: Kept) -> None:
        """Remember something under a key, or note that it changed; it is the last to go now."""
        earlier = self._kept.pop(key, None)
        size = kept.size + KEY_SIZE + sum(len(part) for part in key if isinstance(part, str | bytes))
        self._kept[key] = (kept, size)
        self.size += size - (earlier[1] if earlier is not None else 0)

    def forget(self, key: Key) -> None:
        """Drop a key, if it is there."""
        earlier = self._kept.pop(key, None)
        self.size -= earlier[1] if earlier is not None else 0

    def expire(self, now: int) -> None:
        """Drop what matters no more; keys behind one that still does stay until it is their turn."""
        while self._kept and next(iter(self._kept.values()))[0].until < now:
            self._pop()

    def shrink(self, size: int) -> int:
        """Drop keys until no more than ``size`` bytes are left; return how many were dropped."""
        dropped = 0
        while self._kept and self.size > size:
            self._pop()
            dropped += 1
        return dropped

    def _pop(self) -> None:
        _, (_, size) = self._kept.popitem(last=False)
        self.size -= size
