"""The engine's side: questions that do not hold it up, and answers that are records."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hullwatch.counters import Counters
from hullwatch.drift import asking
from hullwatch.drift.asking import Asked, Asker
from hullwatch.drift.question import NO_ANSWER, Answer, Question
from hullwatch.errors import CannotError
from hullwatch.events.codec import decode, walk
from hullwatch.events.table import BY_NAME
from tests.drift.box import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.channel import Supervisor

HEADER = {"process_start": 5, "cgroup_id": 6, "uid": 7, "pid": 8, "tid": 9, "cpu": 1}


class _Other:
    """The other end: stands for the supervisor, and for the process that compares."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.go = threading.Event()
        self.go.set()
        self.connections = 0
        self.refuses = False
        self.closes = False
        self.ends_at = 0  # after so many questions the first process is gone
        self._threads: list[threading.Thread] = []

    def drift_comparer(self) -> socket.socket:
        self.connections += 1
        if self.refuses:
            raise CannotError("There is none.")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        thread = threading.Thread(target=self._serve, args=(theirs,), daemon=True)
        thread.start()
        self._threads.append(thread)
        return ours

    def _serve(self, end: socket.socket) -> None:
        with end:
            while data := end.recv(1 << 16):
                question = msgspec.msgpack.decode(data, type=Question)
                self.go.wait()
                self.asked.append(question)
                if self.closes or len(self.asked) == self.ends_at:
                    return
                end.send(msgspec.msgpack.encode(Answer(question.number - 1, "image")))  # to an earlier question
                end.send(msgspec.msgpack.encode(Answer(question.number, "drift", "memory", "ab", 3)))


@pytest.fixture
def other() -> _Other:
    return _Other()


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def asker(other: _Other, counters: Counters) -> Iterator[Asker]:
    supervisor: Supervisor = other  # pyright: ignore[reportAssignmentType] - stands for one
    made = Asker(supervisor, counters, 5.0, lambda: None)
    yield made
    other.go.set()
    made.close()


def program(number: int = 2, path: bytes = b"/tmp/\xffx", ctime: int = 4) -> Asked:
    return Asked(Question(number, "program", CONTAINER, 8, 5, path, ino=3, ctime=ctime, mtime=4), number, HEADER)


def taken(asker: Asker) -> list[dict[str, Any]]:
    asker.finish(10)
    return [
        decode(BY_NAME["drift"], record) | {"header": header}
        for record in asker.take(lambda: 77)
        for _, header in walk(record)
    ]


def test_an_answer_is_a_record_of_the_process_that_ran_the_file(asker: Asker) -> None:
    asker.ask(program())
    (found,) = taken(asker)
    header = found.pop("header")
    assert found == {
        "happened": 2, "kind": "program", "verdict": "drift", "place": "memory", "path": "/tmp/\udcffx",
        "sha256": "ab", "size": 3, "reason": "",
    }  # fmt: skip
    assert header._asdict().items() >= (HEADER | {"time": 77, "type": BY_NAME["drift"].number}).items()


def test_the_same_state_of_a_file_is_asked_about_once_and_told_each_time(asker: Asker, other: _Other) -> None:
    for number in (2, 3, 4):
        asker.ask(program(number))
        assert [one["happened"] for one in taken(asker)] == [number]
    asker.ask(program(5, ctime=9))
    assert len(taken(asker)) == 1
    assert [question.number for question in other.asked] == [2, 5]


def test_scripts_are_asked_about_each_time(asker: Asker, other: _Other) -> None:
    for number in (2, 3):
        asker.ask(Asked(Question(number, "script", CONTAINER, 8, 5, b"/x"), number, HEADER))
        taken(asker)
    assert len(other.asked) == 2


def test_a_full_queue_is_counted_and_nothing_waits_for_it(
    asker: Asker, other: _Other, counters: Counters, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.go.clear()
    for number in range(asking.QUEUE_MAXIMUM + 10):
        asker.ask(program(number, b"/tmp/%d" % number))
    assert counters.drift_not_asked in {9, 10}  # the thread has taken one, or has yet to
    missing = counters.drift_not_asked
    other.go.set()
    assert len(taken(asker)) == asking.QUEUE_MAXIMUM + 10 - missing


@pytest.mark.parametrize("how", ["refuses", "closes"])
def test_without_an_answer_of_two_processes_the_verdict_is_unknown(
    asker: Asker, other: _Other, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "RETRY", 0.01)
    setattr(other, how, True)
    asker.ask(program())
    (found,) = taken(asker)
    assert (found["verdict"], found["reason"]) == ("unknown", NO_ANSWER)
    assert other.connections == 2
    assert (asker.take_lost(), set(asker.take_unaware())) == ((True, {""}) if how == "closes" else (False, set()))
    assert not asker.take_lost()


def test_a_question_that_a_process_ends_with_is_answered_by_the_next(
    asker: Asker, other: _Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "RETRY", 0.01)
    other.ends_at = 1
    asker.ask(program())
    (found,) = taken(asker)
    assert found["verdict"] == "drift"
    assert asker.take_lost()


def test_what_there_is_nothing_to_say_of_is_no_record(
    asker: Asker, other: _Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "RETRY", 0.01)
    other.refuses = True
    asker.ask(Asked(Question(1, "container", CONTAINER, 8, 5), 1, HEADER))
    assert taken(asker) == []
    assert list(asker.take_unaware()) == [CONTAINER]
    assert list(asker.take_unaware()) == []


def test_what_has_no_answer_at_the_end_is_counted(asker: Asker, other: _Other, counters: Counters) -> None:
    other.go.clear()
    asker.ask(program())
    asker.finish(0.01)
    assert counters.drift_not_asked == 1
