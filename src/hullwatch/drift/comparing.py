"""The supervisor's side of the process that compares: started before the sensor, which leaves its calls out."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError
from hullwatch.own_process import start

if TYPE_CHECKING:
    from hullwatch.drift.question import Limits


class Comparing:
    """Starts the process that compares, and has the engine's end of the socket pair to it.

    Args:
        user: uid and gid that it becomes.
        limits: of its work; None when files are not to be compared.
    """

    def __init__(self, user: tuple[int, int], limits: Limits | None) -> None:
        """Start nothing yet."""
        self._user = user
        self._limits = limits
        self._pid = 0
        self._end: socket.socket | None = None

    def pids(self) -> list[int]:
        """Return the process id, of a process that is started now if none runs; nothing when none is to run.

        To be called where there is one thread only, for it forks.
        """
        if self._limits is None:
            return []
        if not self._runs():
            self._start(self._limits)
        return [self._pid]

    def _runs(self) -> bool:
        if not self._pid:
            return False
        if os.waitpid(self._pid, os.WNOHANG)[0] == 0:
            return True
        self._pid = 0
        return False

    def _start(self, limits: Limits) -> None:
        self._close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def begin() -> None:
            from hullwatch.drift.comparing_process import be_comparer

            be_comparer(theirs, self._user, limits)

        self._pid, self._end = start("that compares files", begin), ours
        theirs.close()

    def connection(self) -> socket.socket:
        """Return the engine's end, of which one stays here for the next engine.

        A process that has ended is started again; the sensor that runs knows it as a copy of the supervisor.

        Raises:
            CannotError: when files are not to be compared.
        """
        self.pids()
        if self._end is None:
            raise CannotError("Files are not compared with their image: drift.enabled is false.")
        return self._end.dup()

    def _close(self) -> None:
        if self._end is not None:
            self._end.close()
            self._end = None

    def stop(self) -> None:
        """End it."""
        self._close()
        if self._runs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._pid = 0
