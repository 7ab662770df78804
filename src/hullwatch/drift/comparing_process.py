"""The process that compares: it may read what root may read, and nothing else that root may.

Questions come over a socket pair, one at a time. Each is worked on in a thread, for a file can lie in a file system
that never answers: then the thread is left behind, and the answer says that it took too long.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from hullwatch.drift.comparer import Comparer
from hullwatch.drift.question import TOO_LONG, UNREADABLE, Answer, Question
from hullwatch.own_process import FreePages

if TYPE_CHECKING:
    import socket

    from hullwatch.drift.question import Limits

NAME = "hullwatch-drift"
MAXIMUM_MESSAGE = 1 << 16  # bytes
MORE_PATIENCE = 2.0  # seconds that a thread may take beyond what it limits itself to
LOST_THREADS = 4  # that hang; then the process ends, for another to be started
NICE = 10

_CAP_DAC_READ_SEARCH, _CAP_SYS_PTRACE, _CAP_CHECKPOINT_RESTORE = 2, 19, 40  # linux/capability.h
_KEPT = 1 << _CAP_DAC_READ_SEARCH | 1 << _CAP_SYS_PTRACE | 1 << _CAP_CHECKPOINT_RESTORE
_CAPABILITY_VERSION = 0x20080522
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS = 1, 4, 8, 38  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)


def be_comparer(end: socket.socket, user: tuple[int, int], limits: Limits) -> NoReturn:
    """Be the process that compares, in the process that was forked for it; never return.

    Args:
        end: where questions come from.
        user: uid and gid to become.
        limits: of the work for one question.
    """
    code = 1
    try:
        _leave_everything(end.fileno())
        give_up_power(*user)
        serve(end, Comparer(limits), limits.seconds + MORE_PATIENCE)
        code = 0
    finally:
        os._exit(code)


def _leave_everything(kept: int) -> None:
    """Let go of what the supervisor has: its descriptors, its name."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    with contextlib.suppress(OSError):  # only what `ps` shows
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    with contextlib.suppress(OSError):
        os.nice(NICE)
    os.chdir("/")


def give_up_power(uid: int, gid: int) -> None:
    """Become a user who owns nothing, and keep what it takes to look into containers and read files.

    Raises:
        OSError: when the kernel refuses.
    """
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    now = ctypes.create_string_buffer(24)
    _must(_libc.capget(header, now))
    kept = [words & mask for words, mask in zip(struct.unpack("6I", now.raw)[1::3], _halves(_KEPT), strict=True)]
    _must(_libc.capset(header, struct.pack("6I", kept[0], kept[0], 0, kept[1], kept[1], 0)))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # behind the change of user, which resets it


def _halves(mask: int) -> tuple[int, int]:
    return mask & 0xFFFFFFFF, mask >> 32


def _prctl(option: int, value: int) -> None:
    _must(_libc.prctl(option, value, 0, 0, 0))


def _must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def serve(end: socket.socket, comparer: Comparer, patience: float) -> None:
    """Answer questions until the other end is closed, or too many of them hang.

    Args:
        end: of a socket pair that keeps messages apart.
        comparer: that knows the answers.
        patience: seconds for one, after which it is given up.
    """
    worker, free_pages = _Worker(comparer), FreePages()
    while worker.lost < LOST_THREADS and (data := end.recv(MAXIMUM_MESSAGE)):
        question = msgspec.msgpack.decode(data, type=Question)
        answer = worker.answer(question, patience)
        if answer is None:
            answer = Answer(question.number, "unknown", reason=TOO_LONG)
        end.send(msgspec.msgpack.encode(answer))
        free_pages.tick(time.monotonic())


class _Worker:
    """Threads, of which one works; ``lost`` are those that were given up."""

    def __init__(self, comparer: Comparer) -> None:
        self._comparer = comparer
        self.lost = 0
        self._begin()

    def _begin(self) -> None:
        """Start a thread, with queues of its own: one that comes back late must not answer for another question."""
        self._questions: queue.SimpleQueue[Question] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(self._questions, self._answers), daemon=True).start()

    def _work(self, questions: queue.SimpleQueue[Question], answers: queue.SimpleQueue[Answer]) -> None:
        while True:
            question = questions.get()
            try:
                answer = self._comparer.answer(question)
            except Exception:  # noqa: BLE001 - whatever a file provokes: the next question is answered
                answer = Answer(question.number, "unknown", reason=UNREADABLE)
            answers.put(answer)
            if answers is not self._answers:  # given up meanwhile, and replaced
                self.lost -= 1
                return

    def answer(self, question: Question, patience: float) -> Answer | None:
        """Return the answer; None when it does not come in time."""
        self._questions.put(question)
        try:
            return self._answers.get(timeout=patience)
        except queue.Empty:
            self.lost += 1
            self._begin()
            return None
