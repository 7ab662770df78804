"""``hullwatch run --disable-source syscall``: audit events alone, without sensor, engine and root."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from typing import TYPE_CHECKING

from hullwatch.api_starter import ApiStarter
from hullwatch.cluster import ClusterStarter
from hullwatch.config.paths import private_directory, run_directory, state_directory
from hullwatch.errors import UsageError
from hullwatch.keeper import KeeperStarter
from hullwatch.kubernetes import IntakeStarter
from hullwatch.metrics.serving import Serving
from hullwatch.outputs.standard_error import say
from hullwatch.service.instance import take_lock
from hullwatch.service.log import speak
from hullwatch.service.notify import Notifier
from hullwatch.store.kept.starting import EventStarter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from hullwatch.config.settings import Settings
    from hullwatch.service.sources import Texts

LOOK = 1.0  # seconds between looks at the processes


def run(settings: Settings, user: tuple[int, int], again: Callable[[], Settings] | None = None) -> int:
    """Take audit events until Ctrl-C or the end of the duration; return the exit code.

    Args:
        settings: of the run.
        user: uid and gid that the processes become, for root; others stay who they are.
        again: reads the settings again, for rules that are other ones then.

    Raises:
        UsageError: for a rules file that is wrong, or settings that do not go together.
        CannotError: when a place to listen at is taken, or another instance runs.
    """
    speak("supervisor", settings.log.format)
    lock = take_lock(private_directory(run_directory(settings.directories.run)))
    try:
        return _Run(settings, user, again).serve()
    finally:
        os.close(lock)


def _state(settings: Settings, user: tuple[int, int]) -> Path:
    """Return the directory of what lasts, which is the user's."""
    path = state_directory(settings.directories.state)
    if not path.exists() or path.stat().st_uid == os.geteuid():
        private_directory(path)
        if os.geteuid() == 0:
            os.chown(path, *user)
    return path


class _Run:
    """The processes, and the loop that waits for them.

    Attributes:
        settings: of the run.
    """

    def __init__(self, settings: Settings, user: tuple[int, int], again: Callable[[], Settings] | None) -> None:
        if os.geteuid() != 0:
            user = os.geteuid(), os.getegid()
        state = _state(settings, user)
        self.settings = settings
        self._again = again
        self._keeper = KeeperStarter(settings, user, state)
        self._events = EventStarter(settings, user, state, say)
        self._intake = IntakeStarter(
            settings, user, state, self._keeper.connection, self._events.connection, alone=True
        )
        self._cluster = ClusterStarter(settings, user, state)
        self._metrics = Serving(settings.metrics.listen, state, user)
        self._notifier = Notifier()
        # Whoever may ask a run that is not root's is who runs it, and may read its files.
        run = run_directory(settings.directories.run)
        self._api = ApiStarter(self, user, state, run) if os.geteuid() == 0 else None
        self._stopping = False
        self._reload = False

    @property
    def files(self) -> Texts:
        """The rules in force."""
        return self._intake.files

    def serve(self) -> int:
        wake_read, wake_write = socket.socketpair()
        wake_write.settimeout(0)
        signal.set_wakeup_fd(wake_write.fileno())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._signalled)
        duration = self.settings.run.duration
        end = float("inf") if duration is None else time.monotonic() + duration
        try:
            self._keeper.pids()
            self._metrics.keep()
            self._intake.keep()
            self._cluster.keep()
            self._notifier.ready("Taking audit events.")
            while not self._stopping and time.monotonic() < end:
                self._wait(wake_read, min(LOOK, max(0.0, end - time.monotonic())))
                self._metrics.keep()
                self._intake.keep()
                self._cluster.keep()
                self._events.keep()
                if self._intake.exit_code is not None:
                    return self._intake.exit_code
                if self._reload:
                    self._read_again()
            self._notifier.stopping()
            return self._intake.stop()
        finally:
            signal.set_wakeup_fd(-1)
            self._intake.close()
            self._metrics.stop()
            self._keeper.stop()
            self._events.stop()
            self._cluster.close()
            if self._api is not None:
                self._api.stop()
            wake_read.close()
            wake_write.close()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        elif number != signal.SIGCHLD:
            self._stopping = True
            self._intake.terminate()

    def _wait(self, wake: socket.socket, seconds: float) -> None:
        waited = (wake, self._intake.channel, *(() if self._api is None else self._api.waits()))
        with selectors.DefaultSelector() as selector:
            for one in waited:
                if one is not None:
                    selector.register(one, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(seconds)]
        if wake in ready:
            wake.recv(4096)
        if self._intake.channel is not None and self._intake.channel in ready:
            self._intake.answer()
        if self._api is not None:
            self._api.look(ready)

    def _read_again(self) -> None:
        """Judge by the rules files as they are now; with a mistake in them, those of before go on."""
        self._reload = False
        self._intake.renew()
        self._cluster.renew()
        settings = self.settings
        with contextlib.suppress(UsageError):
            settings = settings if self._again is None else self._again()
        self._events.use(settings)
        if self._intake.read_rules_again(settings):
            say("Rules were read again.")
            if self._api is not None:
                self._api.renew()
