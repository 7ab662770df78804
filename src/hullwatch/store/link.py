"""The engine's side of the keeper: alerts are handed over in a thread, and the engine waits for nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from hullwatch.errors import CannotError
from hullwatch.store.backlog import LARGEST, Backlog, Entry
from hullwatch.store.frames import ENCODER, MAXIMUM_MESSAGE, TOLD, Frame, Sent
from hullwatch.store.packing import pack
from hullwatch.store.placing import LEAST, PRIORITY

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from hullwatch.alerts.alert import Alert
    from hullwatch.counters import Counters
    from hullwatch.store.frames import Told

RETRY = (0.1, 10.0)  # seconds between keepers that are asked for: the first ones, and later
PATIENCE = 5.0  # seconds at the end for what was not stored yet
DROPPED = "the store: the keeper was behind, and its backlog full"
UNFINISHED = "the store: not kept before the end"
_TICK = 1.0  # seconds
_MOST_EVENTS = 100


class KeeperLink:
    """Hands alerts over, and keeps those that are not stored yet.

    Args:
        connect: returns a connection to a keeper; may wait, and raise CannotError.
        counters: where alerts are counted that were kept or dropped.
        largest: bytes of memory for what waits.
        on_stored: called in the link's thread when something was stored.
    """

    gone = True  # nobody reads it: a run whose other outputs have gone may end

    def __init__(
        self,
        connect: Callable[[], socket.socket],
        counters: Counters,
        largest: int = LARGEST,
        on_stored: Callable[[], None] | None = None,
    ) -> None:
        """Begin with nothing to hand over."""
        self.run = f"{int(time.time()):x}{secrets.token_hex(3)}"
        self._connect = connect
        self._counters = counters
        self._backlog = Backlog(largest)
        self._on_stored = on_stored
        self._lock = threading.Lock()
        self._empty = threading.Condition(self._lock)
        self._number = 0  # of the last alert
        self._told = 0  # the number that the thread was woken for
        self._frame = 0  # of the next frame
        self._wake_descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._connection: socket.socket | None = None
        self._retry = RETRY[0]
        self._problem = ""
        self._events: deque[tuple[str, str, str]] = deque(maxlen=_MOST_EVENTS)
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self._thread.start()

    def send(self, alert: Alert) -> None:
        """Take an alert."""
        body, cut = pack(alert)
        if cut:
            self._counters.cut_alerts += 1
        self._number += 1
        entry = Entry(Sent(self._number, alert.time, body, alert.id), PRIORITY.get(alert.priority, LEAST))
        with self._lock:
            dropped = self._backlog.add(entry)
        if dropped:
            self._counters.lose_alert(DROPPED, dropped)

    @property
    def number(self) -> int:
        """The number of the last alert that was taken."""
        return self._number

    @property
    def problem(self) -> str:
        """What keeps alerts from being stored, a sentence; empty when nothing does."""
        return self._problem

    def stored(self) -> int:
        """Return the number up to which all alerts are stored, or were dropped for want of room."""
        with self._lock:
            oldest = self._backlog.oldest
            return self._number if oldest is None else oldest - 1

    def waiting(self) -> int:
        """Return how many bytes of alerts wait."""
        return self._backlog.size

    def flush(self) -> None:
        """Let what was taken be handed over."""
        if self._told != self._number:  # called for each batch of events, most of which raise none
            self._told = self._number
            self._wake()

    def tick(self) -> None:
        """Note how much waits; the thread looks after everything else."""
        with self._lock:
            self._counters.alerts_waiting = len(self._backlog), self._backlog.size

    def take_events(self) -> Iterator[tuple[str, str, str]]:
        """Yield what people should know, as rule, priority and message of an alert of Hullwatch's own."""
        while self._events:
            yield self._events.popleft()

    def close(self, patience: float = PATIENCE) -> None:
        """Wait until all is stored, within a bounded time; what is not then is counted."""
        self._wake()
        with self._empty:
            if self._problem:  # it has been said that nothing is kept
                patience = min(patience, _TICK)
            self._empty.wait_for(lambda: not len(self._backlog), patience)
            left = len(self._backlog)
            self._ended = True
        if left:
            self._counters.lose_alert(UNFINISHED, left)
        self._wake()
        self._thread.join(_TICK)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self._wake_descriptor, 1)

    # ---- the thread

    def _work(self) -> None:
        while not self._ended:
            try:
                if self._connection is None:
                    self._connection = self._connect()
                    self._connection.settimeout(0)
                self._exchange(self._connection)
            except (OSError, CannotError, msgspec.MsgspecError) as error:
                self._lose(error)
        if self._connection is not None:
            self._connection.close()

    def _lose(self, error: Exception) -> None:
        """Let what was sent be sent to the next keeper."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            if not self._ended:
                self._counters.keeper_restarts += 1
                self._say("Keeper lost", "Error", "The process that keeps alerts has ended. It is started again.")
        elif str(error) != self._problem:
            self._problem = str(error)
            self._say("Alerts not kept", "Error", f"There is no process that keeps alerts: {error}")
        with self._lock:
            self._backlog.take_back()
        end = time.monotonic() + self._retry
        self._retry = min(2 * self._retry, RETRY[1])
        while not self._ended and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _exchange(self, connection: socket.socket) -> None:
        """Wait for something to do, and do it.

        Raises:
            OSError: when the keeper has gone.
        """
        waits = self._send(connection)
        waited = select.poll()
        waited.register(self._wake_descriptor, select.POLLIN)
        waited.register(connection, select.POLLIN | (select.POLLOUT if waits else 0))
        ready = dict(waited.poll(_TICK * 1000))
        if self._wake_descriptor in ready:
            os.eventfd_read(self._wake_descriptor)
        if ready.get(connection.fileno(), 0) & ~select.POLLOUT:
            self._receive(connection)

    def _send(self, connection: socket.socket) -> bool:
        """Send what may be; return whether the keeper has no room for more now."""
        while True:
            with self._lock:
                alerts = self._backlog.next_frame(self._frame)
            if not alerts:
                return False
            try:
                connection.send(ENCODER.encode(Frame(self.run, self._frame, alerts)))
            except BlockingIOError:
                with self._lock:
                    self._backlog.take_back(last=True)
                return True
            self._frame += 1

    def _receive(self, connection: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := connection.recv(MAXIMUM_MESSAGE):
                self._note(TOLD.decode(data))
            raise ConnectionResetError

    def _note(self, told: Told) -> None:
        if told.run == self.run:
            with self._empty:
                self._counters.alerts_kept += self._backlog.stored(told.stored)
                if not len(self._backlog):
                    self._empty.notify_all()
            if self._on_stored is not None:
                self._on_stored()
            self._retry = RETRY[0]
        for reason, number in told.counts.items():
            self._counters.store[reason] = self._counters.store.get(reason, 0) + number
        for event in told.events:
            self._say(*event)
        if told.problem and told.problem != self._problem:
            self._say("Alerts not kept", "Error", told.problem)
        elif self._problem and not told.problem:
            self._say("Alerts kept again", "Informational", "The store takes alerts again.")
        self._problem = told.problem

    def _say(self, rule: str, priority: str, message: str) -> None:
        self._events.append((rule, priority, message))
