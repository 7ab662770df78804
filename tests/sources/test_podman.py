"""Podman's own files as a source of containers; real ones in the end-to-end tests, made-up ones here."""

from __future__ import annotations

import json
import os
import queue
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.enrich.metadata import ContainerMetadata
from hullwatch.sources import podman
from hullwatch.sources.podman import PodmanClient, PodmanFiles, PodmanSource
from tests.bolt_file import BoltFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hullwatch.enrich.container import Container

SOON = 10.0  # seconds
A, B, IMAGE = "a" * 64, "b" * 64, "1" * 64
RUNNING = {"state": 3, "pid": 4711, "startedTime": "2026-11-28T06:00:00Z", "finishedTime": "0001-01-01T00:00:00Z"}
ENDED = {
    "state": 6, "exited": True, "exitCode": 7, "restartCount": 3, "startedTime": "2026-11-28T06:00:00Z",
    "finishedTime": "2026-11-28T06:00:01Z",
}  # fmt: skip


def config(full_id: str, name: str, **more: Any) -> dict[str, Any]:
    """Return a container's configuration, as podman writes it."""
    spec = {
        "process": {"args": ["sleep", "1"], "capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"]}},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/host", "type": "bind", "source": "/etc", "options": ["ro", "rprivate", "rbind"]},
        ],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}], "maskedPaths": ["/proc/kcore"]},
    }
    return {
        "id": full_id, "name": name, "spec": spec, "rootfsImageID": IMAGE, "rootfsImageName": "quay.io/shop/web:2",
        "labels": {"team": "shop"}, "privileged": False, "user": "5:6", "command": ["sleep", "1"],
        "createdTime": "2026-11-28T05:59:59Z",
        "namedVolumes": [{"volumeName": "data", "dest": "/data", "options": ["rw"]}],
        "newPortMappings": [{"host_ip": "", "container_port": 80, "host_port": 8080, "range": 2, "protocol": "tcp"}],
        "healthcheck": {"Test": ["CMD-SHELL", "true"]}, **more,
    }  # fmt: skip


class Files:
    """A storage's files, in one of podman's two forms."""

    def __init__(self, folder: Path, form: str) -> None:
        self.form = form
        self.path = folder / "state"
        self.images = folder / "images.json"
        digest = "sha256:" + "c" * 64
        self.images.write_text(json.dumps([{"id": "0" * 64}, {"id": IMAGE, "digest": digest, "names": [NAME]}]))
        self.transaction = 7
        self.write({})

    def write(self, containers: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> None:
        """Write what there is, as podman does: into the file that is there."""
        self.transaction += 1
        if self.form == "bbolt":
            tables = {
                full_id.encode(): {b"config": json.dumps(one).encode(), b"state": json.dumps(state).encode()}
                for full_id, (one, state) in containers.items()
            }
            data = BoltFile(2).write({b"ctr": tables, b"pod": {}}, self.transaction)
        else:
            data = sqlite(containers)
        with self.path.open("r+b" if self.path.exists() else "wb") as stream:
            stream.write(data)
            stream.truncate()

    def opened(self) -> PodmanFiles:
        return PodmanFiles(lambda: os.open(self.path, os.O_RDONLY), lambda: os.open(self.images, os.O_RDONLY))


NAME = "quay.io/shop/web:2"
NOT_YET = "the engine has not been reached yet"


def sqlite(containers: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> bytes:
    """Return a database with the tables of podman 5 that are read."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute("CREATE TABLE ContainerConfig(ID TEXT PRIMARY KEY, Name TEXT, PodID TEXT, JSON TEXT NOT NULL)")
        base.execute("CREATE TABLE ContainerState(ID TEXT PRIMARY KEY, State INTEGER, ExitCode INTEGER, JSON TEXT)")
        for full_id, (one, state) in containers.items():
            both = json.dumps(one).encode(), json.dumps(state).encode()  # as bytes, as podman 5.4 writes them
            base.execute("INSERT INTO ContainerConfig VALUES (?, ?, NULL, ?)", (full_id, one["name"], both[0]))
            base.execute("INSERT INTO ContainerState VALUES (?, ?, 0, ?)", (full_id, state["state"], both[1]))
        base.commit()
        return base.serialize()


@pytest.fixture(params=["bbolt", "sqlite"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return Files(tmp_path, request.param)


class Following:
    def __init__(self, files: Files) -> None:
        self.containers: queue.SimpleQueue[Container] = queue.SimpleQueue()
        take = ContainerMetadata(self.containers.put).take
        self.source = PodmanSource("podman:///made-up", take, files.opened())
        self.source.start()

    def next(self, condition: Callable[[Container], bool]) -> Container:
        while True:
            container = self.containers.get(timeout=SOON)
            if condition(container):
                return container


@pytest.fixture
def following(files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[Following]:
    monkeypatch.setattr(podman, "POLL_INTERVAL", 0.02)
    files.write({A: (config(A, "web"), RUNNING)})
    one = Following(files)
    yield one
    one.source.stop()


def test_all_that_podman_keeps_of_a_container_is_known(following: Following) -> None:
    found = following.next(lambda one: one.full_id == A)
    assert (found.name, found.type, found.complete, found.reason) == ("web", "podman", True, "")
    assert (found.image, found.image_repository, found.image_tag) == (NAME, "quay.io/shop/web", "2")
    assert (found.image_id, found.image_digest) == (IMAGE, "sha256:" + "c" * 64)
    assert (found.labels, found.privileged, found.user, found.hostname) == ({"team": "shop"}, False, "5:6", "box")
    assert [(one.source, one.destination, one.rw) for one in found.mounts] == [
        ("/etc", "/host", False), ("data", "/data", True),
    ]  # fmt: skip
    assert [(one.host_port, one.container_port) for one in found.ports] == [(8080, 80), (8081, 81)]
    assert (found.capabilities, found.command) == (("CAP_CHOWN", "CAP_KILL"), ("sleep", "1"))
    assert (found.healthcheck, found.pid, found.running) == (("/bin/sh", "-c", "true"), 4711, True)
    assert (found.host_network, found.host_pid, found.host_ipc) == (True, False, False)
    assert (found.exit_code, found.finished, found.restart_count) == (None, 0, 0)
    assert 0 < found.created < found.started


def test_its_end_others_that_come_and_its_removal_are_noticed(files: Files, following: Following) -> None:
    following.next(lambda one: one.full_id == A)
    files.write({A: (config(A, "web"), ENDED), B: (config(B, "new"), {"state": 2})})
    ended = following.next(lambda one: one.full_id == A and not one.running)
    assert (ended.exit_code, ended.restart_count, ended.pid) == (7, 3, 0)
    assert ended.finished - ended.started == 1_000_000_000
    files.write({A: (config(A, "web"), ENDED), B: (config(B, "new"), RUNNING)})
    assert following.next(lambda one: one.full_id == B and one.running).name == "new"
    files.write({})
    assert following.next(lambda one: one.full_id == B and not one.running).name == "new"
    following.source.request(B)
    assert following.next(lambda one: not one.complete).reason == "the engine does not know it"


def test_one_that_is_asked_for_before_the_file_was_looked_at_again_is_known(files: Files) -> None:
    files.write({A: (config(A, "web"), RUNNING)})
    following = Following(files)  # it looks twice a second
    following.next(lambda one: one.full_id == A)
    files.write({A: (config(A, "web"), RUNNING), B: (config(B, "new"), {"state": 2})})
    following.source.request(B)
    assert following.next(lambda one: one.full_id == B).name == "new"
    following.source.stop()


def test_a_file_that_was_replaced_is_opened_anew(files: Files, following: Following) -> None:
    following.next(lambda one: one.full_id == A)
    files.path.unlink()
    files.write({A: (config(A, "renamed"), RUNNING)})
    assert following.next(lambda one: one.name == "renamed").full_id == A


def test_without_the_list_of_images_the_digest_is_not_known(files: Files) -> None:
    files.images.write_text("no list")
    files.write({A: (config(A, "web"), RUNNING)})
    following = Following(files)
    assert following.next(lambda one: one.full_id == A).image_digest == ""
    following.source.stop()


def test_the_list_of_images_is_opened_once_for_many_containers_and_again_for_a_new_image(files: Files) -> None:
    opened: list[int] = []

    def images() -> int:
        opened.append(1)
        return os.open(files.images, os.O_RDONLY)

    client = PodmanClient(PodmanFiles(files.opened().state, images))
    files.write({A: (config(A, "web"), RUNNING), B: (config(B, "new", rootfsImageID="2" * 64), RUNNING)})
    for _ in range(3):
        assert b'"digest"' in client.inspect(A, "").image
    assert len(opened) == 1
    assert client.inspect(B, "").image == b""
    assert len(opened) == 2
    client.close()


@pytest.mark.parametrize("data", [b"", b"x" * 5000, b"SQLite format 3\0" + b"x" * 5000])
def test_a_file_that_is_none_of_podman_s_is_an_error_that_says_so(tmp_path: Path, data: bytes) -> None:
    files = Files(tmp_path, "bbolt")
    files.path.write_bytes(data)
    following = Following(files)
    reason = NOT_YET
    while reason == NOT_YET:  # who asks before the file was opened gets that answer at once
        following.source.request(A)
        reason = following.next(lambda one: one.full_id == A).reason
    assert "podman's file cannot be read" in reason
    following.source.stop()


@pytest.mark.parametrize(
    "changes",
    [{"id": B}, {"name": 5}, {"spec": []}, {"labels": {"a": 1}}, {"newPortMappings": [{"host_port": "x"}]}],
)
def test_a_configuration_that_is_none_is_an_incomplete_container(files: Files, changes: dict[str, Any]) -> None:
    files.write({A: ({**config(A, "web"), **changes}, RUNNING)})
    following = Following(files)
    found = following.next(lambda one: one.full_id == A)
    assert (found.complete, found.type) == (False, "podman")
    assert "what podman keeps of it cannot be used" in found.reason
    following.source.stop()


def test_hostile_sizes_are_bounded(files: Files) -> None:
    ports = [{"host_port": 1, "container_port": 1, "range": 1 << 40}] * 9999
    many = {"labels": {f"l{number}": "x" * 9999 for number in range(999)}, "newPortMappings": ports}
    files.write({A: (config(A, "n" * 99_999, **many), RUNNING)})
    following = Following(files)
    found = following.next(lambda one: one.full_id == A)
    if found.complete:
        assert len(found.name) == 4096
        assert len(found.labels) == len(found.ports) == 256
    else:
        assert found.reason
    following.source.stop()
