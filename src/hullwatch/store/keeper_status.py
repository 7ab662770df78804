"""How it goes with the keeper: what it writes down for metrics and for ``hullwatch doctor``, every other second."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import msgspec

from hullwatch.counters import LATENCY_BOUNDS, Latency
from hullwatch.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hullwatch.store.keeping import Keeping

FILE = "keeper.json"  # in the state directory
INTERVAL = 2.0  # seconds between writes
LOOK_INTERVAL = 10.0  # seconds between looks at how large the store is
MOST_REASONS = 64
_OTHER = "other reasons"
_REMOVED = "removed: "  # before the reason for which alerts were removed


class BatchSeconds(msgspec.Struct, kw_only=True):
    """How long batches took: how many by bucket, the last without end, and all together."""

    bounds: tuple[float, ...] = LATENCY_BOUNDS
    counts: list[int] = []
    sum: float = 0.0


class KeeperStatus(msgspec.Struct, kw_only=True):
    """What others are told of the keeper; counts are since its start, times in ns since the epoch.

    Attributes:
        kept: alerts that were stored.
        batches: transactions that they came in.
        batch_seconds: how long those took, with what the outputs' queues took.
        removed: alerts that were removed, by reason.
        counts: what else was counted, by reason.
        written: when alerts were stored last; 0 for never.
        problem: why nothing can be stored; empty when it can.
        incidents_open: incidents that are not closed.
        size: bytes of the store on the disk.
        limit: bytes that it may have.
    """

    pid: int
    started: int
    updated: int = 0
    kept: int = 0
    batches: int = 0
    batch_seconds: BatchSeconds = msgspec.field(default_factory=BatchSeconds)
    removed: dict[str, int] = {}
    counts: dict[str, int] = {}
    written: int = 0
    problem: str = ""
    incidents_open: int = 0
    size: int = 0
    limit: int = 0


class KeeperState:
    """Counts what a keeper does, and writes it down."""

    def __init__(self, state: Path, limit: int) -> None:
        """Start with nothing.

        Args:
            state: the state directory.
            limit: bytes that the store may have.
        """
        self._path = state / FILE
        self._took = Latency()
        self._next = self._next_look = 0.0
        self._status = KeeperStatus(pid=os.getpid(), started=time.time_ns(), limit=limit)

    def took(self, alerts: int, seconds: float) -> None:
        """Count a batch."""
        self._status.kept += alerts
        self._status.batches += 1
        self._status.written = time.time_ns()
        self._took.observe(seconds)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add what was counted since the last time, by reason."""
        for reason, number in counts.items():
            table = self._status.removed if reason.startswith(_REMOVED) else self._status.counts
            name = reason.removeprefix(_REMOVED)
            if name not in table and len(table) >= MOST_REASONS:
                name = _OTHER
            table[name] = table.get(name, 0) + number

    def tick(self, keeping: Keeping | None, problem: str) -> None:
        """Write it down when that is due; a full disk is no reason to stop keeping.

        Args:
            keeping: to look at; None as long as there is none.
            problem: why nothing can be stored.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + INTERVAL
        status = self._status
        if keeping is not None and now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            with contextlib.suppress(StoreError):
                status.incidents_open, status.size = keeping.open_number(), keeping.size()
        status.problem, status.updated = problem, time.time_ns()
        status.batch_seconds = BatchSeconds(counts=self._took.counts, sum=self._took.sum)
        with contextlib.suppress(OSError):
            temporary = self._path.with_suffix(".new")
            temporary.write_bytes(msgspec.json.encode(status))
            temporary.replace(self._path)


def read_keeper_status(state: Path) -> KeeperStatus | None:
    """Return what a keeper has written last; None when none has, or it cannot be told.

    Raises:
        PermissionError: when it may not be read.
    """
    try:
        return msgspec.json.decode((state / FILE).read_bytes(), type=KeeperStatus)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
