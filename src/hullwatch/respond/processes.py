"""A process as the kernel knows it: held by a descriptor, so that its number cannot become another one's."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from types import TracebackType

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")  # ns
_CONTAINER = re.compile(r"(?:^|[/-])([0-9a-f]{64})(?:\.scope)?(?=/|$)", re.MULTILINE)
_STARTED = 19  # the field of the start in /proc/PID/stat, counted from behind the name
_LARGEST = 1 << 16  # bytes of a file of /proc


class Group(NamedTuple):
    """A control group that belongs to a container: its hierarchy's controllers, and its path in that."""

    controllers: str
    path: str


class HeldProcess:
    """A process that was made sure to be the one that is meant.

    Args:
        pid: its number.
        start: when it started, ns since boot; what is told apart is hundredths of a second.

    Raises:
        CannotError: when it is gone, or its number is another one's now.
    """

    def __init__(self, pid: int, start: int) -> None:
        """Open it, then look whether it is the one."""
        self.pid = pid
        try:
            self.descriptor = os.pidfd_open(pid)
        except (OSError, OverflowError) as error:
            raise CannotError(f"process {pid} has ended") from error
        try:
            self._folder = Path(f"/proc/{pid}")
            text = self._read("stat")
            fields = text[text.rindex(")") + 2 :].split()
            if int(fields[_STARTED]) != start // _TICK:
                raise CannotError(f"process {pid} has ended, and its number belongs to another one now")
            self.name = self._read("comm").rstrip("\n")
            self.groups, self.container = self._find_container()
        except (OSError, ValueError, IndexError) as error:
            os.close(self.descriptor)
            raise CannotError(f"process {pid} has ended") from error
        except CannotError:
            os.close(self.descriptor)
            raise

    def _read(self, name: str) -> str:
        with (self._folder / name).open(encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_LARGEST)

    def _find_container(self) -> tuple[list[Group], str]:
        """Return the control groups that belong to its container, and the container's id; nothing for the host."""
        groups: list[Group] = []
        found = ""
        for line in self._read("cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            ids = list(_CONTAINER.finditer(path))
            if ids and ".." not in path.split("/"):
                found = ids[-1][1]
                groups.append(Group(controllers, path[: ids[-1].end()]))
        return [group for group in groups if found in group.path], found

    def __enter__(self) -> Self:
        """Hold it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""
        os.close(self.descriptor)
