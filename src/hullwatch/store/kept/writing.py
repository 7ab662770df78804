"""The process that writes kept events: what the engine tells, into the log of its hour; and what is too old goes."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hullwatch.store.frames import MAXIMUM_MESSAGE
from hullwatch.store.kept import folder, log
from hullwatch.store.kept.columns import OF_PROCESS
from hullwatch.store.kept.frames import ENCODER, FRAMES, VALUES, EventFrame, WriterTold

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hullwatch.alerts.mask import Masker
    from hullwatch.config.events_settings import EventsSettings

BATCH = 4 << 20  # bytes that are written at once
AT_ONCE = 500  # events of a frame of the log
GATHER = 0.05  # seconds that more may come in, before what came is written
LARGEST_LOG = 32 << 20  # bytes, after which another is begun ...
LONGEST_LOG = 300.0  # ... or seconds, so that it becomes a part of a Parquet file
MOST_OPEN = 3  # logs: events may come late, of the hour before
TICK = 1.0
SYNC_INTERVAL = 5.0  # seconds that a power cut may take, about
RETENTION_INTERVAL = 30.0  # seconds between looks at what is too old
RETRY = 1.0  # seconds until something that failed is tried again
_PROCESSES_KEPT = 4096
_NAME = OF_PROCESS.index("proc.name")


class _Event(NamedTuple):
    """An event: the values of its process, when it was, the rule of its alert, its own values, and which end had it."""

    process: bytes
    time: int
    rule: str
    values: bytes
    end: int


class _Log:
    """A log that is being written."""

    def __init__(self, root: Path, hour: int, number: int) -> None:
        """Begin the file.

        Raises:
            OSError: when it cannot be made.
        """
        place = folder.hour_folder(root, hour)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = place / f"{number}{folder.OPEN}"
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.since = time.monotonic()
        self.size = self._synced = 0
        self.processes: dict[bytes, int] = {}
        try:
            self.append(log.head())
        except OSError:
            os.close(self._descriptor)
            self.path.unlink()
            raise

    def append(self, data: bytes) -> None:
        """Write all of it or nothing.

        Raises:
            OSError: when the disk does not take it.
        """
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Have what it has on the disk, also after a power cut."""
        if self.size == self._synced:
            return
        with contextlib.suppress(OSError):  # a disk that fails says so when it is written to, too
            if not self._synced:
                _sync_folder(self.path.parent)
            os.fdatasync(self._descriptor)
            self._synced = self.size

    def close(self) -> None:
        """End it."""
        self.sync()
        os.close(self._descriptor)
        with contextlib.suppress(OSError):
            self.path.rename(self.path.with_suffix(folder.CLOSED))


class EventWriter:
    """Serves those who have events, and the next ones if they crash.

    Args:
        ends: of the socket pairs, one for each who has events.
        settings: what is kept for how long.
        root: the folder of kept events.
        masker: hides secrets.
    """

    def __init__(self, ends: Sequence[socket.socket], settings: EventsSettings, root: Path, masker: Masker) -> None:
        """Close what a writer of before has left open; write nothing yet."""
        self._ends = dict(enumerate(ends))
        self._open = dict(self._ends)  # from which something may come still
        for end in ends:
            end.settimeout(0)
        self._settings, self._largest_log = settings, _largest_log(settings)
        self._root = root
        self._masker = masker
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.close_all(root)
        self._number = folder.last_number(root)
        self._logs: dict[int, _Log] = {}  # by hour
        self._processes: dict[bytes, tuple[bytes, str]] = {}  # as they came: as they are written, and their names
        self._waiting: dict[int, list[_Event]] = {}  # by hour
        self._written = dict.fromkeys(self._ends, 0)
        self._counts: dict[str, int] = {}
        self._problem = ""
        self._said = dict.fromkeys(self._ends, "")
        self._used = folder.size(root)
        self._next_retention = self._next_sync = 0.0

    def serve(self) -> None:
        """Take events until the other end is closed, and all of them are written."""
        while True:
            if not self._waiting:
                self._wait()
                self._read()
            done = self._write()
            self._tell()  # a disk that takes its time to sync keeps nobody from knowing
            self._do_what_is_due(time.monotonic())
            self._tell()
            if not self._open:
                break
            if not done:
                time.sleep(RETRY)
        for one in self._logs.values():
            one.close()

    def _wait(self) -> None:
        waited = select.poll()
        for end in self._open.values():
            waited.register(end, select.POLLIN)
        if waited.poll(TICK * 1000):
            time.sleep(GATHER)

    def _read(self) -> None:
        for number, end in list(self._open.items()):
            self._read_of(number, end)

    def _read_of(self, number: int, end: socket.socket) -> None:
        size = 0
        while size < BATCH:
            try:
                data = end.recv(MAXIMUM_MESSAGE)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                del self._open[number]
                return
            size += len(data)
            try:
                self._take(FRAMES.decode(data), number)
            except (msgspec.MsgspecError, IndexError):
                self._count("a frame of the engine that could not be read", 1)

    def _take(self, frame: EventFrame, end: int) -> None:
        """Hide secrets, and sort the events of a frame by their hours; take other limits."""
        if frame.limits is not None:
            self._settings, self._largest_log = frame.limits, _largest_log(frame.limits)
            self._next_retention = 0.0
        processes = [self._masked_process(data) for data in frame.processes]
        for event in frame.events:
            process, program = processes[event.process]
            values = self._mask(bytes(event.values), program)
            hour = folder.hour_of(event.time)
            self._waiting.setdefault(hour, []).append(_Event(process, event.time, event.rule, values, end))

    def _masked_process(self, data: bytes) -> tuple[bytes, str]:
        known = self._processes.get(data)
        if known is None:
            name = VALUES.decode(data)[_NAME]
            program = name if isinstance(name, str) else ""
            if len(self._processes) >= _PROCESSES_KEPT:
                self._processes.clear()
            known = self._processes[data] = self._mask(data, program), program
        return known

    def _mask(self, data: bytes, program: str) -> bytes:
        """Return values with their secrets hidden."""
        values: list[Any] = VALUES.decode(data)
        texts = {str(place): value for place, value in enumerate(values) if value.__class__ is str}
        for place, value in enumerate(values):
            if value.__class__ is list:
                texts |= {f"{place} {number}": one for number, one in enumerate(value) if one.__class__ is str}
        _, masked = self._masker.alert("", texts, program)
        return data if masked is texts else ENCODER.encode(list(_with(values, masked)))

    def _write(self) -> bool:
        """Write what was read, each hour's events into its log; return whether that worked."""
        try:
            while self._waiting:
                hour, events = next(iter(self._waiting.items()))
                part = events[:AT_ONCE]
                self._make_room()
                self._append(self._log_of(hour), part)
                for one in part:
                    self._written[one.end] += 1
                del events[:AT_ONCE]
                if not events:
                    del self._waiting[hour]
        except OSError as error:
            self._problem = f"Events cannot be kept in {self._root}: {error.strerror or error}."
            return False
        self._problem = ""
        return True

    def _log_of(self, hour: int) -> _Log:
        """Return the log of an hour, another one when it has become too large."""
        found = self._logs.get(hour)
        if found is not None and found.size >= self._largest_log:
            self._logs.pop(hour).close()
            found = None
        if found is None:
            if len(self._logs) >= MOST_OPEN:
                self._logs.pop(min(self._logs, key=lambda one: self._logs[one].since)).close()
            self._number += 1
            found = self._logs[hour] = _Log(self._root, hour, self._number)
        return found

    def _append(self, to: _Log, events: list[_Event]) -> None:
        numbers, fresh = to.processes, dict[bytes, int]()
        rows: list[tuple[int, int, str, msgspec.Raw]] = []
        for process, moment, rule, values, _ in events:
            number = numbers.get(process)
            if number is None:
                number = fresh.setdefault(process, len(numbers) + len(fresh))
            rows.append((number, moment, rule, msgspec.Raw(values)))
        data = log.frame([msgspec.Raw(one) for one in fresh], rows)
        to.append(data)
        numbers.update(fresh)
        self._used += len(data)

    def _do_what_is_due(self, now: float) -> None:
        for hour, one in list(self._logs.items()):
            if now - one.since >= LONGEST_LOG:
                self._logs.pop(hour).close()
        if now >= self._next_sync:
            for one in self._logs.values():
                one.sync()
            self._next_sync = time.monotonic() + SYNC_INTERVAL
        if now >= self._next_retention:
            self._next_retention = now + RETENTION_INTERVAL
            self._remove_old()

    def _make_room(self) -> None:
        """Remove the oldest, when what is there and what comes now may be too much."""
        if self._used > folder.FULL * self._settings.largest:
            self._remove_old()

    def _remove_old(self) -> None:
        used = folder.size(self._root)  # what was packed since takes less
        before = time.time_ns() - int(self._settings.age * 1e9)
        removed = folder.remove_old(self._root, before, self._settings.largest, used, log.count)
        self._used = used - removed.size
        for reason, number in removed.counts.items():
            self._count(f"removed for their {reason}", number)

    def _count(self, reason: str, number: int) -> None:
        if number:
            self._counts[reason] = self._counts.get(reason, 0) + number

    def _tell(self) -> None:
        """Tell each what was done of what it had; what one does not read now it is told later.

        What was removed the first one is told that there is.
        """
        for number, end in self._ends.items():
            written = self._written[number]
            if not written and not self._counts and self._problem == self._said[number]:
                continue
            with contextlib.suppress(OSError):
                end.send(ENCODER.encode(WriterTold(written, self._problem, self._counts)))
                self._written[number], self._counts, self._said[number] = 0, {}, self._problem


def _with(values: Sequence[Any], masked: Mapping[str, Any]) -> Iterator[Any]:
    """Yield values with some of them in their place: by their number, and those of lists by both."""
    for place, value in enumerate(values):
        if value.__class__ is list:
            yield [masked.get(f"{place} {number}", one) for number, one in enumerate(value)]
        else:
            yield masked.get(str(place), value)


def _sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _largest_log(settings: EventsSettings) -> int:
    """Return how many bytes a log may have: a small part of what all may have, which goes by whole files."""
    return min(LARGEST_LOG, settings.largest // 16)
