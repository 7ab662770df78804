"""The containers that wait to be inspected: each once, the urgent ones first, and not too many."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict

import msgspec

MAXIMUM_URGENT = 4096  # containers that an event or a request named
MAXIMUM_LISTED = 50_000  # containers that the engine listed

_ID = re.compile(r"[0-9a-f]{64}")


class Job(msgspec.Struct):
    """A container to inspect; ``attempts`` were made already, ``requested`` means that somebody waits."""

    full_id: str
    requested: bool = False
    attempts: int = 0


class InspectionQueue:
    """Two lanes for threads that inspect containers; a container is never with two threads at once.

    ``dropped`` counts what was refused: no id of 64 digits, or a full lane.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.dropped = 0
        self._urgent: OrderedDict[str, Job] = OrderedDict()
        self._listed: OrderedDict[str, Job] = OrderedDict()
        self._busy: dict[str, Job] = {}
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """Return how many wait."""
        with self._changed:
            return len(self._urgent) + len(self._listed)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being inspected."""
        with self._changed:
            return not (self._urgent or self._listed or self._busy)

    def put(self, full_id: str, *, requested: bool = False, listed: bool = False, attempts: int = 0) -> None:
        """Add a container; one that waits already keeps its place, or moves up to the urgent ones.

        A request for a container that is being inspected joins that inspection; news of it (neither
        requested nor listed) has it inspected once more.
        """
        with self._changed:
            if requested and full_id in self._busy:
                self._busy[full_id].requested = True
                return
            if full_id in self._urgent:
                self._urgent[full_id].requested |= requested
                return
            if listed and full_id in self._listed:
                return
            lane, most = (self._listed, MAXIMUM_LISTED) if listed else (self._urgent, MAXIMUM_URGENT)
            if self._closed or len(lane) >= most or not _ID.fullmatch(full_id):
                self.dropped += not self._closed
                return
            self._listed.pop(full_id, None)
            lane[full_id] = Job(full_id, requested, attempts)
            self._changed.notify_all()

    def take(self, *, listed: bool) -> Job | None:
        """Wait for a job and return it, None after ``close``; ``done`` has to follow.

        Args:
            listed: whether to take listed ones too when nothing is urgent.
        """
        with self._changed:
            while not self._closed:
                for lane in (self._urgent, self._listed)[: 1 + listed]:
                    full_id = next((key for key in lane if key not in self._busy), None)
                    if full_id is not None:
                        self._busy[full_id] = lane.pop(full_id)
                        return self._busy[full_id]
                self._changed.wait()
        return None

    def done(self, job: Job) -> bool:
        """Say that a job's inspection ended; returns whether somebody waits for its answer."""
        with self._changed:
            del self._busy[job.full_id]
            self._changed.notify_all()
            return job.requested

    def cancel(self, full_id: str) -> None:
        """Forget a container that is gone, unless somebody waits for an answer."""
        with self._changed:
            self._listed.pop(full_id, None)
            if full_id in self._urgent and not self._urgent[full_id].requested:
                del self._urgent[full_id]

    def close(self) -> None:
        """End the waiting of every thread; nothing is taken or added afterwards."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
