"""What a fake CRI-O says, over real gRPC: there is none to be had for tests. And what a hostile one says."""

from __future__ import annotations

import json
import queue
import time
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.enrich.cri_metadata import container_from
from hullwatch.enrich.metadata import ContainerMetadata
from hullwatch.sources import cri
from hullwatch.sources.cri import CriSource
from hullwatch.sources.engine import Inspection
from hullwatch.sources.protobuf import Message, write
from tests.fake_grpc import NOT_FOUND, FakeGrpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hullwatch.enrich.container import Container

A, POD = "a" * 64, "b" * 64
RUNTIME = "/runtime.v1.RuntimeService/"
SOON = 10.0  # seconds
RUNNING, EXITED = 1, 2
SPEC: dict[str, Any] = {
    "process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_NET_RAW"]}, "args": ["serve"]},
    "linux": {"namespaces": [{"type": "pid", "path": "/proc/1/ns/pid"}, {"type": "network"}, {"type": "ipc"}]},
}


def status(state: int = RUNNING, full_id: str = A, name: str = "web", **info: Any) -> bytes:
    """Return a ContainerStatusResponse."""
    told = {"sandboxID": POD, "pid": 4711, "privileged": False, "runtimeSpec": SPEC, **info}
    labels = [(12, write([(1, "io.kubernetes.pod.name"), (2, "web-0")]))]
    about: list[tuple[int, Any]] = [
        (1, full_id),
        (2, write([(1, name), (2, 4)])),
        (3, state),
        (4, 1000),
        (5, 2000),
        (6, 3000 if state == EXITED else 0),
        (7, 137 if state == EXITED else 0),
        (8, write([(1, "quay.io/shop/web:2")])),
        (9, "quay.io/shop/web@sha256:" + "c" * 64),
        *labels,
        (14, write([(1, "/data"), (2, "/srv"), (3, 1), (5, 2)])),
    ]
    return write([(1, write(about)), (2, write([(1, "info"), (2, json.dumps(told))]))])


def pod(name: str = "web-0") -> bytes:
    """Return a PodSandboxStatusResponse."""
    about: list[tuple[int, Any]] = [
        (1, POD),
        (2, write([(1, name), (2, "uid-1"), (3, "shop")])),
        (4, 500),
        (5, write([(1, "10.1.2.3")])),
        (7, write([(1, "statefulset.kubernetes.io/pod-name"), (2, name)])),
        (8, write([(1, "kubectl.kubernetes.io/last-applied-configuration"), (2, APPLIED)])),
    ]
    return write([(1, write(about))])


APPLIED = json.dumps(
    {"spec": {"containers": [{"name": "web", "livenessProbe": {"exec": {"command": ["cat", "/tmp/alive"]}}}]}}
)


def known(answer: bytes, key: str = A) -> Callable[[bytes], bytes | int]:
    return lambda request: answer if Message(request).text(1) == key else NOT_FOUND


@pytest.fixture
def crio(tmp_path: Path) -> Iterator[FakeGrpc]:
    fake = FakeGrpc(tmp_path / "crio.sock")
    listed = write([(1, write([(1, A), (2, POD), (6, RUNNING)]))])
    fake.answers = {
        RUNTIME + "Version": write([(1, "0.1.0"), (2, "cri-o"), (3, "1.30.0"), (4, "v1")]),
        RUNTIME + "ListContainers": listed,
        RUNTIME + "ListPodSandbox": write([(1, write([(1, POD)]))]),
        RUNTIME + "ContainerStatus": known(status()),
        RUNTIME + "PodSandboxStatus": known(pod(), POD),
    }
    yield fake
    fake.stop()


class Following:
    def __init__(self, fake: FakeGrpc) -> None:
        self.containers: queue.SimpleQueue[Container] = queue.SimpleQueue()
        self.source = CriSource("cri:///fake", ContainerMetadata(self.containers.put).take, fake.connect)
        self.source.start()

    def next(self, condition: Callable[[Container], bool]) -> Container:
        end = time.monotonic() + SOON
        while True:
            container = self.containers.get(timeout=max(end - time.monotonic(), 0))
            if condition(container):
                return container


@pytest.fixture
def following(crio: FakeGrpc) -> Iterator[Following]:
    one = Following(crio)
    yield one
    one.source.stop()


def test_a_container_of_a_fake_cri_o_is_known_with_its_pod(following: Following) -> None:
    found = following.next(lambda one: one.full_id == A)
    assert (found.type, found.name, found.pid, found.complete, found.reason) == ("cri-o", "web", 4711, True, "")
    assert (found.image_repository, found.image_tag) == ("quay.io/shop/web", "2")
    assert found.image_digest == "sha256:" + "c" * 64
    assert (found.pod_name, found.pod_namespace, found.pod_uid, found.pod_ip) == ("web-0", "shop", "uid-1", "10.1.2.3")
    assert (found.owner_kind, found.owner_name) == ("StatefulSet", "web")
    assert [(one.source, one.destination, one.rw, one.propagation) for one in found.mounts] == [
        ("/srv", "/data", False, "rshared")
    ]
    assert found.capabilities == ("CAP_CHOWN", "CAP_NET_RAW")
    assert (found.shared_pid, found.privileged, found.restart_count, found.started) == (True, False, 4, 2000)
    assert found.liveness_probe == ("cat", "/tmp/alive")
    following.source.request(POD)
    sandbox = following.next(lambda one: one.full_id == POD)
    assert (sandbox.name, sandbox.pod_uid) == ("POD", "uid-1")


def test_without_events_of_a_fake_cri_o_its_lists_are_compared(crio: FakeGrpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cri, "POLL_INTERVAL", 0.05)
    following = Following(crio)
    following.next(lambda one: one.full_id == A)
    crio.answers[RUNTIME + "ContainerStatus"] = known(status(EXITED))
    crio.answers[RUNTIME + "ListContainers"] = write([(1, write([(1, A), (6, EXITED)]))])
    ended = following.next(lambda one: one.exit_code is not None)
    assert (ended.exit_code, ended.finished, ended.running, ended.pid) == (137, 3000, False, 0)
    following.source.stop()


def test_events_of_a_fake_cri_o_are_followed(crio: FakeGrpc) -> None:
    news: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    crio.answers[RUNTIME + "GetContainerEvents"] = lambda _: iter(news.get, b"end")
    following = Following(crio)
    following.next(lambda one: one.full_id == A)
    crio.answers[RUNTIME + "ContainerStatus"] = known(status(EXITED))
    news.put(write([(1, A), (2, 2)]))
    assert following.next(lambda one: one.exit_code is not None).exit_code == 137
    news.put(b"end")
    following.source.stop()


def test_a_container_that_a_fake_cri_o_does_not_know_is_answered(following: Following) -> None:
    following.next(lambda one: one.full_id == A)  # it is reached
    following.source.request("f" * 64)
    missing = following.next(lambda one: one.full_id == "f" * 64)
    assert (missing.complete, missing.reason) == (False, "the engine does not know it")


@pytest.mark.parametrize("answer", [b"\xff\xff", b"", status(full_id="d" * 64), write([(1, "x")])])
def test_what_is_no_answer_about_the_container_gives_an_incomplete_one_with_the_reason(answer: bytes) -> None:
    found = container_from(Inspection(full_id=A, kind="cri-o", form="cri", container=answer))
    assert (found.id, found.complete, found.type) == (A[:12], False, "cri-o")
    assert found.reason


def test_hostile_names_labels_and_words_of_a_runtime_are_bounded(crio: FakeGrpc) -> None:
    huge = "x" * 10_000
    spec = {**SPEC, "process": {"args": [huge] * 5000, "capabilities": {"bounding": [huge] * 999}}}
    answer = status(name=huge + "\n\x1b[2J", runtimeSpec=spec)
    found = container_from(
        Inspection(
            full_id=A,
            kind="cri-o",
            form="cri",
            container=answer,
            pod=pod("\udcff".encode("utf-8", "replace").decode() * 9999),
        )
    )
    assert found.complete
    assert max(len(found.name), len(found.pod_name), *map(len, found.command), *map(len, found.capabilities)) <= 4096
    assert len(found.command) <= 256
    assert "are left out" in found.reason


@pytest.mark.parametrize("info", ["{", '{"pid": "x"}', "[" * 10_000, '{"runtimeSpec": {"mounts": 5}}'])
def test_words_of_a_runtime_that_can_not_be_read_leave_the_rest(info: str) -> None:
    told = Message(status())
    answer = write([(1, told.bytes(1)), (2, write([(1, "info"), (2, info)]))])
    found = container_from(Inspection(full_id=A, kind="cri-o", form="cri", container=answer, pod=pod()))
    assert (found.complete, found.name, found.pod_uid, found.pid) == (True, "web", "uid-1", 0)
