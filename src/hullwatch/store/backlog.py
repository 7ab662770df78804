"""What waits for the keeper in the engine's memory: bounded, and when it is full, the least severe goes first."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import NamedTuple

from hullwatch.store.frames import ALERTS, FRAME, Sent
from hullwatch.store.placing import LEAST

LARGEST = 64 << 20  # bytes
WINDOW = 4 << 20  # bytes that the keeper was sent and has not stored yet
_OVERHEAD = 250  # bytes of an entry beside the alert's own


class Entry(NamedTuple):
    """An alert that waits."""

    sent: Sent
    priority: int

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return len(self.sent.body) + _OVERHEAD


class Backlog:
    """Alerts that were not stored yet: those that wait, and those that were sent.

    Attributes:
        size: bytes of all.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        """Start empty."""
        self.size = 0
        self._largest = largest
        self._waiting: OrderedDict[int, Entry] = OrderedDict()  # by number, the first one first
        self._by_priority: list[deque[int]] = [deque() for _ in range(LEAST + 1)]
        self._sent: deque[tuple[int, list[Entry]]] = deque()  # frames
        self._sent_size = 0

    def __len__(self) -> int:
        """Return how many alerts were not stored yet."""
        return len(self._waiting) + sum(len(entries) for _, entries in self._sent)

    @property
    def oldest(self) -> int | None:
        """The number of the first alert that was not stored yet; None when all are."""
        if self._sent:
            return self._sent[0][1][0].sent.number
        return next(iter(self._waiting), None)

    @property
    def has_waiting(self) -> bool:
        """Whether something was not sent yet, and may be."""
        return bool(self._waiting) and self._sent_size < WINDOW

    def add(self, entry: Entry) -> int:
        """Take an alert; return how many had to go for want of room, of which it may be one."""
        self._waiting[entry.sent.number] = entry
        self._by_priority[entry.priority].append(entry.sent.number)
        self.size += entry.size
        dropped = 0
        while self.size > self._largest and self._waiting:
            least = next(one for one in reversed(self._by_priority) if one)
            self.size -= self._waiting.pop(least.popleft()).size
            dropped += 1
        return dropped

    def next_frame(self, number: int) -> list[Sent]:
        """Return the alerts of the next frame, which are sent from now on; nothing when none may be sent."""
        entries: list[Entry] = []
        size = 0
        while self.has_waiting and len(entries) < ALERTS:
            key, entry = self._waiting.popitem(last=False)
            if entries and size + entry.size > FRAME:
                self._waiting[key] = entry
                self._waiting.move_to_end(key, last=False)
                break
            self._by_priority[entry.priority].popleft()  # the first of all is the first of its priority
            entries.append(entry)
            size += entry.size
        if entries:
            self._sent.append((number, entries))
            self._sent_size += size
        return [entry.sent for entry in entries]

    def stored(self, number: int) -> int:
        """Forget the frames up to a number, for the store has them; return how many alerts those are."""
        alerts = 0
        while self._sent and self._sent[0][0] <= number:
            _, entries = self._sent.popleft()
            alerts += len(entries)
            size = sum(entry.size for entry in entries)
            self._sent_size -= size
            self.size -= size
        return alerts

    def take_back(self, *, last: bool = False) -> None:
        """Let what was sent wait again, all of it or the last frame: it has to be sent anew."""
        while self._sent:
            _, entries = self._sent.pop()
            for entry in reversed(entries):
                self._waiting[entry.sent.number] = entry
                self._waiting.move_to_end(entry.sent.number, last=False)
                self._by_priority[entry.priority].appendleft(entry.sent.number)
                self._sent_size -= entry.size
            if last:
                return
