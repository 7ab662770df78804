"""Opening log files that the settings name, and those that they were renamed to; done with power where it is needed.

Who asks names a file by numbers only: which one of the settings, and the how-manieth of its rotated ones.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROTATED = 64
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def number_of(file: int, rotated: int) -> int:
    """Return the number that a request for a file carries.

    Args:
        file: its place in the settings, from 0.
        rotated: 0 for the file itself, 1 for the newest that it was renamed to, and so on.
    """
    return file * (MOST_ROTATED + 1) + rotated


def open_log(files: Sequence[str], number: int) -> int:
    """Return a descriptor of a file, by the number of ``number_of``.

    Raises:
        CannotError: with the reason; its text is empty when there is no such file (yet).
    """
    file, rotated = divmod(number, MOST_ROTATED + 1)
    if not 0 <= file < len(files):
        raise CannotError(f"There is no log file number {file}.")
    path = Path(files[file])
    if rotated:
        found = rotated_files(path)
        if rotated > len(found):
            raise CannotError("")
        path = found[rotated - 1]
    try:
        # The file itself may be a link that the administrator made; what is found beside it may not.
        descriptor = os.open(path, _FLAGS | (os.O_NOFOLLOW if rotated else 0))
    except FileNotFoundError:
        raise CannotError("") from None
    except OSError as error:
        raise CannotError(f"The log file {path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CannotError(f"{path} is not a file that a log is written to.")
    return descriptor


def rotated_files(path: Path) -> list[Path]:
    """Return what a log file was renamed or copied to, the newest first.

    That is ``audit-2026-11-28T12-00-00.000.log`` beside ``audit.log``, as API servers rename it, and ``audit.log.1`` or
    ``audit.log-20261128.gz``, as logrotate does.
    """
    found: list[tuple[int, str]] = []
    try:
        with os.scandir(path.parent) as entries:
            for entry in entries:
                rest = entry.name.removeprefix(path.name)
                if entry.name == path.name or not entry.is_file(follow_symlinks=False):
                    continue
                stamped = entry.name.startswith(f"{path.stem}-") and path.suffix in entry.name[len(path.stem) :]
                if stamped or (rest != entry.name and rest[:1] in {".", "-"}):
                    found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
    except OSError:
        return []
    return [Path(name) for _, name in sorted(found, reverse=True)[:MOST_ROTATED]]
