"""The supervisor's side of the process that keeps alerts, which imports for itself what it needs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, BinaryIO

from hullwatch.errors import CannotError
from hullwatch.own_process import start
from hullwatch.store.frames import has_gone, make_pair

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.settings import Settings

ORDER = b"use"  # that comes with the file
END_WAIT = 5.0  # seconds for the keeper to write what it has


class KeeperStarter:
    """The supervisor's side: starts the keeper, and has the other ends of the socket pairs to it.

    Args:
        settings: of the run.
        user: uid and gid that it becomes.
        state: the directory of what lasts, which is that user's.
        ends: how many processes have alerts.
    """

    def __init__(self, settings: Settings, user: tuple[int, int], state: Path, ends: int = 1) -> None:
        """Start nothing yet."""
        self._number = ends
        self._settings = settings
        self._user = user
        self._state = state
        self._pid = 0
        self._ends: list[socket.socket] = []
        self._orders: socket.socket | None = None

    def use(self, settings: Settings, policies: BinaryIO) -> None:
        """Have the keeper go by other settings from now on, and every one that is started after it.

        Args:
            settings: in force.
            policies: the file in memory that ``service.policies`` makes of them.
        """
        self._settings = settings
        if self._orders is not None and self._runs():
            with contextlib.suppress(OSError):  # it has ended: the next one begins with them
                socket.send_fds(self._orders, [ORDER], [policies.fileno()])

    def pids(self) -> list[int]:
        """Return the process id, of a process that is started now if none runs; nothing when none is to run.

        To be called where there is one thread only, for it forks.
        """
        if not self._settings.store.enabled:
            return []
        if not self._runs():
            self._start()
        return [self._pid]

    def connection(self, place: int = 0) -> socket.socket:
        """Return the end of a process that has alerts, of which one stays here for the next such process.

        Args:
            place: which of them, from 0.

        Raises:
            CannotError: when alerts are not to be kept.
        """
        self.pids()
        if not self._ends:
            raise CannotError("Alerts are not kept: store.enabled is false.")
        return self._ends[place].dup()

    def stop(self) -> None:
        """Let it write what it has, and end it."""
        self._close()
        deadline = time.monotonic() + END_WAIT
        while self._runs():
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                self._pid = 0
                return
            time.sleep(0.01)

    def _runs(self) -> bool:
        if not self._pid:
            return False
        if os.waitpid(self._pid, os.WNOHANG)[0] == 0:
            if not self._ends or not has_gone(self._ends[0]):
                return True
            os.kill(self._pid, signal.SIGKILL)  # it has let go of its end: it is about to end
            os.waitpid(self._pid, 0)
        self._pid = 0
        return False

    def _start(self) -> None:
        self._close()
        pairs = [make_pair() for _ in range(self._number)]
        theirs = [pair[1] for pair in pairs]
        orders, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def begin() -> None:
            from hullwatch.keeper_process import be_keeper

            be_keeper(theirs, taken, self._settings, self._state, self._user)

        self._pid, self._ends = start("that keeps alerts", begin), [pair[0] for pair in pairs]
        self._orders = orders
        for end in (*theirs, taken):
            end.close()

    def _close(self) -> None:
        for end in (*self._ends, *([self._orders] if self._orders is not None else [])):
            end.close()
        self._ends.clear()
        self._orders = None
