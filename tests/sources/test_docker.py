from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.sources.docker_connection import EngineConnection
from tests.fake_engine import IMAGE, FakeEngine
from tests.sources.watched import SOON, Watch

if TYPE_CHECKING:
    from pathlib import Path


A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_a_fake_engine_s_containers_that_ran_before_are_inspected_with_their_images(engine: FakeEngine) -> None:
    engine.add(A)
    watching = Watch(engine.url)
    inspection = watching.next()
    watching.source.stop()
    assert (inspection.full_id, inspection.kind, inspection.reason) == (A, "docker", "")
    assert b"name-of-aaaa" in inspection.container
    assert IMAGE["RepoDigests"][0].encode() in inspection.image


def test_a_container_is_inspected_when_a_fake_engine_says_that_it_was_created(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    engine.add(A)
    engine.send_action("create", A)
    assert watch.next().full_id == A
    engine.containers[A]["Name"] = "/renamed"
    engine.send_action("rename", A)
    assert b"/renamed" in watch.next().container


def test_a_container_s_name_is_told_at_once_when_a_fake_engine_makes_it(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    engine.add(A)
    engine.send({"Action": "create", "Actor": {"ID": A, "Attributes": {"name": "web", "image": "nginx:1", "x": "1"}}})
    first, second = watch.next(), watch.next()
    assert (first.full_id, first.form, first.requested) == (A, "docker_event", False)
    assert b"nginx:1" in first.container
    assert (second.full_id, second.form) == (A, "docker")


def test_the_image_is_asked_for_once_for_all_its_containers(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    for full_id in (A, B, C):
        engine.add(full_id)
        engine.send_action("create", full_id)
        assert watch.next().image
    assert sum(path.startswith("/images/") for path in engine.asked) == 1


def test_a_removed_container_is_told_of_and_not_counted_any_more(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    engine.add(A)
    engine.send_action("create", A)
    watch.next()
    assert watch.source.status.containers == 1
    engine.send_action("destroy", A)
    assert watch.next().removed
    assert watch.source.status.containers == 0


def test_a_fake_podman_is_recognised_and_may_send_no_headers_before_its_first_event(tmp_path: Path) -> None:
    fake = FakeEngine(tmp_path / "p.sock")
    fake.answers["/version"] = {**fake.answers["/version"], "Components": [{"Name": "Podman Engine"}]}
    fake.headers_late = True
    fake.start()
    fake.add(A)
    watching = Watch(fake.url)
    assert watching.next().kind == "podman"
    fake.wait_for_subscriber()
    fake.add(B)
    fake.send_action("init", B)
    assert watching.next(lambda i: i.full_id == B).container
    watching.source.stop()
    fake.stop()


def test_the_newest_version_of_the_api_that_both_know_is_used(engine: FakeEngine) -> None:
    connection = EngineConnection(engine.url)
    for offered, least, expected in (
        ("1.41", "1.24", "v1.41"),
        ("1.99", "1.44", "v1.51"),
        ("1.99", "1.60", "v1.60"),
        ("x", None, "v1.41"),
    ):
        engine.answers["/version"] = {"ApiVersion": offered, "MinAPIVersion": least}
        connection.negotiate()
        assert connection.version == expected
    connection.close()


def test_a_socket_that_somebody_else_opened_is_used(engine: FakeEngine) -> None:
    engine.add(A)
    opened: list[str] = []

    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(engine.path))
        opened.append(threading.current_thread().name)
        return connection

    watching = Watch("unix:///nowhere", connect)
    assert watching.next().container
    watching.source.stop()
    assert {"engine-events", "engine-listed"} & set(opened)


@pytest.mark.parametrize("error", [ConnectionRefusedError("it is not granted"), KeyError("it is not granted")])
def test_a_socket_that_is_refused_is_told_in_the_status_and_tried_again(engine: FakeEngine, error: Exception) -> None:
    granted = threading.Event()

    def connect() -> socket.socket:
        if not granted.is_set():
            raise error
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(engine.path))
        return connection

    watching = Watch("unix:///nowhere", connect)
    watching.wait_until(lambda source: "it is not granted" in source.status.last_error)
    watching.source.request(A)
    assert "it is not granted" in watching.next().reason
    granted.set()
    engine.wait_for_subscriber()
    granted.clear()
    watching.source.request(B)
    assert "it is not granted" in watching.next(lambda i: i.full_id == B).reason
    watching.source.stop()


def test_an_engine_that_listens_on_tcp_is_watched_and_the_watch_ends_at_once(engine: FakeEngine) -> None:
    engine.headers_late = True
    engine.add(A)
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    def serve() -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, where = listener.accept()
                engine.serve(client, where)

    thread = threading.Thread(target=serve)
    thread.start()
    watching = Watch(address)
    assert watching.next().full_id == A
    engine.wait_for_subscriber()
    began = time.monotonic()
    watching.source.stop()
    assert time.monotonic() - began < 1
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(SOON)


# ---- requests


def test_a_request_is_answered_with_the_container_and_marked(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    engine.add(A)
    watch.source.request(A)
    inspection = watch.next()
    assert (inspection.full_id, inspection.requested) == (A, True)
    assert inspection.container


def test_a_request_for_what_a_fake_engine_does_not_know_is_answered_with_the_reason(
    engine: FakeEngine, watch: Watch
) -> None:
    engine.wait_for_subscriber()
    watch.source.request(A)
    inspection = watch.next()
    assert (inspection.reason, inspection.container, inspection.requested) == ("the engine does not know it", b"", True)


def test_a_request_is_answered_while_the_list_is_slow(engine: FakeEngine) -> None:
    go_on = threading.Event()
    slow = [f"{number:064x}" for number in range(30)]
    for full_id in slow:
        engine.add(full_id)
        engine.answers[f"/containers/{full_id}/json"] = lambda: (go_on.wait(SOON), 404)[1]
    engine.add(A)
    del engine.containers[A]
    watching = Watch(engine.url)
    engine.wait_for_subscriber()
    engine.add(A)
    watching.source.request(A)
    assert watching.next().full_id == A
    go_on.set()
    watching.source.stop()


def test_requests_for_the_same_container_collapse_into_one_question(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    go_on = threading.Event()
    engine.answers[f"/containers/{A}/json"] = lambda: (go_on.wait(SOON), 404)[1]
    for _ in range(1000):
        watch.source.request(A)
    go_on.set()
    assert watch.next().full_id == A
    watch.source.request(B)
    assert watch.next().full_id == B
    assert sum(A in path for path in engine.asked) <= 2


def test_an_id_that_is_none_is_counted_and_never_part_of_a_request(engine: FakeEngine, watch: Watch) -> None:
    engine.wait_for_subscriber()
    for wrong in ("", "../../images/x", "A" * 64, "a" * 63, "a" * 64 + "/x", "a" * 64 + "\n"):
        watch.source.request(wrong)
    watch.source.request(A)
    assert watch.next().full_id == A
    assert watch.source.status.dropped == 6
    assert all(path in {"/version", "/containers/json", f"/containers/{A}/json"} for path in engine.asked)


def test_without_an_engine_a_request_is_answered_at_once(tmp_path: Path) -> None:
    watching = Watch(f"unix://{tmp_path}/nothing.sock")
    began = time.monotonic()
    watching.source.request(A)
    inspection = watching.next()
    assert time.monotonic() - began < 1
    assert inspection.requested
    assert "reached" in inspection.reason
    watching.wait_until(lambda source: "No such file" in source.status.last_error)
    assert not watching.source.status.reachable
    watching.source.stop()


@pytest.mark.parametrize("url", ["nonsense", "ssh://host", "unix://", "tcp://", "npipe:////./pipe/x"])
def test_a_url_that_cannot_be_used_is_told_in_the_status_and_answers_requests(url: str) -> None:
    watching = Watch(url)
    watching.wait_until(lambda source: source.status.last_error != "")
    watching.source.request(A)
    assert watching.next().reason
    watching.source.stop()
    assert "Traceback" not in watching.source.status.last_error
