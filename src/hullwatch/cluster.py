"""The supervisor's side of the process that follows the Kubernetes cluster, which imports for itself what it needs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from hullwatch.own_process import start

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.config.settings import Settings

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

    def keep(self) -> None:
        """Start the process, if one is to run and does not. To be called where there is one thread only: it forks."""
        now = time.monotonic()
        if not self._is_wanted or self._runs() or now < self._due:
            return
        if now - self._started > _LONGEST_WAIT:
            self._wait = _FIRST_WAIT  # it went well for a while
        self._started, self._due = now, now + self._wait
        self._wait = min(2 * self._wait, _LONGEST_WAIT)
        supervisor = os.getpid()

        def begin() -> None:
            from hullwatch.cluster_process import be_follower

            be_follower(self._settings, self._state, self._user, supervisor)

        self._pid = start("that follows the Kubernetes cluster", begin)

    def patience(self, otherwise: float | None) -> float | None:
        """Return how long its supervisor may wait, seconds: until it is to be started again, if that is sooner."""
        if not self._is_wanted or self._runs():
            return otherwise
        left = max(0.0, self._due - time.monotonic())
        return left if otherwise is None else min(left, otherwise)

    @property
    def _is_wanted(self) -> bool:
        return self._settings.kubernetes.api.credentials != "none"

    def pids(self) -> list[int]:
        """Return the process id, where one runs."""
        return [self._pid] if self._pid else []

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
