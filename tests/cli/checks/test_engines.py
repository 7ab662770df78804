import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hullwatch.cli.checks.engines import engines


class FakeEngine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    answer = b""


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        assert isinstance(self.server, FakeEngine)
        body = self.server.answer
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[str, FakeEngine]]:
    path = str(tmp_path / "engine.sock")
    with FakeEngine(path, Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"unix://{path}", server
        server.shutdown()
        thread.join()


def test_a_fake_engine_that_answers_is_told_with_its_version(engine: tuple[str, FakeEngine]) -> None:
    url, server = engine
    server.answer = b'{"Version":"27.1\\u001b[2J","ApiVersion":"1.46","Components":[{"Name":"Engine"}]}'
    check = engines(url, {})[0]
    assert check.status == "ok"
    assert check.sentence == f"Docker 27.1\x1b[2J answers at {url}."


def test_a_fake_podman_is_called_podman(engine: tuple[str, FakeEngine]) -> None:
    url, server = engine
    server.answer = b'{"Version":"5","ApiVersion":"1.41","Components":[{"Name":"Podman Engine"}]}'
    assert engines("", {"DOCKER_HOST": url})[0].sentence.startswith("Podman 5 answers")


@pytest.mark.parametrize("answer", [b"", b"[]", b"no json", b"\xff"])
def test_a_fake_engine_that_answers_nonsense_is_a_warning(engine: tuple[str, FakeEngine], answer: bytes) -> None:
    url, server = engine
    server.answer = answer
    assert engines(url, {})[0].status == "warn"


def test_an_engine_that_is_not_there_is_a_warning_with_the_command_that_starts_it(tmp_path: Path) -> None:
    check = engines(f"unix://{tmp_path}/none.sock", {})[0]
    assert check.status == "warn"
    assert "names and images" in check.sentence
    assert "systemctl start docker" in check.fix


def test_a_password_in_the_url_of_an_engine_is_not_shown() -> None:
    check = engines("gopher://bob:hunter2@host", {})[0]
    assert "hunter2" not in check.sentence
