"""The supervisor's side of the process that follows the Kubernetes cluster, which imports for itself what it needs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from hullwatch.outputs.standard_error import say
from hullwatch.own_process import start

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.settings import Settings

_LOOK = 0.1  # seconds between looks at one that is to take the place of another
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds until it is started again: twice as long each time


class ClusterStarter:
    """Keeps the process, if the cluster is to be followed.

    Args:
        settings: of the run.
        user: uid and gid that it becomes.
        state: the directory of what lasts, which is that user's.
    """

    def __init__(self, settings: Settings, user: tuple[int, int], state: Path) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._user = user
        self._state = state
        self._pid = 0
        self._due = 0.0  # when it may be started
        self._started = 0.0
        self._wait = _FIRST_WAIT
        self._renewing = False  # somebody has asked for it
        self._next = _Next()  # one that has read the kubeconfig anew, and waits for its turn

    def renew(self) -> None:
        """Have the kubeconfig read again: another process takes the place of the one that runs, if it can."""
        self._renewing = self._is_wanted

    def keep(self) -> None:
        """Start the process, if one is to run and does not. To be called where there is one thread only: it forks."""
        now = time.monotonic()
        self._change_over()
        if not self._is_wanted or self._runs() or now < self._due:
            return
        if now - self._started > _LONGEST_WAIT:
            self._wait = _FIRST_WAIT  # it went well for a while
        self._started, self._due = now, now + self._wait
        self._wait = min(2 * self._wait, _LONGEST_WAIT)
        self._pid = self._start(None)

    def _start(self, turn: socket.socket | None) -> int:
        supervisor = os.getpid()

        def begin() -> None:
            from hullwatch.cluster_process import be_follower

            be_follower(self._settings, self._state, self._user, supervisor, turn)

        return start("that follows the Kubernetes cluster", begin)

    def _change_over(self) -> None:
        """Start a process that reads what has changed, and end the one before when it has."""
        if self._next.pid:
            if self._next.is_ready():
                self.stop()
                self._pid = self._next.go()
            elif self._next.has_ended():
                say("The Kubernetes cluster is followed as before.")
            return
        if self._renewing:
            self._renewing = False
            if self._runs():  # else the next one reads it anyway
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                self._next = _Next(self._start(theirs), ours)
                theirs.close()

    def patience(self, otherwise: float | None) -> float | None:
        """Return how long its supervisor may wait, seconds: until it is to be started again, if that is sooner."""
        if self._renewing or self._next.pid:
            return _LOOK if otherwise is None else min(_LOOK, otherwise)
        if not self._is_wanted or self._runs():
            return otherwise
        left = max(0.0, self._due - time.monotonic())
        return left if otherwise is None else min(left, otherwise)

    @property
    def _is_wanted(self) -> bool:
        return self._settings.kubernetes.api.credentials != "none"

    def pids(self) -> list[int]:
        """Return the process id, where one runs."""
        return [pid for pid in (self._pid, self._next.pid) if pid]

    def close(self) -> None:
        """End it for good, and one that was to take its place."""
        self._next.stop()
        self.stop()

    def stop(self) -> None:
        """End it; what it knows is on the disk."""
        if self._runs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def _runs(self) -> bool:
        if self._pid and os.waitpid(self._pid, os.WNOHANG)[0]:
            self._pid = 0
        return bool(self._pid)


class _Next:
    """A process that waits for its turn; it says when it can, and begins when it is told so."""

    def __init__(self, pid: int = 0, turn: socket.socket | None = None) -> None:
        self.pid = pid
        self._turn = turn
        if turn is not None:
            turn.setblocking(False)  # noqa: FBT003 - the library has it so

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self._turn is not None and bool(self._turn.recv(1))
        return False

    def has_ended(self) -> bool:
        if os.waitpid(self.pid, os.WNOHANG)[0]:
            self._forget()
        return not self.pid

    def go(self) -> int:
        """Let it begin; return its id."""
        pid = self.pid
        with contextlib.suppress(OSError):
            if self._turn is not None:
                self._turn.send(b"1")
        self._forget()
        return pid

    def stop(self) -> None:
        if self.pid and not self.has_ended():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self._forget()

    def _forget(self) -> None:
        self.pid = 0
        if self._turn is not None:
            self._turn.close()
            self._turn = None
