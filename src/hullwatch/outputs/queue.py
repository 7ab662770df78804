"""What an output was not told yet, on the disk: it outlives a crash, and it is bounded.

Each priority has its own log (``queue_log.py``), so that the least severe can be left out when the queue is full. What
is taken out comes in the order in which it was put in, whatever its priority. How far it was settled is written down
after each batch: a crash repeats at most the batch that was under way.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections import deque
from typing import TYPE_CHECKING, Protocol

import msgspec

from hullwatch.config.values import PRIORITIES
from hullwatch.outputs.queue_log import OVERHEAD, Entry, Place, QueueLog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FULL = "its queue is full"
TOO_LARGE = "too large for its queue"
DAMAGED = "its queue was damaged on the disk"
_SLOT = 512  # bytes of positions; two slots in turn, so that one is always whole
_FILES = 64  # of which a full queue has about as many
_USABLE = 7 / 8  # of its bytes: the rest is for the ends of files that are read already


class Count(Protocol):
    """Counts entries that were left out."""

    def __call__(self, reason: str, number: int, priority: str = "", /) -> None:
        """Add a number for a reason, of a priority where it is known."""
        ...


class Taken(msgspec.Struct, frozen=True):
    """An entry that is under way: its payload, and when it was put in, ns since the epoch."""

    payload: bytes
    at: int


class _UnderWay(msgspec.Struct, frozen=True):
    priority: int
    entry: Entry


class Queue:
    """A queue of one output. Any thread may put in and sync, one takes out and settles."""

    def __init__(self, directory: Path, limit: int, count: Count) -> None:
        """Open what is there.

        Args:
            directory: private, exists, for this queue alone.
            limit: bytes on the disk.
            count: counts entries that were left out, by the reason.

        Raises:
            OSError: when it cannot be read.
        """
        self._directory = directory
        self._limit = int(limit * _USABLE)
        self._count = count
        self._lock = threading.Condition()
        self._logs = [QueueLog(directory, priority, limit // _FILES) for priority in range(len(PRIORITIES))]
        self._under_way: deque[_UnderWay] = deque()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._positions = os.open(directory / "positions", flags, 0o600)
        self._generation, done = self._read_positions()
        self._last_written = done
        for log in self._logs:
            log.recover(done[log.priority])
        self._number = max(log.last_number for log in self._logs)
        self._closed = False
        self._woken = False
        if any(log.damaged for log in self._logs):
            self._count_damage()

    @property
    def depth(self) -> int:
        """How many entries were not settled yet."""
        with self._lock:
            return sum(log.pending for log in self._logs) + len(self._under_way)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        with self._lock:
            return sum(log.on_disk for log in self._logs)

    def put(self, entries: Sequence[tuple[int, bytes]]) -> None:
        """Put entries in, given as the priority's place and the payload; all are in files when it returns.

        What finds no room is left out and counted: the least severe first, and of those the oldest.
        """
        with self._lock:
            needed = sum(OVERHEAD + len(payload) for _, payload in entries)
            if sum(log.size for log in self._logs) + needed <= self._limit:
                self._append(entries)
            else:
                for entry in entries:
                    self._put_one(entry)
            self._lock.notify()

    def _put_one(self, entry: tuple[int, bytes]) -> None:
        priority, payload = entry
        needed = OVERHEAD + len(payload)
        if needed > self._limit // 8:
            self._count(TOO_LARGE, 1, PRIORITIES[priority])
            return
        dropped = False
        while sum(log.size for log in self._logs) + needed > self._limit:
            least = next((log for log in reversed(self._logs) if log.first() is not None), None)
            if least is None or least.priority < priority:
                self._count(FULL, 1, PRIORITIES[priority])
                return
            least.take()
            self._count(FULL, 1, PRIORITIES[least.priority])
            dropped = True
        if dropped:
            self._forget()
        self._append((entry,))

    def _append(self, entries: Sequence[tuple[int, bytes]]) -> None:
        by_priority: dict[int, list[tuple[int, int, bytes]]] = {}
        now = time.time_ns()
        for priority, payload in entries:
            self._number += 1
            by_priority.setdefault(priority, []).append((self._number, now, payload))
        for priority, numbered in by_priority.items():
            try:
                self._logs[priority].append(numbered)
            except OSError as error:
                self._count(
                    f"its queue cannot be written: {os.strerror(error.errno or 0)}", len(numbered), PRIORITIES[priority]
                )

    def take(self, most: int, most_bytes: int, patience: float) -> list[Taken]:
        """Return the next entries in the order in which they were put in; they are under way until ``settle``.

        Args:
            most: entries.
            most_bytes: of payloads together; the first is returned however large it is.
            patience: seconds to wait for the first one.

        Returns:
            Nothing when there is none in time, or the queue was closed or woken.
        """
        with self._lock:
            if not any(log.pending for log in self._logs) and not self._closed and not self._woken:
                self._lock.wait(patience)
            if self._closed:
                return []
            taken: list[Taken] = []
            size = 0
            while len(taken) < most:
                heads = [(entry.number, log) for log in self._logs if log.pending and (entry := log.first())]
                if not heads:
                    break
                _, log = min(heads, key=lambda head: head[0])
                first = log.first()
                if first is None or (taken and size + len(first.payload) > most_bytes):
                    break
                entry = log.take()
                size += len(entry.payload)
                taken.append(Taken(entry.payload, entry.at))
                self._under_way.append(_UnderWay(log.priority, entry))
            if any(log.damaged for log in self._logs):
                self._count_damage()
            return taken

    def settle(self, number: int) -> None:
        """The first entries that are under way are done: delivered, or kept elsewhere."""
        with self._lock:
            if self._closed:
                return
            for _ in range(number):
                self._under_way.popleft()
            self._write_positions()
            self._forget()

    def wake(self) -> None:
        """End the waiting of ``take``, now and from now on."""
        with self._lock:
            self._woken = True
            self._lock.notify_all()

    def sync(self) -> None:
        """Have the disk write what was put in, so that it outlives a loss of power."""
        with self._lock:
            descriptors = [descriptor for log in self._logs for descriptor in log.sync()]
            descriptors += [os.dup(self._positions)] if descriptors else []
        for descriptor in descriptors:  # without the lock: it may take long
            with contextlib.suppress(OSError):
                os.fdatasync(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Close the files; what is under way is there again the next time."""
        if self._closed:
            return
        self.sync()
        with self._lock:
            self._closed = True
            for log in self._logs:
                log.close()
            os.close(self._positions)
            self._positions = -1  # nothing is written to a number that another file may have
            self._lock.notify_all()

    def _forget(self) -> None:
        """Remove the files that nobody needs."""
        kept: dict[int, set[int]] = {}
        for one in self._under_way:
            kept.setdefault(one.priority, set()).add(one.entry.end.file)
        for log in self._logs:
            log.forget(frozenset(kept.get(log.priority, ())))

    def _write_positions(self) -> None:
        places = [log.place() for log in self._logs]
        for one in reversed(self._under_way):  # the first of each priority is what counts
            end = one.entry.end
            places[one.priority] = Place(end.file, end.offset - OVERHEAD - len(one.entry.payload))
        if places == self._last_written:
            return
        self._generation += 1
        self._last_written = places
        body = msgspec.json.encode([self._generation, places])
        line = body + b" %08x" % zlib.crc32(body)
        with contextlib.suppress(OSError):  # then more is repeated after a crash
            os.pwrite(self._positions, line.ljust(_SLOT), (self._generation % 2) * _SLOT)

    def _read_positions(self) -> tuple[int, list[Place]]:
        newest = (0, [Place(0, 0)] * len(PRIORITIES))
        for slot in range(2):
            body, _, check = os.pread(self._positions, _SLOT, slot * _SLOT).strip().rpartition(b" ")
            with contextlib.suppress(ValueError, msgspec.DecodeError, msgspec.ValidationError):
                if int(check, 16) != zlib.crc32(body):
                    continue
                generation, places = msgspec.json.decode(body, type=tuple[int, list[Place]])
                if generation > newest[0] and len(places) == len(PRIORITIES):
                    newest = (generation, places)
        return newest

    def _count_damage(self) -> None:
        for log in self._logs:
            if log.damaged:
                log.damaged = 0
                self._count(DAMAGED, 1)
