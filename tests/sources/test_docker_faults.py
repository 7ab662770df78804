from __future__ import annotations

import queue
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.sources import docker_connection
from hullwatch.sources.docker import DockerSource
from hullwatch.sources.docker_connection import EngineConnection
from hullwatch.sources.engine_errors import EngineError, SlowError
from tests.fake_engine import FakeEngine
from tests.sources.watched import SOON, Watch

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.sources.engine import Inspection


A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_a_fake_engine_that_starts_late_is_found(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path / "late.sock")
    watching = Watch(fake.url)
    watching.wait_until(lambda source: source.status.last_error != "")
    fake.add(A)
    fake.start()
    assert watching.next().full_id == A
    assert watching.source.status.reachable
    watching.source.stop()
    fake.stop()


def test_a_fake_engine_that_restarts_is_listed_again(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    engine.add(A)
    engine.send_action("start", A)
    watch.next()
    engine.stop()
    watch.wait_until(lambda source: not source.status.reachable)
    del engine.containers[A]
    engine.add(B)
    engine.start()
    told = {(i.full_id, i.removed) for i in (watch.next(), watch.next())}
    assert told == {(A, True), (B, False)}
    assert watch.source.status.reconnects == 1
    assert watch.source.status.last_error == ""


def test_a_stream_of_events_that_ends_is_followed_anew_and_nothing_is_missed(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    engine.end_streams()
    engine.add(A)
    assert watch.next().full_id == A
    engine.wait_for_subscriber()
    engine.add(B)
    engine.send_action("create", B)
    assert watch.next(lambda i: i.full_id == B).container


def test_a_fake_engine_that_answers_too_late_times_out_and_the_next_request_works(
    engine: FakeEngine, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.wait_for_subscriber()
    monkeypatch.setattr(EngineConnection.get, "__kwdefaults__", {"timeout": 0.2, "limit": 1 << 20})
    go_on = threading.Event()
    engine.answers[f"/containers/{A}/json"] = lambda: (go_on.wait(SOON), 404)[1]
    watch.source.request(A)
    inspection = watch.next()
    assert "within 0.2 s" in inspection.reason or "in time" in inspection.reason
    assert watch.source.status.timed_out >= 1
    go_on.set()
    engine.add(B)
    watch.source.request(B)
    assert watch.next(lambda i: i.full_id == B).container


def test_a_fake_engine_that_sends_one_byte_now_and_then_does_not_hold_a_thread(tmp_path: Path) -> None:
    path = tmp_path / "drip.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    over = threading.Event()

    def drip() -> None:
        client, _ = server.accept()
        with client:
            client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not over.wait(0.02):
                try:
                    client.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    connection = EngineConnection(f"unix://{path}")
    began = time.monotonic()
    with pytest.raises(SlowError, match=r"within 0\.3 s"):
        connection.get("/version", timeout=0.3)
    assert time.monotonic() - began < 3
    over.set()
    connection.close()
    thread.join(SOON)
    server.close()


def test_an_answer_that_is_too_long_is_refused(engine: FakeEngine) -> None:
    engine.answers["/version"] = b"x" * 100_000
    connection = EngineConnection(engine.url)
    with pytest.raises(EngineError, match="longer than 50000 bytes"):
        connection.get("/version", limit=50_000)
    connection.close()


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"\\ud800"', 500, 301, None])
@pytest.mark.parametrize("path", ["/version", "/containers/json"])
def test_an_answer_of_a_fake_engine_that_is_nonsense_is_an_error_of_the_status(
    tmp_path: Path, path: str, answer: bytes | int | None
) -> None:
    if (path, answer) == ("/containers/json", b"[]"):
        answer = b"[7]"
    fake = FakeEngine(tmp_path / "n.sock")
    good = fake.answers.get(path)
    fake.answers[path] = answer
    fake.start()
    watching = Watch(fake.url)
    watching.wait_until(lambda source: source.status.last_error.startswith("the engine"))
    fake.add(A)
    if good is None:
        del fake.answers[path]
    else:
        fake.answers[path] = good
    assert watching.next().full_id == A  # the thread lives and tried again
    watching.source.stop()
    fake.stop()


@pytest.mark.parametrize(
    "line",
    [
        b"{\n",
        b"[]\n",
        b"null\n",
        b'{"Action":7}\n',
        b'{"Actor":null}\n',
        b"\xff\n",
        b'{"Action":"create","Actor":{"ID":"../x"}}\n',
        b"\n\n\n",
    ],
)
def test_an_event_of_a_fake_engine_that_is_nonsense_does_not_end_the_watch(
    engine: FakeEngine, watch: Watch, line: bytes
) -> None:
    engine.wait_for_subscriber()
    engine.send(line)
    engine.add(A)
    engine.send_action("create", A)
    assert watch.next().full_id == A
    status = watch.source.status
    assert status.connections == 1
    assert status.failed + status.dropped == (line != b"\n\n\n")


def test_an_event_without_an_end_is_bounded(engine: FakeEngine, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_connection, "MAXIMUM_EVENT", 1000)
    engine.wait_for_subscriber()
    engine.send(b"x" * 5000)
    watch.wait_until(lambda source: "more than 1000 bytes" in source.status.last_error)
    engine.wait_for_subscriber()
    engine.add(A)
    engine.send_action("create", A)
    assert watch.next().full_id == A


def test_a_container_that_a_fake_engine_cannot_tell_about_is_asked_for_three_times(
    engine: FakeEngine, watch: Watch
) -> None:
    engine.wait_for_subscriber()
    engine.answers[f"/containers/{A}/json"] = 500
    engine.send_action("create", A)
    assert "status 500" in watch.next().reason
    watch.source.request(B)
    assert watch.next().full_id == B
    assert sum(A in path for path in engine.asked) == 3


def test_a_request_is_answered_by_the_second_attempt_when_a_fake_engine_fails_once(
    engine: FakeEngine, watch: Watch
) -> None:
    engine.wait_for_subscriber()
    engine.add(A)
    answers: list[object] = [500]
    engine.answers[f"/containers/{A}/json"] = lambda: answers.pop() if answers else engine.containers[A]
    watch.source.request(A)
    inspection = watch.next()
    assert (inspection.requested, inspection.reason) == (True, "")
    assert inspection.container


def test_a_receiver_that_fails_does_not_end_the_watch(engine: FakeEngine) -> None:
    received: queue.SimpleQueue[str] = queue.SimpleQueue()

    def emit(inspection: Inspection) -> None:
        received.put(inspection.full_id)
        raise KeyError("a mistake")

    source = DockerSource(engine.url, emit)
    source.start()
    engine.wait_for_subscriber()
    for full_id in (A, B):
        source.request(full_id)
        assert received.get(timeout=SOON) == full_id
    source.stop()
    assert "a mistake" in source.status.last_error


# ---- the end


@pytest.mark.parametrize("when", ["before it is reached", "in the stream", "in an inspection", "without an engine"])
def test_stopping_takes_no_time_and_leaves_no_thread(tmp_path: Path, when: str) -> None:
    go_on = threading.Event()
    fake = FakeEngine(tmp_path / "s.sock")
    fake.headers_late = True
    if when == "before it is reached":
        fake.answers["/version"] = lambda: (go_on.wait(SOON), 500)[1]
    fake.answers[f"/containers/{A}/json"] = lambda: (go_on.wait(SOON), 404)[1]
    if when != "without an engine":
        fake.start()
    watching = Watch(fake.url)
    if when in {"in the stream", "in an inspection"}:
        fake.wait_for_subscriber()
    if when == "in an inspection":
        watching.source.request(A)
        watching.wait_until(lambda _: f"/containers/{A}/json" in fake.asked)
    elif when == "before it is reached":
        watching.wait_until(lambda _: "/version" in fake.asked)
    began = time.monotonic()
    watching.source.stop()
    assert time.monotonic() - began < 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("engine-")]
    go_on.set()
    fake.stop()
