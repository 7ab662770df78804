"""The directory of the flight recorder's captures: what they are called, and that there are not more than was set.

The supervisor makes the files, for the engine may write nowhere. It keeps the directory open: the one that is above it
may belong to the engine's user.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import stat
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.config.settings import FlightRecorderSettings

FOLDER = "captures"  # in the directory of what lasts
HOST = 0  # in the place of a container
_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z-(?P<container>[0-9a-f]{12}|host)(?:-\d+)?\.hwcap", re.ASCII)
_BEING_WRITTEN = 60.0  # seconds; a file that was changed since then may not be whole yet
_MOST_NAMES = 100  # that are tried within a millisecond


class Kept(NamedTuple):
    """A capture that is there."""

    name: str
    container: str
    size: int
    changed: float  # seconds since the epoch


def kept(directory: int) -> list[Kept]:
    """Return the captures in a directory, the oldest first; what else is there is not looked at.

    Args:
        directory: a descriptor.
    """
    found: list[Kept] = []
    for name in os.listdir(directory):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append(Kept(name, match["container"], status.st_size, status.st_mtime))
    return sorted(found, key=lambda one: (one.changed, one.name))


def open_directory(settings: FlightRecorderSettings, state: Path, *, make: bool = False) -> tuple[Path, int]:
    """Return the directory and a descriptor of it.

    Args:
        settings: of the flight recorder.
        state: the directory of what lasts.
        make: the default directory, when it is not there.

    Raises:
        CannotError: when it is not there, or may be written to by others.
    """
    path = Path(settings.directory) if settings.directory else state / FOLDER
    setting = "the setting flight_recorder.directory"
    try:
        if make and not settings.directory:
            path.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise CannotError(f"There is no directory {path} for captures: make it, or change {setting}.") from None
    except OSError as error:
        raise CannotError(f"The directory {path} for captures cannot be used: {error.strerror}.") from error
    why = _unfit(descriptor)
    if why:
        os.close(descriptor)
        raise CannotError(f"The directory {path} for captures cannot be used: {why}. Mend it, or change {setting}.")
    return path, descriptor


def _unfit(directory: int) -> str:
    status = os.fstat(directory)
    if status.st_uid != os.geteuid():
        return f"it belongs to user {status.st_uid}, not to {os.geteuid()}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others than its owner may write to it"
    if not os.access(f"/proc/self/fd/{directory}", os.W_OK):
        return "it cannot be written to"
    return ""


class FlightFiles:
    """Makes the files of captures."""

    def __init__(self, settings: FlightRecorderSettings, state: Path) -> None:
        """Open the directory.

        Args:
            settings: of the flight recorder.
            state: the directory of what lasts.

        Raises:
            CannotError: when it cannot be used.
        """
        self._settings = settings
        self._path, self._directory = Path(), -1
        if settings.enabled:
            self._path, self._directory = open_directory(settings, state, make=True)

    def open(self, container: int) -> tuple[BinaryIO, str, int]:
        """Make a file; return it, its path, and how many older ones were removed for it.

        Args:
            container: the first 12 digits of its id as a number; ``HOST`` for the host.

        Raises:
            CannotError: when there is no room, or it cannot be made.
        """
        if self._directory < 0:
            raise CannotError("The flight recorder is off.")
        try:
            removed = self._make_room()
            name, descriptor = self._make("host" if container == HOST else f"{container & 0xFFFFFFFFFFFF:012x}")
        except OSError as error:
            raise CannotError(f"No capture can be made in {self._path}: {error.strerror}.") from error
        return os.fdopen(descriptor, "wb", buffering=0), str(self._path / name), removed

    def _make(self, container: str) -> tuple[str, int]:
        now = dt.datetime.now(dt.UTC)
        first = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{container}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        for number in range(1, _MOST_NAMES):
            name = f"{first}{f'-{number}' if number > 1 else ''}.hwcap"
            try:
                return name, os.open(name, flags, 0o600, dir_fd=self._directory)
            except FileExistsError:
                continue
        raise CannotError(f"{self._path} has too many captures of this millisecond.")

    def _make_room(self) -> int:
        """Remove captures until another one has room; return how many went."""
        settings, now, removed = self._settings, time.time(), 0
        there = kept(self._directory)
        while len(there) >= settings.files or _taken(there, settings.file_size, now) > settings.size:
            counts = Counter(one.container for one in there)
            finished = [one for one in there if now - one.changed > _BEING_WRITTEN]
            if not finished:
                raise CannotError(
                    f"{self._path} has {len(there)} captures, all of the last minute: more are not kept "
                    "(flight_recorder.files and flight_recorder.size)."
                )
            oldest = max(finished, key=lambda one: counts[one.container])  # the first of those that have as many
            os.unlink(oldest.name, dir_fd=self._directory)
            there.remove(oldest)
            removed += 1
        space = os.fstatvfs(self._directory)
        free = space.f_bavail * space.f_frsize
        if free < settings.file_size:
            raise CannotError(
                f"{free:,} bytes are free where {self._path} is, and a capture may take {settings.file_size:,} "
                "(flight_recorder.file_size)."
            )
        return removed


def _taken(there: Iterable[Kept], most: int, now: float) -> int:
    """Return the bytes that captures take, with what those that are being written may take, and the next one."""
    return most + sum(max(one.size, most) if now - one.changed <= _BEING_WRITTEN else one.size for one in there)
