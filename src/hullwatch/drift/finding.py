"""Opening the very file that a process runs: the process may be gone, and the path may lead elsewhere by now."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.drift import question as words
from hullwatch.drift.containers import OutsideError
from hullwatch.drift.content import state_of
from hullwatch.drift.mounts import by_number, device_of
from hullwatch.drift.opening import mount_id, open_below, open_in_root, read_file, regular
from hullwatch.drift.storage import is_hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from hullwatch.drift.containers import Containers, KnownContainer, SeenProcess
    from hullwatch.drift.content import State
    from hullwatch.drift.mounts import Mount
    from hullwatch.drift.question import Place, Question

MAPS_MAXIMUM = 4 << 20  # bytes of /proc/PID/maps that are looked through
CLOCK_SLACK = 1_000_000  # ns by which the time of a start may be wrong
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class NotFoundError(Exception):
    """The file cannot be found any more; the message is the reason."""


class FoundFile(NamedTuple):
    """The file of a question, open.

    Attributes:
        descriptor: to read it.
        state: when it was opened.
        mount: that it lies in; None when that is none of the container's.
        inner: its path in the overlay that is the container's root; None when it is not there.
        place: None for a script in a layer of the image; empty when its place says nothing of the image.
        doubtful: it is the file that runs, but its inode has changed since: by another name or other permissions,
            or because its content was changed and the times set back.
    """

    descriptor: int
    state: State
    mount: Mount | None
    inner: bytes | None
    place: Place | None
    doubtful: bool = False


class _Candidate(NamedTuple):
    """An open file that may be the one.

    Attributes:
        descriptor: of the file.
        process: through which it was opened; None for a layer.
        executed: it is what the process executes, so nobody may write to it now.
        lower: it lies in a layer of the image.
        mended: it lies in the upper layer of those that a program puts together, which sets its times.
    """

    descriptor: int
    process: SeenProcess | None
    executed: bool = False
    lower: bool = False
    mended: bool = False


class Finder:
    """Finds the files of questions.

    Args:
        containers: that are known.
    """

    def __init__(self, containers: Containers) -> None:
        """Take what is known of containers."""
        self._containers = containers

    @contextlib.contextmanager
    def find(self, question: Question) -> Generator[FoundFile]:
        """Give the file of a question; it is closed behind.

        The ways, in order: what the process itself has of it, its path as the process sees it, the same path as
        another process of the container sees it, and the directory of the host that is the overlay's upper layer.

        Raises:
            NotFoundError: when none leads to the file.
            OutsideError: when the process is in the host's mounts.
            NoRegularFileError: when a script is something else.
        """
        search = _Search(question, self._containers)
        for way in (search.by_process, search.by_others, search.by_layer):
            for one in way():
                try:
                    found = regular(one.descriptor)
                    if is_same_file(question, found, one):
                        yield _placed(question, search.container, one, found)
                        return
                    search.saw_another = True
                finally:
                    os.close(one.descriptor)
        raise NotFoundError(search.reason())


class _Search:
    """The ways to the file of one question; each yields open files, for the caller to close.

    Attributes:
        container: of the question.
        saw_another: whether there was another file, or the same one with another content.
    """

    def __init__(self, question: Question, containers: Containers) -> None:
        self._question = question
        self._containers = containers
        self.container = containers.find(question.container)
        self.saw_another = False
        self._saw_nothing = False  # at the path, in a directory that could be looked into

    def reason(self) -> str:
        """Return why the file was not found."""
        if self.saw_another:
            return words.CHANGED
        # The name of a script is only what the interpreter was given.
        return words.REMOVED if self._saw_nothing and self._question.kind != "script" else words.GONE

    def by_process(self) -> Iterator[_Candidate]:
        """Ask the process itself, while it runs."""
        with self._containers.process(self._question) as process:
            if process is None:
                return
            if self._question.kind == "program":
                yield from _opened("exe", process, executed=True)
            elif self._question.kind == "library":
                yield from _mapped(self._question.address, process)
            yield from self._by_path(process)

    def by_others(self) -> Iterator[_Candidate]:
        """Follow the path in the root of other processes of the container."""
        for pid, start in self.container.processes():
            if pid != self._question.pid:
                with contextlib.suppress(OSError, OutsideError), self._containers.open(pid, start) as process:
                    if process is not None:
                        yield from self._by_path(process)

    def by_layer(self) -> Iterator[_Candidate]:
        """Follow the path in the directories of the host that the root is made of; no symbolic links."""
        layers, path = self.container.layers, self._question.path
        if layers is None:
            return
        if layers.form == "overlay" and not self._question.upper and self._question.kind != "script":
            return
        with contextlib.suppress(OSError):
            for descriptor in self._below(os.open(layers.upper, _DIRECTORY), open_below):
                # Of permissions that were changed an overlay may keep no more than that: the content lies below.
                if not (self.container.has_metadata_only and os.fstat(descriptor).st_blocks == 0):
                    yield _Candidate(descriptor, None, mended=layers.form == "fuse")
        if layers.form == "fuse" and not is_hidden(layers.upper, path):
            for lower in layers.lowers:
                with contextlib.suppress(OSError):
                    for descriptor in self._below(os.open(lower, _DIRECTORY), open_below):
                        yield _Candidate(descriptor, None, lower=True)

    def _by_path(self, process: SeenProcess) -> Iterator[_Candidate]:
        with contextlib.suppress(OSError):
            for descriptor in self._below(os.open("root", _DIRECTORY, dir_fd=process.directory), open_in_root):
                yield _Candidate(descriptor, process)

    def _below(self, directory: int, follow: Callable[[int, bytes], int]) -> Iterator[int]:
        try:
            descriptor = follow(directory, self._question.path)
        except (FileNotFoundError, NotADirectoryError):
            self._saw_nothing = True
            return
        finally:
            os.close(directory)
        yield descriptor


def _opened(name: str, process: SeenProcess, *, executed: bool = False) -> Iterator[_Candidate]:
    """Yield the file that a link of /proc leads to."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    with contextlib.suppress(OSError):
        yield _Candidate(os.open(name, flags, dir_fd=process.directory), process, executed)


def _mapped(address: int, process: SeenProcess) -> Iterator[_Candidate]:
    """Yield the file that is mapped at an address."""
    with contextlib.suppress(OSError):
        for line in read_file(process.directory, "maps", MAPS_MAXIMUM).splitlines():
            span = line.partition(b" ")[0]
            begin, _, end = span.partition(b"-")
            if int(begin, 16) <= address < int(end, 16):
                yield from _opened(f"map_files/{span.decode('ascii')}", process)
                return


def is_same_file(question: Question, found: os.stat_result, candidate: _Candidate) -> bool:
    """Tell whether an open file is the one of a question, with the content of that moment."""
    if question.kind == "script" or candidate.mended:
        # Of scripts the kernel named no inode, and of files that a program keeps for it, times that may be some ms from
        # the true ones: it may be any file that has not changed since.
        return found.st_ctime_ns <= question.moment + CLOCK_SLACK
    # The upper layer's own inode has another number where it is the copy of a lower one.
    if found.st_mtime_ns != question.mtime or (candidate.process is not None and found.st_ino != question.ino):
        return False
    return candidate.executed or found.st_ctime_ns == question.ctime


def _placed(question: Question, container: KnownContainer, candidate: _Candidate, found: os.stat_result) -> FoundFile:
    """Return the file with where it lies."""
    descriptor, process = candidate.descriptor, candidate.process
    root, state = container.root, state_of(found)
    mount = root if process is None else by_number(process.mounts, mount_id(descriptor))
    if mount is None and root is not None and root.is_overlay and root.device == device_of(found):
        mount = root  # it is taken down with the container
    doubtful = question.kind == "program" and not candidate.mended and found.st_ctime_ns != question.ctime
    if mount is None or root is None:
        return FoundFile(descriptor, state, mount, None, "", doubtful)
    if is_of_root(mount, container):
        inner = question.path if process is None else _inner(descriptor, mount, container)
        place = _place_in_root(question, container, candidate, inner)
        return FoundFile(descriptor, state, mount, inner, place, doubtful)
    if mount.device == root.device and mount.root == root.root:
        return FoundFile(descriptor, state, mount, None, "", doubtful)
    return FoundFile(descriptor, state, mount, None, "memory" if mount.is_memory else "volume", doubtful)


def is_of_root(mount: Mount, container: KnownContainer) -> bool:
    """Tell whether what a mount shows is made of the container's layers."""
    root, layers = container.root, container.layers
    if root is None or mount.device != root.device:
        return False
    if mount.is_overlay or layers is None or layers.form != "copy":
        return mount.is_overlay or layers is not None
    return (mount.root + b"/").startswith(root.root.rstrip(b"/") + b"/")  # else it is another directory of the host's


def _place_in_root(
    question: Question, container: KnownContainer, candidate: _Candidate, inner: bytes | None
) -> Place | None:
    layers = container.layers
    if candidate.lower:
        return None
    if question.kind == "script" and (layers is None or layers.form == "overlay"):  # the kernel says it of the others
        return "upper_layer" if _is_in_upper(container, inner) else None
    return "upper_layer"


def _inner(descriptor: int, mount: Mount, container: KnownContainer) -> bytes | None:
    """Return the path below the container's root, or within the overlay, that is mounted anywhere."""
    path = os.readlink(b"/proc/self/fd/%d" % descriptor)  # noqa: PTH115 - bytes
    point = mount.point.rstrip(b"/")
    if not path.startswith(point + b"/"):
        return None
    inner = mount.root.rstrip(b"/") + path[len(point) :]
    is_copy = container.layers is not None and container.layers.form == "copy" and container.root is not None
    return inner.removeprefix(container.root.root.rstrip(b"/")) if is_copy and container.root is not None else inner


def _is_in_upper(container: KnownContainer, inner: bytes | None) -> bool:
    """Tell whether the upper layer has the path; what cannot be told counts as if it had."""
    if container.layers is None or inner is None:
        return True
    directory = os.open(container.layers.upper, _DIRECTORY)
    try:
        os.close(open_below(directory, inner, os.O_PATH | os.O_CLOEXEC))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    finally:
        os.close(directory)
    return True
