"""Which engines are found: named ones, the usual sockets, and those of users, each once and not too many."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from hullwatch.channel import connect_unix, peer_user
from hullwatch.sources import engine_search
from hullwatch.sources.engine_search import EngineAddress, find_engines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Sockets:
    """Sockets below a directory that stands for the root of a host."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listening: list[socket.socket] = []

    def listen(self, path: str) -> str:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(place))
        listener.listen(1)
        self.listening.append(listener)
        return str(place)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sockets]:
    monkeypatch.setattr(engine_search, "DOCKER_SOCKET", str(tmp_path / "d"))
    monkeypatch.setattr(engine_search, "PODMAN_SOCKET", str(tmp_path / "p"))
    monkeypatch.setattr(engine_search, "CONTAINERD_SOCKETS", (str(tmp_path / "c"),))
    monkeypatch.setattr(engine_search, "CRI_SOCKETS", (str(tmp_path / "o"),))
    monkeypatch.setattr(engine_search, "USERS", str(tmp_path / "u"))
    sockets = Sockets(tmp_path)
    yield sockets
    for listener in sockets.listening:
        listener.close()


def urls(found: list[EngineAddress]) -> list[str]:
    return [address.url for address in found]


def test_every_usual_socket_that_is_there_is_found(host: Sockets) -> None:
    d, p, c, o = (host.listen(name) for name in "dpco")
    assert urls(find_engines("", (), {})) == [f"unix://{d}", f"unix://{p}", f"containerd://{c}", f"cri://{o}"]


def test_a_file_that_is_no_socket_is_no_engine(host: Sockets) -> None:
    (host.root / "d").write_text("")
    assert find_engines("", (), {}) == []


def test_docker_host_says_which_docker_and_the_others_are_found_beside_it(host: Sockets) -> None:
    host.listen("d")
    c = host.listen("c")
    assert urls(find_engines("", (), {"DOCKER_HOST": "tcp://x:1"})) == ["tcp://x:1", f"containerd://{c}"]
    assert urls(find_engines("unix:///x", (), {})) == ["unix:///x", f"containerd://{c}"]


def test_named_engines_come_first_and_no_socket_comes_twice(host: Sockets) -> None:
    c = host.listen("c")
    assert urls(find_engines("", (f"cri://{c}", "cri:///else"), {})) == [f"cri://{c}", "cri:///else"]


def test_without_a_search_there_are_only_the_named_ones_and_docker_s(host: Sockets) -> None:
    host.listen("c")
    found = find_engines("unix:///x", ("cri:///y",), {}, search=False)
    assert urls(found) == ["cri:///y", "unix:///x"]


def test_rootless_engines_are_found_with_their_users(host: Sockets) -> None:
    podman, docker = host.listen("u/1000/podman/podman.sock"), host.listen("u/1001/docker.sock")
    host.listen("u/nobody/docker.sock")
    assert find_engines("", (), {}) == [
        EngineAddress(f"unix://{podman}", 1000),
        EngineAddress(f"unix://{docker}", 1001),
    ]


def test_however_many_there_are_the_list_is_bounded(host: Sockets) -> None:
    assert len(find_engines("", [f"cri:///{number}" for number in range(100)], {})) == engine_search.MAXIMUM_ENGINES


def test_who_listens_at_a_socket_is_known(host: Sockets) -> None:
    path = host.listen("d")
    with connect_unix(path) as connection:
        assert peer_user(connection) == os.geteuid()


def test_one_who_listens_and_never_accepts_does_not_make_anybody_wait(host: Sockets) -> None:
    path = host.listen("d")
    waiting: list[socket.socket] = []
    try:
        with pytest.raises(BlockingIOError):
            waiting.extend(connect_unix(path, 0) for _ in range(10))
    finally:
        for connection in waiting:
            connection.close()
