"""Hashes of the files that an alert has to do with: from the capture, or of what is still there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
from typing import TYPE_CHECKING

from hullwatch.drift.opening import NoRegularFileError, open_in_root, open_process, regular
from hullwatch.evidence.account import MEANT

if TYPE_CHECKING:
    from collections.abc import Generator

    from hullwatch.captures.chunk import Description
    from hullwatch.evidence.account import Account, File

LARGEST_FILE = 256 << 20  # bytes of a file that is read
LARGEST_SUM = 2 << 30  # bytes of all
_PIECE = 1 << 20
NOT_KNOWN = "not known: "


def is_here(about: Description) -> bool:
    """Whether a capture is of this host, as far as its name and its kernel tell."""
    return (about.host, about.kernel) == (socket.gethostname(), os.uname().release)


def find_hashes(account: Account, *, here: bool) -> None:
    """Add to the files of an account what they are now, where the capture has no hash of them.

    Args:
        account: of the capture.
        here: whether files may be read: the capture is of this host, and it was not forbidden.
    """
    left = LARGEST_SUM
    for file in account.files.values():
        if file.sha256:
            continue
        if file.why == [MEANT]:
            file.source = f"{NOT_KNOWN}it was only read, and the hash of a short secret would tell it"
            continue
        if not here:
            file.source = file.source or f"{NOT_KNOWN}it was not read: this is another host, or it was not wanted"
            continue
        left -= _read(account, file, left)


def _read(account: Account, file: File, left: int) -> int:
    """Read a file as it is now; return how many bytes."""
    try:
        with _opened(account, file) as descriptor:
            about = regular(descriptor)
            if about.st_size > min(left, LARGEST_FILE):
                file.size = about.st_size
                file.source = f"{NOT_KNOWN}it is too large to be read"
                return 0
            file.sha256, file.size = _digest(descriptor)
            file.source = f"still there when this was made, {_same(file, about)}"
            return file.size
    except NoRegularFileError:
        file.source = f"{NOT_KNOWN}it is no regular file"
    except _GoneError as error:
        file.source = f"{NOT_KNOWN}{error}"
    except OSError as error:
        file.source = f"{NOT_KNOWN}it is not there any more ({error.strerror})"
    except ValueError:  # a zero byte in its name
        file.source = f"{NOT_KNOWN}its name is none"
    return 0


class _GoneError(Exception):
    """Nothing leads to a file any more; the text says why."""


@contextlib.contextmanager
def _opened(account: Account, file: File) -> Generator[int]:
    """Open a file as the processes of its container see it."""
    root = _root(account, file.container)
    try:
        descriptor = open_in_root(root, file.path.encode("utf-8", "surrogateescape"))
    finally:
        os.close(root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _root(account: Account, container: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if not container:
        return os.open("/", flags)
    for actor in account.actors.values():
        if actor.container != container or actor.ended:
            continue
        directory = open_process(*actor.key)
        if directory is None:
            continue
        try:
            return os.open("root", flags, dir_fd=directory)
        except OSError:
            continue
        finally:
            os.close(directory)
    raise _GoneError("no process of its container runs any more")


def _digest(descriptor: int) -> tuple[str, int]:
    """Return the hash of an open file and its size; of one that grows meanwhile not more than can be read."""
    digest, size = hashlib.sha256(), 0
    while size <= LARGEST_FILE and (piece := os.read(descriptor, _PIECE)):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _same(file: File, about: os.stat_result) -> str:
    if not file.ino:
        return "and may have changed since"
    if (file.ino, file.ctime) == (about.st_ino, about.st_ctime_ns):
        return "and not changed since it was run"
    return "but it is another one than was run"
