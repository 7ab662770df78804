"""Serving metrics over HTTP, to this machine only: few connections, little time for each, nothing read but a line.

One thread does it all without waiting for anybody: a client that is slow, or says nothing, holds up nobody else.
"""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.metrics.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

MOST_CONNECTIONS = 16
LONGEST_REQUEST = 8192  # bytes
PATIENCE = 5.0  # seconds for a client to ask and to read
FRESH = 1.0  # seconds for which an answer is given again
_OWN_NAMES = ("127.", "localhost", "[::1]")


class Answer(NamedTuple):
    """What a client is told."""

    status: str
    body: str
    content_type: str = "text/plain; charset=utf-8"

    def encode(self, *, only_head: bool = False) -> bytes:
        """Return the bytes of the answer."""
        body = self.body.encode("utf-8", "backslashreplace")
        head = (
            f"HTTP/1.1 {self.status}\r\nContent-Type: {self.content_type}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        )
        return head.encode() + (b"" if only_head else body)


class _Client:
    """A connection: what it has asked so far, and what it has still to be told."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection = connection
        self.deadline = deadline
        self.asked = b""
        self.answer = b""


class MetricsServer:
    """Answers requests on a socket.

    Args:
        listener: that listens already.
        text: gives the metrics.
        clock: seconds that do not go back.
        local_names: whether a request has to name this machine (so that no web page can have a browser ask).
    """

    def __init__(
        self,
        listener: socket.socket,
        text: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
        *,
        local_names: bool = True,
    ) -> None:
        """Be ready to serve."""
        listener.settimeout(0)
        self._listener = listener
        self._text = text
        self._clock = clock
        self._local_names = local_names
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._accepting = False
        self._cached = ""
        self._cached_at = float("-inf")
        self._accept_if_room()

    def serve_forever(self) -> None:
        """Serve until the process ends."""
        while True:
            self.serve_once(None)

    def serve_once(self, patience: float | None) -> None:
        """Wait for something to do, for at most so many seconds, and do it."""
        waits = [client.deadline - self._clock() for client in self._clients.values()]
        if patience is not None:
            waits.append(patience)
        for key, _ in self._selector.select(max(0.0, min(waits)) if waits else None):
            if key.fileobj is self._listener:
                self._accept()
            else:
                self._go_on(self._clients[key.fd])
        now = self._clock()
        for client in [client for client in self._clients.values() if client.deadline <= now]:
            self._close(client)
        self._accept_if_room()

    def _accept_if_room(self) -> None:
        """Let others wait in the kernel while there are enough of them."""
        room = len(self._clients) < MOST_CONNECTIONS
        if room and not self._accepting:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._accepting and not room:
            self._selector.unregister(self._listener)
        self._accepting = room

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it has gone again, or there are no descriptors left
            return
        connection.settimeout(0)
        self._clients[connection.fileno()] = _Client(connection, self._clock() + PATIENCE)
        self._selector.register(connection, selectors.EVENT_READ)

    def _go_on(self, client: _Client) -> None:
        try:
            if not client.answer:
                self._read(client)
            if client.answer:
                client.answer = client.answer[client.connection.send(client.answer) :]
                if not client.answer:
                    self._close(client)
        except BlockingIOError:
            return
        except OSError:
            self._close(client)

    def _read(self, client: _Client) -> None:
        data = client.connection.recv(LONGEST_REQUEST)
        if not data:
            self._close(client)
            return
        client.asked += data
        if b"\r\n\r\n" in client.asked or b"\n\n" in client.asked:
            client.answer = self._answer(client.asked)
        elif len(client.asked) > LONGEST_REQUEST:
            client.answer = Answer("431 Request Header Fields Too Large", "The request is too long.\n").encode()
        if client.answer:
            self._selector.modify(client.connection, selectors.EVENT_WRITE)

    def _answer(self, asked: bytes) -> bytes:
        head = asked.partition(b"\r\n\r\n")[0].decode("latin-1").splitlines()
        words = head[0].split() if head else []
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return Answer("400 Bad Request", "This is no HTTP request.\n").encode()
        if words[0] not in {"GET", "HEAD"}:
            return Answer("405 Method Not Allowed", "There is only GET.\n").encode()
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return Answer("413 Content Too Large", "A request has no body here.\n").encode()
        if self._local_names and not headers.get("host", "127.").lower().startswith(_OWN_NAMES):
            return Answer("421 Misdirected Request", "Ask for 127.0.0.1 or localhost.\n").encode()
        if words[1].partition("?")[0] != "/metrics":
            return Answer("404 Not Found", "Metrics are at /metrics.\n").encode()
        return self._metrics().encode(only_head=words[0] == "HEAD")

    def _metrics(self) -> Answer:
        now = self._clock()
        if now - self._cached_at >= FRESH:
            try:
                self._cached, self._cached_at = self._text(), now
            except Exception as error:  # noqa: BLE001 - whatever it is: whoever asks is told, and asks again
                return Answer("503 Service Unavailable", f"There are no metrics now: {type(error).__name__}.\n")
        return Answer("200 OK", self._cached, CONTENT_TYPE)

    def _close(self, client: _Client) -> None:
        number = client.connection.fileno()
        if self._clients.pop(number, None) is not None:
            self._selector.unregister(client.connection)
            client.connection.close()

    def close(self) -> None:
        """Let go of everyone."""
        for client in list(self._clients.values()):
            self._close(client)
        self._selector.close()
        self._listener.close()
