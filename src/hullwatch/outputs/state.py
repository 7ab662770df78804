"""How it goes with each output: what was delivered, left out and refused, and why."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hullwatch.counters import Counters

FILE = "outputs.json"
FOLDER = "outputs"  # in the state directory
MOST_REASONS = 64
_OTHER = "other reasons"
UNKNOWN = "unknown"  # in place of a priority

Working = Literal["new", "working", "failing", "off"]


class OutputStatus(msgspec.Struct, kw_only=True):
    """What ``hullwatch outputs list`` tells of an output.

    Attributes:
        state: new: nothing was delivered yet; working, failing: how the last attempt went; off: not enabled.
        depth: messages that wait.
        size: bytes of its queue on the disk.
        put: messages that were put into its queue, since the start.
        delivered: messages that the receiver has, since the start.
        refused: messages that it refused, since the start.
        dead_letters: of those what is kept, from before the start too.
        dropped: messages that were left out, by reason, since the start.
        dropped_by_priority: the same, by reason and by how severe they were.
        cut: messages that were shortened, by reason, since the start.
        failures: attempts to deliver that failed, since the start.
        last_error: the last one, as a sentence; empty without.
        failed: when that was, ns since the epoch.
        last_delivered: when something was delivered, ns since the epoch.
    """

    name: str
    type: str
    state: Working = "new"
    depth: int = 0
    size: int = 0
    put: int = 0
    delivered: int = 0
    refused: int = 0
    dead_letters: int = 0
    dropped: dict[str, int] = {}
    dropped_by_priority: dict[str, dict[str, int]] = {}
    failures: int = 0
    cut: dict[str, int] = {}
    last_error: str = ""
    failed: int = 0
    last_delivered: int = 0


class Status(msgspec.Struct, kw_only=True):
    """What the process that delivers writes down for others."""

    pid: int
    updated: int
    outputs: list[OutputStatus]


class OutputState:
    """The state of one output, which several threads tell of."""

    def __init__(self, name: str, kind: str, counters: Counters, *, enabled: bool) -> None:
        """Start with nothing."""
        self.name = name
        self._counters = counters
        self._lock = threading.Lock()
        self._status = OutputStatus(name=name, type=kind, state="new" if enabled else "off")

    def put(self, number: int) -> None:
        """Count messages that were put into the queue."""
        self._status.put += number

    def deliver(self, number: int) -> None:
        """Count messages that the receiver has."""
        with self._lock:
            self._status.delivered += number
            self._status.last_delivered = time.time_ns()
            self._status.state = "working"

    def refuse(self, sentence: str) -> None:
        """Count a message that the receiver refused."""
        with self._lock:
            self._status.refused += 1
            self._status.last_error, self._status.failed = sentence, time.time_ns()

    def fail(self, sentence: str) -> None:
        """Note that an attempt failed."""
        with self._lock:
            self._status.state = "failing"
            self._status.failures += 1
            self._status.last_error, self._status.failed = sentence, time.time_ns()

    def drop(self, reason: str, number: int, priority: str = "") -> None:
        """Count messages that are left out for good, of one priority where that is known."""
        with self._lock:
            counted = _add(self._status.dropped, reason, number)
            _add(self._status.dropped_by_priority.setdefault(counted, {}), priority or UNKNOWN, number)
            self._counters.lose_alert(f"output {self.name}: {reason}", number)

    def cut(self, reason: str, number: int) -> None:
        """Count messages that were shortened."""
        with self._lock:
            _add(self._status.cut, reason, number)

    def now(self, *, depth: int, size: int, dead_letters: int) -> OutputStatus:
        """Return a copy, with what others know."""
        with self._lock:
            by_priority = {reason: dict(table) for reason, table in self._status.dropped_by_priority.items()}
            status = msgspec.structs.replace(
                self._status,
                dropped=dict(self._status.dropped),
                dropped_by_priority=by_priority,
                cut=dict(self._status.cut),
            )
        status.depth, status.size, status.dead_letters = depth, size, dead_letters
        return status


def _add(numbers: dict[str, int], reason: str, number: int) -> str:
    """Add to a table; return what it is called there."""
    if reason not in numbers and len(numbers) >= MOST_REASONS:
        reason = _OTHER
    numbers[reason] = numbers.get(reason, 0) + number
    return reason


def write_status(directory: Path, statuses: Iterable[OutputStatus]) -> None:
    """Write the states down; a full disk is no reason to stop delivering."""
    status = Status(pid=os.getpid(), updated=time.time_ns(), outputs=list(statuses))
    target = directory / FILE
    with contextlib.suppress(OSError):
        temporary = target.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(status))
        temporary.replace(target)


def read_status(directory: Path) -> Status | None:
    """Return what was written down last; None when nothing was."""
    try:
        return msgspec.json.decode((directory / FILE).read_bytes(), type=Status)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None
