"""Processes of which only the records are kept until somebody asks.

Most processes that a host starts run a program that was judged a hundred times, end after some milliseconds, and
nobody asks for them. What the tree would make of their records can be made later, from the records: they have no
children yet (a process that forks is made), and their parent and what it ran then are kept with them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hullwatch.enrich.process import Process, Program

ALIVE_KEPT = 1024  # more of them are made
ENDED_KEPT = 2048  # that late events may still ask for, as of those that were made
SIZE_KEPT = 4 << 20  # bytes of their records
LONGEST = 4096  # bytes of a record that is kept
TEXTS_KEPT = 256  # that others have too

Key = tuple[int, int]  # id and start


class Unmade:
    """A process that was not made.

    Attributes:
        parent: that forked it.
        program: that its parent ran then.
        container_id: 64 digits; empty on the host.
        forked: the record that told of it.
        ran: the record of the program that it ran last, but for its texts; empty without.
        texts: those, with the ancestors behind them.
    """

    __slots__ = ("container_id", "forked", "parent", "program", "ran", "texts")

    def __init__(self, parent: Process, container_id: str, forked: bytes) -> None:
        """Keep what a record tells."""
        self.parent = parent
        self.program: Program = parent.program
        self.container_id = container_id
        self.forked = forked
        self.ran = self.texts = b""

    @property
    def size(self) -> int:
        """Bytes of the records."""
        return len(self.forked) + len(self.ran) + len(self.texts)


class UnmadeProcesses:
    """Those that run, and the last that ended; ``unmade`` of a process counts those of its children that run.

    Attributes:
        used: whether there was any ever.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.used = False
        self.alive: dict[Key, Unmade] = {}
        self._ended: dict[Key, Unmade] = {}
        self._order: deque[Key] = deque()  # of their ends; some were made since
        self._size = 0  # bytes of the records of those that ended
        self._texts: dict[bytes, bytes] = {}

    def __contains__(self, key: Key) -> bool:
        """Tell whether a process is one of these."""
        return key in self.alive or key in self._ended

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.alive) + len(self._ended)

    def add(self, key: Key, unmade: Unmade) -> None:
        """Keep a process that begins."""
        self.used = True
        self.alive[key] = unmade
        unmade.parent.unmade += 1

    def run(self, unmade: Unmade, ran: bytes, texts: bytes) -> None:
        """Keep what a process runs; those that run the same have one copy of its texts."""
        known = self._texts.get(texts)
        if known is None:
            if len(self._texts) >= TEXTS_KEPT:
                self._texts.clear()
            known = self._texts[texts] = texts
        unmade.ran, unmade.texts = ran, known

    def end(self, key: Key) -> Process | None:
        """Note the end of a process; return its parent, None when the process is none of these."""
        unmade = self.alive.pop(key, None)
        if unmade is None:
            return None
        unmade.parent.unmade -= 1
        self._ended[key] = unmade
        self._order.append(key)
        self._size += unmade.size
        while len(self._order) > ENDED_KEPT or self._size > SIZE_KEPT:
            self._take_ended(self._order.popleft())
        return unmade.parent

    def _take_ended(self, key: Key) -> Unmade | None:
        unmade = self._ended.pop(key, None)
        if unmade is not None:
            self._size -= unmade.size
        return unmade

    def take(self, key: Key) -> tuple[Unmade, bool] | None:
        """Return a process that is to be made, and whether it runs; None when it is none of these."""
        unmade = self.alive.pop(key, None)
        if unmade is not None:
            unmade.parent.unmade -= 1
            return unmade, True
        unmade = self._take_ended(key)
        return None if unmade is None else (unmade, False)

    def names(self) -> list[Key]:
        """Return all: those that run, and the others in the order of their ends."""
        return [*self.alive, *self._ended]

    def clear(self) -> None:
        """Forget all."""
        for unmade in self.alive.values():
            unmade.parent.unmade = 0
        self.alive.clear()
        self._ended.clear()
        self._order.clear()
        self._texts.clear()
        self._size = 0
