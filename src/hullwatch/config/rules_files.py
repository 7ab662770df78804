"""Finding, reading and watching the rules files that a user names: files, and directories of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PACK = Path(__file__).parent.parent / "packs" / "rules"  # the rules that come with Hullwatch
PACK_FOLDERS = {"syscall": ".", "k8s_audit": "kubernetes", "container_log": "logs"}  # of each source, in it
SUFFIXES = (".yaml", ".yml")
LARGEST_FILE = 10 << 20  # bytes
MOST_FILES = 1000
LARGEST_SUM = 64 << 20  # bytes of all files


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
    return _bounded(path, data)


def _bounded(path: Path, data: bytes) -> bytes:
    if len(data) > LARGEST_FILE:
        raise UsageError(f"The rules file {path} has more than {LARGEST_FILE >> 20} MiB; split it.")
    return data


def _read_again(path: Path) -> bytes:
    """Read a file that was read before; a pipe would be empty now, or would never end.

    Raises:
        UsageError: as ``read`` does, and when it is no regular file.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UsageError(f"The rules file {path} is no regular file: it can be read only once, at the start.")
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"The rules file {path} cannot be read: {error.strerror}.") from error
    return _bounded(path, data)


def read_all(names: Iterable[str], *, again: bool = False) -> list[tuple[str, bytes]]:
    """Return names and texts of the rules files that are meant; ``again``: from regular files only.

    Raises:
        UsageError: as ``find`` and ``read`` do, and when all together have more than 64 MiB.
    """
    files: list[tuple[str, bytes]] = []
    total = 0
    for path in find(names):
        data = _read_again(path) if again else read(path)
        total += len(data)
        if total > LARGEST_SUM:
            raise UsageError(f"The rules files have more than {LARGEST_SUM >> 20} MiB together; leave some out.")
        files.append((str(path), data))
    return files


def read_pack(source: str = "syscall") -> list[tuple[str, bytes]]:
    """Return names and texts of the rules that come with Hullwatch for a source, in the order of their names."""
    folder = PACK / PACK_FOLDERS[source]
    return [(str(path.relative_to(PACK.parent.parent)), path.read_bytes()) for path in sorted(folder.glob("*.yaml"))]


class FilesWatch:
    """Notices that rules files were written, replaced, added or removed.

    It looks instead of being told: that works on every file system, through symbolic links, and for files
    that are not there yet. A change counts when two looks in a row see the same, so that a file is not read
    while it is being written.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Look for the first time; to be made before the files are read."""
        self._names = tuple(names)
        self._known = self._last = self._look()
        self._asked = False

    def ask(self) -> None:
        """Have the files count as changed."""
        self._asked = True

    def changed(self) -> bool:
        """Look again; whether the files are other ones than those of the last ``settle``."""
        found = self._look()
        steady, self._last = found == self._last, found
        return self._asked or (steady and found != self._known)

    def settle(self) -> None:
        """Take what was seen last as known."""
        self._known, self._asked = self._last, False

    def _look(self) -> tuple[object, ...]:
        try:
            return tuple(_state(path) for path in find(self._names))
        except UsageError as error:
            return (str(error),)


class FixedRules(FilesWatch):
    """Rules that are in no file, and so never change."""

    def __init__(self) -> None:
        """Look at nothing."""
        super().__init__(())

    def changed(self) -> bool:
        """Return that nothing has changed, whoever asks for it."""
        return False


def _state(path: Path) -> tuple[object, ...]:
    try:
        found = path.stat()
    except OSError as error:
        return (path, error.errno)
    if not stat.S_ISREG(found.st_mode):
        return (path,)  # a pipe changes when it is read
    return (path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
