"""Which events came lately: API servers and carriers send again what they are not sure of."""

from __future__ import annotations

_MINUTE = 16  # characters of a time that name a minute: 2026-11-21T21:36


class Recent:
    """Remembers the last events by auditID and stage, in a memory that does not grow.

    Two sets of numbers, of which the older one goes when the newer one is full: at least half of ``most`` are known.
    The numbers are hashes with a key that changes with each process, so that nobody can make two of his choice equal.

    Attributes:
        late: events that came more than a minute after newer ones.
    """

    def __init__(self, most: int) -> None:
        """Know none.

        Args:
            most: events to remember.
        """
        self.late = 0
        self._half = max(1, most // 2)
        self._newer: set[int] = set()
        self._older: set[int] = set()
        self._newest = self._before = ""

    def came(self, audit_id: str, stage: str, time: str) -> bool:
        """Note an event; return whether it came before.

        Args:
            audit_id: of the event; what has none never came before.
            stage: of the event: each stage is an event of its own.
            time: of the stage, as it is written.
        """
        if not audit_id:
            return False
        key = hash((audit_id, stage))
        if key in self._newer or key in self._older:
            return True
        if len(self._newer) >= self._half:
            self._older, self._newer = self._newer, set()
        self._newer.add(key)
        self._note_time(time[:_MINUTE])
        return False

    def _note_time(self, minute: str) -> None:
        if minute > self._newest:
            self._before, self._newest = self._newest, minute
        elif minute < self._before:
            self.late += 1

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._newer) + len(self._older)
