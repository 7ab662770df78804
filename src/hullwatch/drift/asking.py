"""The engine's side: questions are asked in a thread, and answers come back as records of the stream."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.drift.content import Recent
from hullwatch.drift.question import NO_ANSWER, NO_COPY, NO_LAYERS, NO_STORAGE, TOO_LARGE, TOO_MANY, Answer, Question
from hullwatch.errors import CannotError
from hullwatch.events.codec import encode

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from hullwatch.channel import Supervisor
    from hullwatch.counters import Counters

QUEUE_MAXIMUM = 2048  # questions that wait
ANSWERS_KEPT = 4096
ANSWER_PATIENCE = 5.0  # seconds beyond the limit for a question
RETRY = 1.0  # seconds at least between the processes that are asked for
_MAXIMUM_MESSAGE = 1 << 16
_KEEPS = frozenset({"program", "library"})  # of which the kernel names the inode's state

_REMAINS = frozenset({NO_LAYERS, NO_COPY, NO_STORAGE, TOO_LARGE, TOO_MANY})  # reasons that are the same next time


class Asked(NamedTuple):
    """A question, with what its record has to say: when it happened, and the header of what told of it."""

    question: Question
    happened: int
    header: dict[str, int]


class Asker:
    """Asks the process that compares; all but the thread's own work is for one thread.

    Args:
        supervisor: that has the connection to it.
        counters: where questions are counted that found no room.
        seconds: that a question may take.
        wake: called in the thread when an answer is there.
    """

    def __init__(self, supervisor: Supervisor, counters: Counters, seconds: float, wake: Callable[[], None]) -> None:
        """Start nothing yet."""
        self._supervisor = supervisor
        self._counters = counters
        self._patience = seconds + ANSWER_PATIENCE
        self._wake = wake
        self._waiting: queue.Queue[Asked | None] = queue.Queue(QUEUE_MAXIMUM)
        self._answered: deque[tuple[Asked, Answer]] = deque()
        self._known: Recent[tuple[object, ...], Answer] = Recent(ANSWERS_KEPT)
        self._thread: threading.Thread | None = None
        self._connection: socket.socket | None = None
        self._retry = 0.0
        self._ended = threading.Event()
        self._lost = False
        self._unaware: deque[str] = deque(maxlen=QUEUE_MAXIMUM)

    @property
    def waiting(self) -> int:
        """How many questions wait."""
        return self._waiting.qsize()

    def take_lost(self) -> bool:
        """Tell whether the process that compares was lost since the last call."""
        lost, self._lost = self._lost, False
        return lost

    def take_unaware(self) -> Iterator[str]:
        """Yield the containers of which the process that compares was told in vain, by id; empty for all of them."""
        while self._unaware:
            yield self._unaware.popleft()

    def ask(self, asked: Asked) -> bool:
        """Ask, unless the same file was asked about before; does not wait. Return whether there will be an answer."""
        known = self._known.get(_key(asked.question))
        if known is not None:
            self._answered.append((asked, known))
            self._wake()
            return True
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="drift", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(asked)
        except queue.Full:
            self._counters.drift_not_asked += 1
            return False
        return True

    def take(self, now: Callable[[], int]) -> Iterator[bytes]:
        """Yield a record for each answer that has come and says something.

        Args:
            now: gives the time since boot, ns.
        """
        while self._answered:
            asked, answer = self._answered.popleft()
            question = asked.question
            if question.kind in _KEEPS and (answer.verdict in {"drift", "image"} or answer.reason in _REMAINS):
                self._known.put(_key(question), answer)
            if answer.verdict:
                yield encode(
                    "drift",
                    {**asked.header, "time": now()},
                    happened=asked.happened,
                    kind=question.kind,
                    verdict=answer.verdict,
                    place=answer.place,
                    path=question.path,
                    sha256=answer.sha256,
                    size=answer.size,
                    reason=answer.reason,
                )

    def finish(self, seconds: float) -> None:
        """Wait for what was asked, within a bounded time."""
        deadline = time.monotonic() + seconds
        with self._waiting.all_tasks_done:
            while self._waiting.unfinished_tasks and (left := deadline - time.monotonic()) > 0:
                self._waiting.all_tasks_done.wait(left)
            self._counters.drift_not_asked += self._waiting.unfinished_tasks

    def close(self) -> None:
        """Ask no more; does not wait for the thread."""
        self._ended.set()
        with contextlib.suppress(queue.Full):  # then it looks soon
            self._waiting.put_nowait(None)

    def _run(self) -> None:
        while True:
            asked = self._waiting.get()
            if asked is None or self._ended.is_set():
                break
            answer = self._answer(asked.question)
            if asked.question.kind == "container" and answer.reason:
                self._unaware.append(asked.question.container)
            self._answered.append((asked, answer))
            self._waiting.task_done()
            self._wake()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answer(self, question: Question) -> Answer:
        """Return an answer, of a second process if the first one does not give it."""
        for _ in range(2):
            with contextlib.suppress(CannotError, OSError, msgspec.MsgspecError):
                return self._exchange(self._connect(), question)
            if self._connection is not None:
                self._lost = True
                self._unaware.append("")
                self._disconnect()
        verdict = "" if question.kind == "container" else "unknown"
        return Answer(question.number, verdict, reason=NO_ANSWER)

    def _connect(self) -> socket.socket:
        if self._connection is None:
            self._ended.wait(self._retry - time.monotonic())
            self._retry = time.monotonic() + RETRY
            self._connection = self._supervisor.drift_comparer()
            self._connection.settimeout(self._patience)
        return self._connection

    def _exchange(self, connection: socket.socket, question: Question) -> Answer:
        connection.send(msgspec.msgpack.encode(question))
        while data := connection.recv(_MAXIMUM_MESSAGE):
            answer = msgspec.msgpack.decode(data, type=Answer)
            if answer.number == question.number:  # else it is to what an earlier engine asked, or came too late
                return answer
        raise ConnectionResetError(os.strerror(104))


def _key(question: Question) -> tuple[object, ...]:
    """Return what is equal for questions about the same state of the same file."""
    return (
        question.kind, question.container, question.path, question.upper,
        question.ino, question.ctime, question.mtime,
    )  # fmt: skip
