"""The supervisor's side of the processes that look after kept events, which import for themselves what they need."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from hullwatch.extras import install
from hullwatch.own_process import start
from hullwatch.store.frames import has_gone, make_pair
from hullwatch.store.kept import folder
from hullwatch.store.kept.frames import ENCODER, EventFrame

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hullwatch.config.events_settings import EventsSettings
    from hullwatch.config.settings import Settings

END_WAIT = 5.0  # seconds for the writer to write what it has
PACK_INTERVAL = 20.0  # seconds between looks for logs that are complete
PACK_LONGEST = 600.0  # seconds, after which a packer that does not end is ended
MOST_FAILURES = 3  # in a row; then packing is tried again after PACK_RETRY
PACK_RETRY = 600.0


class EventStarter:
    """Starts the writer when the engine asks for it, and from time to time a packer.

    Args:
        settings: of the run.
        user: uid and gid that they become.
        state: the directory of what lasts, which is that user's.
        say: tells people a sentence.
        senders: how many have events, each with a number from 0 on.
    """

    def __init__(
        self, settings: Settings, user: tuple[int, int], state: Path, say: Callable[[str], None], senders: int = 1
    ) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._user = user
        self._state = state
        self._say = say
        self._writer = _Child()
        self._packer = _Child()
        self._senders = senders
        self._ends: list[socket.socket] = []
        self._next_look = 0.0
        self._deadline = 0.0
        self._failures = 0
        self._can_pack = True
        self._limits: EventsSettings | None = None  # that the writer has to be told

    def use(self, settings: Settings) -> None:
        """Have events kept by other settings from now on."""
        if settings.events != self._settings.events and self._ends:
            self._limits = settings.events
        self._settings = settings

    def pids(self) -> list[int]:
        """Return the ids of those that run."""
        return [child.pid for child in (self._writer, self._packer) if child.runs()]

    def connection(self, sender: int = 0) -> socket.socket:
        """Return the end of somebody who has events, of which one stays here for the next one in its place.

        To be called where there is one thread only, for it forks when no writer runs.
        """
        if not self._ends or not self._writer.runs() or has_gone(self._ends[sender]):
            self._writer.end()
            self._close()
            pairs = [make_pair() for _ in range(self._senders)]
            ends = [theirs for _, theirs in pairs]
            self._look_for_libraries()

            def begin() -> None:
                from hullwatch.store.kept.process import be_writer

                be_writer(ends, self._settings, self._state, self._user)

            self._writer.pid, self._ends = start("that writes kept events", begin), [ours for ours, _ in pairs]
            for end in ends:
                end.close()
        return self._ends[sender].dup()

    def keep(self) -> None:
        """Have logs packed that are complete, if there are any; called often, where there is one thread only."""
        self._tell_limits()
        now = time.monotonic()
        if not self._ends or now < self._next_look or not self._can_pack:
            return
        self._next_look = now + PACK_INTERVAL
        if self._packer.runs():
            if now > self._deadline:
                self._packer.end()
            return
        self._failures = self._failures + 1 if self._packer.failed else 0
        if self._failures >= MOST_FAILURES:
            self._next_look, self._failures = now + PACK_RETRY, 0
            self._packer.failed = False
            return
        if folder.has_complete(self._state / folder.NAME):
            self._deadline = now + PACK_LONGEST

            def begin() -> None:
                from hullwatch.store.kept.process import be_packer

                be_packer(self._state, self._user)

            self._packer.pid = start("that packs kept events", begin)

    def _tell_limits(self) -> None:
        """Tell the writer by what settings it goes, when there is room for that."""
        if self._limits is None or not self._ends:
            return
        with contextlib.suppress(BlockingIOError):
            with contextlib.suppress(ConnectionError):  # the next writer is started with them
                self._ends[0].send(ENCODER.encode(EventFrame(limits=self._limits)), socket.MSG_DONTWAIT)
            self._limits = None

    def _look_for_libraries(self) -> None:
        """Say once when what is kept cannot be packed."""
        if self._can_pack and importlib.util.find_spec("pyarrow") is None:
            self._can_pack = False
            self._say(
                "Warning: kept events stay in their logs, which are large and slow to ask: they are packed by pyarrow, "
                f"which is not installed: {install('events')}."
            )

    def stop(self) -> None:
        """Let the writer write what it has, and end both: what is not packed stays in the log."""
        self._packer.end()
        self._close()
        deadline = time.monotonic() + END_WAIT
        while self._writer.runs():
            if time.monotonic() > deadline:
                self._writer.end()
                return
            time.sleep(0.01)

    def _close(self) -> None:
        for end in self._ends:
            end.close()
        self._ends = []


class _Child:
    """A process that was started, or none."""

    def __init__(self) -> None:
        self.pid = 0
        self.failed = False

    def runs(self) -> bool:
        if self.pid:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                self.failed = status != 0
        return bool(self.pid)

    def end(self) -> None:
        """End it at once; what it has written stays whole, whenever that is."""
        if self.runs():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
            self.failed = True
