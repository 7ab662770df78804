"""What is remembered of containers: their root's layers, and processes through which their files can be reached."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING

from hullwatch.drift.content import Recent
from hullwatch.drift.mounts import MOUNTINFO_MAXIMUM, parse, root_of
from hullwatch.drift.opening import open_process, read_file
from hullwatch.drift.question import NO_LAYERS
from hullwatch.drift.storage import find_layers

if TYPE_CHECKING:
    from collections.abc import Generator

    from hullwatch.drift.mounts import Layers, Mount
    from hullwatch.drift.question import Question

CONTAINERS_KEPT = 4096
PROCESSES_KEPT = 4  # of a container, beside its first


class SeenProcess:
    """A process that runs: its directory in /proc, its mounts. To be closed."""

    def __init__(self, directory: int, mounts: list[Mount]) -> None:
        """Take a descriptor, and what ``mountinfo`` says."""
        self.directory = directory
        self.mounts = mounts


class KnownContainer:
    """A container of which a process was seen.

    Attributes:
        root: the mount of its root directory; None until one was seen.
        layers: of that root; None when it has none that can be reached.
        reason: why, as an answer has it.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.root: Mount | None = None
        self.layers: Layers | None = None
        self.reason = NO_LAYERS
        self._first: tuple[int, int] | None = None
        self._others: deque[tuple[int, int]] = deque(maxlen=PROCESSES_KEPT)

    def note(self, pid: int, start: int, process: SeenProcess) -> None:
        """Take a process that was seen in it; what the first one had for its root is the container's.

        Raises:
            OutsideError: when it has the host's root, as a runtime has on its way into the container.
        """
        if self.root is None:
            root, host = root_of(process.mounts), host_mounts()
            if root is not None:
                if _is_same(root, root_of(host)):
                    raise OutsideError
                self.layers, self.reason = find_layers(root, process.directory, host)
            self.root = root
        if self._first is None:
            self._first = pid, start
        elif (pid, start) != self._first and (pid, start) not in self._others:
            self._others.append((pid, start))

    @property
    def has_metadata_only(self) -> bool:
        """Whether the upper layer may have files without their content."""
        return self.root is not None and self.root.is_overlay and b"metacopy=on" in self.root.options.split(b",")

    def processes(self) -> list[tuple[int, int]]:
        """Return the processes that may still run, the youngest first, the container's first one last."""
        return [*reversed(self._others), *([self._first] if self._first is not None else [])]


class Containers:
    """The containers that were seen last."""

    def __init__(self) -> None:
        """Start with none; find out which mounts are the host's."""
        self._known: Recent[str, KnownContainer] = Recent(CONTAINERS_KEPT)
        self._host = os.readlink("/proc/self/ns/mnt")  # noqa: PTH115 - it leads to no file

    def find(self, full_id: str) -> KnownContainer:
        """Return what is known of a container."""
        known = self._known.get(full_id)
        if known is None:
            known = KnownContainer()
            self._known.put(full_id, known)
        return known

    @contextlib.contextmanager
    def process(self, question: Question) -> Generator[SeenProcess | None]:
        """Give the process of a question while it runs, and remember its container; None when it has ended.

        Raises:
            OutsideError: when it is in the host's mounts, as a runtime that makes the container.
        """
        with self.open(question.pid, question.start) as process:
            if process is not None:
                self.find(question.container).note(question.pid, question.start, process)
            yield process

    @contextlib.contextmanager
    def open(self, pid: int, start: int) -> Generator[SeenProcess | None]:
        """Give a process while it runs; None when it has ended.

        Raises:
            OutsideError: when it is in the host's mounts.
        """
        directory = open_process(pid, start)
        if directory is None:
            yield None
            return
        try:
            yield self._look(directory)
        finally:
            os.close(directory)

    def _look(self, directory: int) -> SeenProcess | None:
        try:
            if os.readlink("ns/mnt", dir_fd=directory) == self._host:
                raise OutsideError
            mounts = parse(read_file(directory, "mountinfo", MOUNTINFO_MAXIMUM))
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            return None
        # Of a process that ends the file is empty.
        return SeenProcess(directory, mounts) if mounts else None


class OutsideError(Exception):
    """A process is in the host's mounts, or has the host's root."""


def _is_same(root: Mount, other: Mount | None) -> bool:
    return other is not None and (root.device, root.root) == (other.device, other.root)


def host_mounts() -> list[Mount]:
    """Return the mounts of the host."""
    with open("/proc/self/mountinfo", "rb") as stream:  # noqa: PTH123 - a path of ours
        return parse(stream.read(MOUNTINFO_MAXIMUM))
