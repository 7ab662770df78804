"""Finding and reading the rules files that a user names: files, and directories of them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIXES = (".yaml", ".yml")
LARGEST_FILE = 10 << 20  # bytes
MOST_FILES = 1000


def find(names: Iterable[str]) -> list[Path]:
    """Return the rules files that are meant, absolute and in order.

    Args:
        names: files, in the order in which they are loaded; a directory stands for its ``*.yaml`` and
            ``*.yml`` (not those of its directories), sorted by name.

    Raises:
        UsageError: when one is not there or cannot be read, a directory has none, or there are more
            than 1000.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name).expanduser().absolute()
        try:
            if not stat.S_ISDIR(path.stat().st_mode):
                found.append(path)
                continue
            inside = sorted(item for item in path.iterdir() if item.suffix in SUFFIXES and item.is_file())
        except OSError as error:
            raise UsageError(f"The rules file {name} cannot be read: {error.strerror}.") from error
        if not inside:
            raise UsageError(f"The directory {name} has no rules files (*.yaml).")
        found += inside
    if len(found) > MOST_FILES:
        raise UsageError(f"There are {len(found)} rules files; at most {MOST_FILES} are possible.")
    return found


def read(path: Path) -> bytes:
    """Return the text of a rules file.

    Raises:
        UsageError: when it cannot be read, or has more than 10 MiB.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"The rules file {path} cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST_FILE:
        raise UsageError(f"The rules file {path} has more than {LARGEST_FILE >> 20} MiB; split it.")
    return data
