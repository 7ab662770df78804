"""The engine's side of the process that writes kept events: it is told without waiting, and drops what has no room."""

from __future__ import annotations

import contextlib
import select
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from hullwatch.errors import CannotError
from hullwatch.store.frames import MAXIMUM_MESSAGE
from hullwatch.store.kept.frames import ENCODER, FRAME, TOLD, EventFrame, SentEvent

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from hullwatch.counters import Counters

MEMORY = 16 << 20  # bytes that wait for the writer
RETRY = 1.0  # seconds between writers that are asked for
PATIENCE = 3.0  # seconds at the end for what waits
DROPPED = "the writer was behind, and its backlog full"
UNFINISHED = "not written before the end"
LOST = "their writer ended before it had written them, about"
CUT = "texts that were cut, to be kept"
_OVERHEAD = 64  # bytes of an event beside its values, about


class WriterLink:
    """Hands events over. For one thread; another one asks for a connection, which may take a while.

    Args:
        connect: returns a connection to the process that writes.
        counters: where events are counted that were kept or are not.
        memory: bytes for what waits.
    """

    def __init__(self, connect: Callable[[], socket.socket], counters: Counters, memory: int = MEMORY) -> None:
        """Connect: what is asked for here, before the sensor is started, is none of what the sensor tells of."""
        self._connect = connect
        self._counters = counters
        self._memory = memory
        self._processes: dict[bytes, int] = {}
        self._events: list[SentEvent] = []
        self._size = 0  # of the frame that is being made
        self._frames: deque[tuple[bytes, int]] = deque()  # with how many events each has
        self._waiting = 0  # bytes of them
        self._unwritten = 0  # events that were sent, and not said to be written
        self._cut = 0
        self._problem = ""
        self._told: list[tuple[str, str, str]] = []
        self._connection: socket.socket | None = None
        self._asking: threading.Thread | None = None
        self._retry = 0.0
        self._ask()

    # ---- what is handed over

    @property
    def has_room(self) -> bool:
        """Whether an event more may wait."""
        return self._waiting + self._size < self._memory

    def leave_out(self) -> None:
        """Count an event that found no room."""
        self._lose(DROPPED, 1)

    def add(self, process: bytes, time: int, rule: str, values: bytes) -> None:
        """Take an event, and what is said of its process; see ``SentEvent``."""
        number = self._processes.get(process)
        if number is None:
            number = self._processes[process] = len(self._processes)
            self._size += len(process)
        self._events.append(SentEvent(number, time, rule, msgspec.Raw(values)))
        self._size += len(values) + _OVERHEAD
        if self._size >= FRAME:
            self._end_frame()

    def flush(self) -> None:
        """Hand over what the writer has room for now."""
        if self._events:
            self._end_frame()
        if self._frames:
            self._send()

    def _end_frame(self) -> None:
        data = ENCODER.encode(EventFrame(list(self._processes), self._events))
        self._frames.append((data, len(self._events)))
        self._waiting += len(data)
        self._processes.clear()
        self._events = []
        self._size = 0

    def _send(self) -> None:
        connection = self._connection
        while self._frames and connection is not None:
            data, number = self._frames[0]
            try:
                connection.send(data)
            except BlockingIOError:
                return
            except OSError:
                self._disconnect()
                return
            self._unwritten += number
            self._waiting -= len(data)
            self._frames.popleft()

    # ---- the connection

    def tick(self, cut: int = 0) -> list[tuple[str, str, str]]:
        """Do what is due; return what people should know, as rule, priority and message.

        Args:
            cut: how often texts were cut until now.
        """
        if cut > self._cut:
            self._lose(CUT, cut - self._cut)
            self._cut = cut
        if self._connection is None and self._asking is None and monotonic() >= self._retry:
            self._asking = threading.Thread(target=self._ask, name="kept-events", daemon=True)
            self._asking.start()
        self._receive()
        self.flush()
        told, self._told = self._told, []
        return told

    def _ask(self) -> None:
        """Ask for a connection."""
        try:
            connection = self._connect()
            connection.settimeout(0)
            self._connection = connection
        except (OSError, CannotError) as error:
            self._note(str(error))
        self._retry = monotonic() + RETRY
        self._asking = None

    def _disconnect(self) -> None:
        """Go on with the next writer: what the last one had not written is lost."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._say(
                "Kept events lost", "Error", "The process that writes kept events has ended; it is started again."
            )
        self._lose(LOST, self._unwritten)
        self._unwritten = 0

    def _receive(self) -> None:
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(BlockingIOError):
            try:
                while data := connection.recv(MAXIMUM_MESSAGE):
                    told = TOLD.decode(data)
                    self._counters.events_kept += told.written
                    self._unwritten = max(0, self._unwritten - told.written)
                    for reason, number in told.counts.items():
                        self._lose(reason, number)
                    self._note(told.problem)
            except BlockingIOError:
                raise
            except (OSError, msgspec.MsgspecError):
                pass
            self._disconnect()

    def _note(self, problem: str) -> None:
        """Say once that events cannot be kept, and that they can be again."""
        if problem and problem != self._problem:
            self._say("Events not kept", "Error", problem)
        elif self._problem and not problem:
            self._say("Events kept again", "Informational", "Events are kept again.")
        self._problem = problem

    def _say(self, rule: str, priority: str, message: str) -> None:
        self._told.append((rule, priority, message))

    def _lose(self, reason: str, number: int) -> None:
        if number:
            counts = self._counters.events_not_kept
            counts[reason] = counts.get(reason, 0) + number

    def close(self, patience: float = PATIENCE) -> None:
        """Hand over what is left and wait until it is written, within a bounded time."""
        end = monotonic() + (patience if not self._problem else 0.0)
        while True:
            self.flush()
            self._receive()
            connection, left = self._connection, end - monotonic()
            if connection is None or left <= 0 or not (self._frames or self._unwritten):
                break
            waited = select.poll()
            waited.register(connection, select.POLLIN | (select.POLLOUT if self._frames else 0))
            waited.poll(left * 1000)
        self._lose(UNFINISHED, sum(number for _, number in self._frames) + self._unwritten)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
