"""Where kept events are: a folder for each hour, in it a log that is written to, and the Parquet files made of logs.

``events/date=2026-11-28/hour=10/`` has ``17.open``, a log that is being written; ``16.log``, one that is not any more;
and ``12-15.4096.parquet``, 4096 events of the logs 12 to 15 of this hour. A log that a Parquet file was made of does
not count, nor does a Parquet file whose logs another one has too: so the moment at which one is renamed into place is
the moment at which it takes their place, and nothing is ever there twice.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

NAME = "events"
OPEN, CLOSED, PACKED, DAMAGED = ".open", ".log", ".parquet", ".damaged"
HOUR = 3_600_000_000_000  # ns
FULL, ROOMY = 0.95, 0.9  # of the limit: removing begins and ends there
_HOUR = re.compile(r"date=(\d{4})-(\d\d)-(\d\d)/hour=(\d\d)")
_NAME = r"(\d{1,12})(?:-(\d{1,12}))?(?:\.(\d{1,12}))?"
_FILE = re.compile(rf"{_NAME}\.(open|log|parquet)")
_ANY = re.compile(rf"{_NAME}\.\w+")
_TRIES = 50
_FIRST, _LAST = 0, 253_402_300_799 * 1_000_000_000  # ns; 1970 to 9999, of which dates can be written


class KeptFile(NamedTuple):
    """A file of an hour: the first and the last log that it has, its ending, path, size in bytes, and how many events.

    The number of events is 0 where the name does not tell it, as of logs.
    """

    first: int
    last: int
    suffix: str
    path: Path
    size: int
    events: int


class OpenFile(NamedTuple):
    """A file that is open for reading: it stays readable when its name is another one, or gone."""

    file: KeptFile
    descriptor: int

    @property
    def path(self) -> str:
        """Return a path that leads to it as long as it is open."""
        return f"/proc/self/fd/{self.descriptor}"


def hour_of(moment: int) -> int:
    """Return the begin of the hour of a time, ns since the epoch; times that no clock has are brought into range."""
    return min(max(moment, _FIRST), _LAST) // HOUR * HOUR


def hour_folder(root: Path, hour: int) -> Path:
    """Return the folder of an hour, which begins then (ns since the epoch)."""
    date = time.gmtime(hour // 1_000_000_000)
    return root / time.strftime("date=%Y-%m-%d", date) / time.strftime("hour=%H", date)


def hours(root: Path, since: int = 0, until: int = 1 << 63) -> list[tuple[int, Path]]:
    """Return the hours of which something is there, in their order, with their folders.

    Args:
        root: the folder of kept events.
        since: only those that end after this time, ns.
        until: only those that begin before.
    """
    found: list[tuple[int, Path]] = []
    for date in _names(root):
        for name in _names(root / date):
            match = _HOUR.fullmatch(f"{date}/{name}")
            if match is None:
                continue
            try:
                begin = dt.datetime(*map(int, match.groups()), tzinfo=dt.UTC)
            except ValueError:
                continue
            hour = int(begin.timestamp()) * 1_000_000_000
            if hour + HOUR > since and hour <= until:
                found.append((hour, root / date / name))
    return sorted(found)


def files(folder: Path) -> list[KeptFile]:
    """Return the files of an hour that count, in their order; none when it is gone."""
    found: list[KeptFile] = []
    for name in _settled(folder):
        match = _FILE.fullmatch(name)
        if match is None:
            continue
        path = folder / name
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            size = -1
        found.append(KeptFile(*_range(match), f".{match[4]}", path, size, int(match[3] or 0)))
    packed = [one for one in found if one.suffix == PACKED]
    return sorted(one for one in found if not any(_replaces(other, one) for other in packed))


def replaced(folder: Path) -> list[Path]:
    """Return the files of an hour that others have taken the place of."""
    counted = {one.path.name for one in files(folder)}
    return [folder / name for name in _names(folder) if _FILE.fullmatch(name) and name not in counted]


def _range(match: re.Match[str]) -> tuple[int, int]:
    return int(match[1]), int(match[2] or match[1])


def _replaces(other: KeptFile, one: KeptFile) -> bool:
    same = other.first <= one.first and one.last <= other.last
    return same and (one.suffix != PACKED or (other.first, other.last) != (one.first, one.last))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _settled(folder: Path) -> list[str]:
    """Return the names in a folder as they were at one moment.

    While a folder is read, a file that is renamed into it may not be among what is read, and what it takes the place of
    may be gone already. When it is the same twice, it was so in between: the second look began after the first.
    """
    before = _names(folder)
    for _ in range(_TRIES):
        now = _names(folder)
        if now == before:
            break
        before = now
    return before


@contextlib.contextmanager
def opened(folder: Path) -> Generator[list[OpenFile]]:
    """Give the files of an hour that count, open for reading, as they were at one moment."""
    found: list[OpenFile] = []
    try:
        for _ in range(_TRIES):
            try:
                for one in files(folder):
                    found.append(OpenFile(one, os.open(one.path, os.O_RDONLY | os.O_CLOEXEC)))  # noqa: PERF401 - closed below, each
                break
            except FileNotFoundError:  # renamed or removed since: look again
                _close(found)
        yield found
    finally:
        _close(found)


def _close(found: list[OpenFile]) -> None:
    for one in found:
        os.close(one.descriptor)
    found.clear()


def last_number(root: Path) -> int:
    """Return the number of the last log; 0 when there was none."""
    return max((one.last for _, folder in hours(root) for one in _all(folder)), default=0)


def _all(folder: Path) -> Iterator[KeptFile]:
    for name in _names(folder):
        if match := _ANY.fullmatch(name):
            path = folder / name
            yield KeptFile(*_range(match), path.suffix, path, 0, int(match[3] or 0))


def close_all(root: Path) -> None:
    """Close the logs that a writer has left open; to be called where none writes."""
    for _, folder in hours(root):
        for name in _names(folder):
            if name.endswith(OPEN):
                path = folder / name
                path.rename(path.with_suffix(CLOSED))


def size(root: Path) -> int:
    """Return the bytes that everything takes, also what does not count any more."""
    return sum(_size(folder / name) for _, folder in hours(root) for name in _names(folder))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Removed(NamedTuple):
    """What was removed: bytes, and events by reason."""

    size: int
    counts: dict[str, int]


def remove_old(root: Path, before: int, largest: int, used: int, count: Callable[[Path], int]) -> Removed:
    """Remove the hours that end before a time, and the oldest files while more is used than may be.

    Args:
        root: the folder of kept events.
        before: ns since the epoch.
        largest: bytes that may be used.
        used: bytes that are.
        count: returns how many events a log has.
    """
    removing = _Removing(count)
    for hour, folder in hours(root):
        if hour + HOUR <= before:
            removing.remove(folder, "age", lambda: False)
    if used - removing.size > FULL * largest:
        for _, folder in hours(root):
            removing.remove(folder, "size", lambda: used - removing.size <= ROOMY * largest)
    return Removed(removing.size, removing.counts)


class _Removing:
    """Removes files, and counts what was in them."""

    def __init__(self, count: Callable[[Path], int]) -> None:
        self.size = 0
        self.counts: dict[str, int] = {}
        self._count = count

    def remove(self, folder: Path, reason: str, enough: Callable[[], bool]) -> None:
        """Remove the files of an hour, the oldest first, until it is enough; none that is being written."""
        counted = {one.path for one in files(folder)}
        for one in sorted(_all(folder), key=lambda file: file.last):
            if enough():
                return
            if one.suffix == OPEN:
                continue
            was = _size(one.path)
            events = one.events or (self._count(one.path) if one.suffix == CLOSED else 0)
            try:
                one.path.unlink()
            except OSError:
                continue
            self.size += was
            if one.path in counted:
                self.counts[reason] = self.counts.get(reason, 0) + events
        with contextlib.suppress(OSError):  # there is something in it
            folder.rmdir()
            folder.parent.rmdir()


def has_complete(root: Path) -> bool:
    """Tell whether there is a log that nobody writes to any more."""
    return any(name.endswith(CLOSED) for _, folder in hours(root) for name in _names(folder))
