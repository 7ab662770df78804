"""Engines that answer otherwise than with a done pause: the next one is asked, and the freezer is left."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hullwatch.respond.engine_pause import ask_engines

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FULL_ID = "a" * 64


@contextmanager
def fake_engine(path: Path, answer: bytes) -> Generator[list[bytes]]:
    """A socket that gives one answer, whatever it is asked."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with server.accept()[0] as connection:
                heard.append(connection.recv(4096))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        (b"HTTP/1.0 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", False),
        (b"HTTP/1.0 409 Conflict\r\n\r\n", False),
        (b"HTTP/1.0 2040\r\n", False),
        (b"204" * 1000, False),
        (b"", False),
    ],
)
def test_only_an_answer_that_it_is_done_counts(tmp_path: Path, answer: bytes, *, done: bool) -> None:
    path = tmp_path / "fake.sock"
    with fake_engine(path, answer) as heard:
        assert ask_engines([str(tmp_path / "nobody.sock"), str(path)], FULL_ID, "pause") is done
    assert heard[0].startswith(f"POST /containers/{FULL_ID}/pause HTTP/1.0\r\n".encode())
