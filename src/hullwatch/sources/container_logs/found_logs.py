"""Which log files there are, and opening them: done with power, by patterns that only the settings name.

Who asks names a file by its number in the list that it got, and whether the file itself is meant, one that it was
renamed to, or what Docker keeps beside it.
"""

from __future__ import annotations

import glob
import itertools
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.errors import CannotError
from hullwatch.sources.container_logs.line import NOBODY, whose
from hullwatch.sources.k8s_audit.log_opening import MOST_ROTATED, open_log

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_SCANNED = 10_000  # files that one look goes through
DOCKER = MOST_ROTATED + 1  # asks for what Docker keeps of the container
_DOCKERS_FILE = "config.v2.json"


class FoundLog(msgspec.Struct, frozen=True, array_like=True):
    """A file that is to be followed.

    Attributes:
        number: by which it is opened; it stays the same as long as the file is in the list.
        path: as a pattern found it.
        real: where that leads to, without links.
        inode: of the file.
        size: in bytes.
    """

    number: int
    path: str
    real: str
    inode: int
    size: int


class FoundLogs(msgspec.Struct, frozen=True):
    """What a look has found.

    Attributes:
        files: to be followed.
        left_out: how many more there are than may be followed.
        refused: links to what is no log of a container.
        problem: why it could not be looked everywhere, a sentence; empty as a rule.
    """

    files: tuple[FoundLog, ...]
    left_out: int = 0
    refused: int = 0
    problem: str = ""


class _Seen(NamedTuple):
    changed: int
    path: str
    real: str
    inode: int
    size: int


def number_of(file: int, what: int) -> int:
    """Return the number that a request for a file carries.

    Args:
        file: its number in the list.
        what: 0 for the file itself, 1 for the newest that it was renamed to and so on, or ``DOCKER``.
    """
    return file * (DOCKER + 1) + what


class LogFinder:
    """Finds the files of some patterns.

    Args:
        patterns: of the settings.
        most: files that may be followed.
    """

    def __init__(self, patterns: Sequence[str], most: int) -> None:
        """Know none yet."""
        self._patterns = tuple(patterns)
        self._most = most
        self._numbers: dict[str, int] = {}
        self._paths: dict[int, str] = {}
        self._next = 0

    def look(self) -> FoundLogs:
        """Return the files that there are now, those that were written to last where they are too many."""
        seen: dict[str, _Seen] = {}
        refused = scanned = 0
        for path in itertools.islice(itertools.chain(*map(glob.iglob, self._patterns)), MOST_SCANNED):
            scanned += 1
            real = os.path.realpath(path)
            # A pod that has the node's /var/log could lay a link to any file of the node there.
            if os.path.islink(path) and whose(real) == NOBODY:  # noqa: PTH114 - one is asked for many paths
                refused += 1
                continue
            try:
                found = os.stat(real, follow_symlinks=False)  # noqa: PTH116 - the same
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                link = path if path != real or real not in seen else seen[real].path  # the name of a link says more
                seen[real] = _Seen(found.st_mtime_ns, link, real, found.st_ino, found.st_size)
        chosen = sorted(seen.values(), reverse=True)[: self._most]
        self._number({one.real for one in chosen})
        problem = (
            f"There are more than {MOST_SCANNED:,} files that container_logs.files names; the others are not looked at."
        )
        return FoundLogs(
            tuple(FoundLog(self._numbers[one.real], one.path, one.real, one.inode, one.size) for one in chosen),
            left_out=len(seen) - len(chosen),
            refused=refused,
            problem=problem if scanned >= MOST_SCANNED else "",
        )

    def _number(self, chosen: set[str]) -> None:
        for real in [one for one in self._numbers if one not in chosen]:
            del self._paths[self._numbers.pop(real)]
        for real in sorted(chosen - self._numbers.keys()):
            self._numbers[real] = self._next
            self._paths[self._next] = real
            self._next += 1

    def open(self, number: int) -> int:
        """Return a descriptor of a file, by the number of ``number_of``.

        Raises:
            CannotError: with the reason; its text is empty when there is no such file (any more).
        """
        file, what = divmod(number, DOCKER + 1)
        path = self._paths.get(file)
        if path is None:
            raise CannotError("")
        if what != DOCKER:
            return open_log((path,), what)
        if not path.endswith("-json.log"):
            raise CannotError("")
        return open_log((str(Path(path).with_name(_DOCKERS_FILE)),), 0)
