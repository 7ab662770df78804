"""The supervisor's side of questions that get a process of their own: it starts them, a few at a time."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, get_args

from hullwatch.api.errands import Errand
from hullwatch.errors import CannotError
from hullwatch.own_process import start

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from hullwatch.config.settings import Settings

MOST = 4  # at a time
LONGEST = 3600.0  # seconds, after which one is ended
ERRANDS: dict[bytes, Errand] = {one.encode(): one for one in get_args(Errand)}


class ErrandStarter:
    """Starts processes that answer one question each.

    Args:
        user: uid and gid that they become.
        state: the directory of what lasts.
    """

    def __init__(self, user: tuple[int, int], state: Path) -> None:
        """Start none yet."""
        self._user = user
        self._state = state
        self._running: dict[int, float] = {}  # process ids, and when each is ended

    def pids(self) -> list[int]:
        """Return the ids of those that run."""
        return list(self._running)

    def start(self, errand: Errand, end: socket.socket, settings: Settings) -> None:
        """Start one, with its end of a pair of sockets. To be called where there is one thread only, for it forks.

        Raises:
            CannotError: when there are too many.
        """
        self.look()
        if len(self._running) >= MOST:
            raise CannotError("Too many others ask for that: ask again later.")

        def begin() -> None:
            from hullwatch.errand_process import be_errand

            be_errand(errand, end, settings, self._state, self._user)

        self._running[start("that answers a question", begin)] = time.monotonic() + LONGEST

    def look(self) -> None:
        """Take leave of those that have ended, and end what takes too long; called often."""
        for pid, deadline in list(self._running.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._running[pid]
            elif time.monotonic() > deadline:
                self._end(pid)

    def stop(self) -> None:
        """End all."""
        self.look()
        for pid in list(self._running):
            self._end(pid)

    def _end(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        del self._running[pid]
