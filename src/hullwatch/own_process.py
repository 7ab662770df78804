"""Starting the processes of a run: forked from the supervisor, each imports for itself what it alone needs.

What the supervisor has imported is in the memory of all of them, and Python writes to what it looks at: pages that
nobody needs would be there once for each process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import sys
import time
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # parameters of malloc.h
_LARGE = 1 << 18  # bytes
_GIVE_BACK = 30.0  # seconds
CRASHED = 70  # the exit code after a mistake of our own (EX_SOFTWARE of sysexits.h)


def start(name: str, begin: Callable[[], object]) -> int:
    """Fork a process that does something and then ends; return its id.

    It has left the supervisor's signals when it begins: Ctrl-C reaches it through the supervisor. To be called where
    there is one thread only.

    Args:
        name: of the process, for a sentence when it cannot begin.
        begin: what it does; it imports the rest, and ends the process itself if the exit code matters.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        begin()
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may go back into the caller
        sys.stderr.write(f"The process {name} ended by a mistake of its own: {type(error).__name__}: {error}\n")
    finally:
        os._exit(CRASHED)


def leave_descriptors(kept: Iterable[int]) -> None:
    """Close all descriptors but the standard ones and some others."""
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def drop_privileges(uid: int, gid: int) -> None:
    """Become an ordinary user, for good; who is one already stays who it is.

    Raises:
        CannotError: when the kernel refuses.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise CannotError(f"New privileges cannot be given up: {os.strerror(ctypes.get_errno())}.")
    os.umask(0o077)
    os.chdir("/")


def readable_by_all(path: Path) -> bool:
    """Tell whether a file can be read by any user, as far as modes tell."""
    try:
        ways = [folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents]
        return all(ways) and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


class FreePages:
    """Gives pages that are free back to the system once in a while, where the C library is glibc.

    It does so itself only at the end of the heap. Compressed pieces and batches of all sizes come and go below
    what stays: after half an hour of load a seventh of an engine's memory was free, and its own.
    """

    def __init__(self) -> None:
        """Begin now."""
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._next = time.monotonic() + _GIVE_BACK

    def tick(self, now: float) -> None:
        """Give back what is free, when it is time; takes some milliseconds.

        Args:
            now: seconds of the monotonic clock.
        """
        if now >= self._next and self._trim is not None:
            self._next = now + _GIVE_BACK
            self._trim(0)


def limit_fragments() -> None:
    """Let what is given back go back to the system, where the C library is glibc.

    Left alone it raises its thresholds with each large object that is freed: batches of records then lie between
    what stays, and leave holes. And it keeps memory apart for each thread.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, _LARGE)
        set_option(_TRIM_THRESHOLD, _LARGE)
        set_option(_ARENA_MAX, 1)
