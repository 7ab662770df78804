"""A server on a real socket, spoken to as friendly and hostile clients would."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from hullwatch.metrics.server import LONGEST_REQUEST, MOST_CONNECTIONS, PATIENCE, MetricsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:8765\r\n\r\n"


class Served:
    """A server that runs in a thread, with a clock that the test moves on."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.now = 0.0
        self.texts = 0
        self.broken = False
        self.server = MetricsServer(self.listener, self.text, lambda: self.now)
        self.ended = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def text(self) -> str:
        if self.broken:
            raise OSError("the status is gone")
        self.texts += 1
        return f"number {self.texts}\n"

    def serve(self) -> None:
        while not self.ended:
            self.server.serve_once(0.01)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)

    def ask(self, request: bytes) -> tuple[str, str]:
        """Return status line and body."""
        with self.connect() as connection:
            connection.sendall(request)
            data = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = data.decode().partition("\r\n\r\n")
        return head.splitlines()[0], body

    def end(self) -> None:
        self.ended = True
        self.thread.join(10)
        self.server.close()


@pytest.fixture
def served() -> Iterator[Served]:
    one = Served()
    yield one
    one.end()


def test_metrics_are_served_and_the_same_again_within_a_second(served: Served) -> None:
    assert served.ask(GET) == ("HTTP/1.1 200 OK", "number 1\n")
    assert served.ask(GET)[1] == "number 1\n"
    served.now += 1.5
    assert served.ask(GET)[1] == "number 2\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK"),
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK"),
        (b"GET / HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", "404 Not Found"),
        (b"GET /../etc/passwd HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405 Method Not Allowed"),
        (b"GET /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "413 Content Too Large"),
        (b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "413 Content Too Large"),
        (b"GET /metrics HTTP/1.1\r\nHost: rebound.example\r\n\r\n", "421 Misdirected Request"),
        (b"\x16\x03\x01\x00\r\n\r\n", "400 Bad Request"),
        (b"\r\n\r\n", "400 Bad Request"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (LONGEST_REQUEST + 10), "431 Request Header Fields Too Large"),
    ],
)
def test_everything_but_a_plain_request_is_refused(served: Served, request_bytes: bytes, status: str) -> None:
    line, body = served.ask(request_bytes)
    assert line == f"HTTP/1.1 {status}"
    assert (body == "") == request_bytes.startswith(b"HEAD")


def test_clients_that_say_nothing_hold_up_nobody_and_are_let_go(served: Served) -> None:
    silent = [served.connect() for _ in range(MOST_CONNECTIONS - 1)]
    silent[0].sendall(b"GET /metr")
    assert served.ask(GET)[0] == "HTTP/1.1 200 OK"
    served.now += PATIENCE + 0.1
    assert [connection.recv(1) for connection in silent] == [b""] * len(silent)
    for connection in silent:
        connection.close()


def test_more_clients_than_there_is_room_for_wait_until_others_are_let_go(served: Served) -> None:
    silent = [served.connect() for _ in range(MOST_CONNECTIONS)]
    with served.connect() as late:
        late.sendall(GET)
        late.settimeout(0.1)
        with pytest.raises(TimeoutError):
            late.recv(1)
        served.now += PATIENCE + 0.1
        late.settimeout(10)
        assert late.recv(12) == b"HTTP/1.1 200"
    for connection in silent:
        connection.close()


def test_a_status_that_cannot_be_read_is_told_and_the_server_goes_on(served: Served) -> None:
    served.broken = True
    assert served.ask(GET) == ("HTTP/1.1 503 Service Unavailable", "There are no metrics now: OSError.\n")
    served.broken = False
    assert served.ask(GET)[0] == "HTTP/1.1 200 OK"
