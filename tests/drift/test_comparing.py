"""The process that compares: what it may do, and that one question cannot hold up the next."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.drift import comparing_process
from hullwatch.drift.comparing import Comparing
from hullwatch.drift.comparing_process import LOST_THREADS, serve
from hullwatch.drift.question import TOO_LONG, UNREADABLE, Answer, Limits, Question
from hullwatch.errors import CannotError
from tests.drift.box import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.drift.comparer import Comparer
    from tests.drift.box import Box

USER = 61_501  # has no account
LIMITS = Limits(1 << 20, 5.0)
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has power to give up")


def ask(end: socket.socket, question: Question) -> Answer:
    end.settimeout(10)
    end.send(msgspec.msgpack.encode(question))
    return msgspec.msgpack.decode(end.recv(1 << 16), type=Answer)


@pytest.fixture
def comparing() -> Iterator[Comparing]:
    made = Comparing((USER, USER), LIMITS)
    yield made
    made.stop()


def capabilities(pid: int) -> set[int]:
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("CapEff:"))
    mask = int(line.split()[1], 16)
    return {number for number in range(64) if mask >> number & 1}


@NEEDS_ROOT
def test_it_may_read_and_look_at_processes_and_nothing_else(comparing: Comparing, box: Box) -> None:
    (pid,) = comparing.pids()
    box.do("shutil.copy('/bin/waiter', '/opt/copy'); os.chmod('/opt/copy', 0o100)")
    question = box.run("/opt/copy")
    with comparing.connection() as end:
        assert ask(end, question).verdict == "image"
    assert capabilities(pid) <= {2, 19, 40}  # DAC_READ_SEARCH, SYS_PTRACE, CHECKPOINT_RESTORE
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status
    assert "NoNewPrivs:\t1" in status
    assert Path(f"/proc/{pid}/comm").read_text().strip() == "hullwatch-drift"
    assert len(descriptors(pid)) == 1
    assert descriptors(pid)[0].startswith("socket:")
    box.end(question)


def descriptors(pid: int) -> list[str]:
    """Return what a process has open beside its standard streams."""
    return [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir() if int(one.name) > 2]


@NEEDS_ROOT
def test_it_is_started_once_and_again_when_it_has_ended(comparing: Comparing) -> None:
    (first,) = comparing.pids()
    assert comparing.pids() == [first]
    os.kill(first, 9)
    while Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.001)
    with comparing.connection() as end:
        assert ask(end, Question(5, "container", CONTAINER, 1 << 22, 1)).number == 5
    assert comparing.pids() != [first]


@NEEDS_ROOT
def test_an_engine_after_a_crash_gets_the_same_one(comparing: Comparing) -> None:
    comparing.pids()
    for number in range(2):
        with comparing.connection() as end:
            assert ask(end, Question(number, "container", CONTAINER, 1 << 22, 1)).number == number


def test_when_it_is_off_there_is_none() -> None:
    comparing = Comparing((USER, USER), None)
    assert comparing.pids() == []
    with pytest.raises(CannotError, match=r"drift\.enabled is false"):
        comparing.connection()
    comparing.stop()


class _Hanging:
    """Stands for a comparer that meets file systems which never answer, and mistakes."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def answer(self, question: Question) -> Answer:
        if question.path == b"hang":
            self.released.wait()
        if question.path == b"mistake":
            raise ZeroDivisionError
        return Answer(question.number, "drift")


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    hangs = _Hanging()
    comparer: Comparer = hangs  # pyright: ignore[reportAssignmentType] - stands for one

    def work() -> None:
        with theirs:
            serve(theirs, comparer, 0.05)

    thread = threading.Thread(target=work)
    thread.start()
    with ours:
        yield ours
    hangs.released.set()
    thread.join(10)


def test_a_question_that_hangs_is_given_up_and_the_next_is_answered(hanging: socket.socket) -> None:
    assert ask(hanging, Question(1, "program", CONTAINER, 1, 1, b"hang")) == Answer(1, "unknown", reason=TOO_LONG)
    assert ask(hanging, Question(2, "program", CONTAINER, 1, 1, b"x")) == Answer(2, "drift")
    assert ask(hanging, Question(3, "program", CONTAINER, 1, 1, b"mistake")).reason == UNREADABLE
    assert ask(hanging, Question(4, "program", CONTAINER, 1, 1, b"x")) == Answer(4, "drift")


def test_with_too_many_that_hang_it_ends_so_that_another_can_be_started(hanging: socket.socket) -> None:
    for number in range(LOST_THREADS):
        assert ask(hanging, Question(number, "program", CONTAINER, 1, 1, b"hang")).reason == TOO_LONG
    hanging.settimeout(10)
    assert hanging.recv(1) == b""


def test_messages_are_as_long_as_the_longest_path() -> None:
    question = Question(1, "program", CONTAINER, 1, 1, b"\xff" * 4096)
    assert len(msgspec.msgpack.encode(question)) < comparing_process.MAXIMUM_MESSAGE
