"""A fake engine that speaks real gRPC over a Unix socket, and misbehaves as a test wants it to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import H2Error

if TYPE_CHECKING:
    from pathlib import Path

NOT_FOUND, UNIMPLEMENTED = 5, 12

Answer = bytes | int | Iterable[bytes] | None
"""A message, a status other than 0, a stream of messages, or None to say nothing for ever."""


class FakeGrpc:
    """The server; ``answers`` maps a method to a function of the request, or to what it would return."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Answer | Callable[[bytes], Answer]] = {}
        self.asked: list[str] = []
        self.garbage = b""  # sent instead of HTTP
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5)
        connection.connect(str(self.path))
        return connection

    def stop(self) -> None:
        """Stop listening, and close what is open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, H2Error), client:
            if self.garbage:
                client.sendall(self.garbage)
                client.recv(1)
                return
            http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
            http.initiate_connection()
            client.sendall(http.data_to_send())
            self._answer_all(client, http)

    def _answer_all(self, client: socket.socket, http: H2Connection) -> None:
        methods: dict[int, str] = {}
        requests: dict[int, bytes] = {}
        while data := client.recv(1 << 16):
            for event in http.receive_data(data):
                if isinstance(event, RequestReceived):
                    methods[event.stream_id] = str(dict(event.headers or ())[":path"])  # pyright: ignore[reportArgumentType] - h2 has no types for it
                elif isinstance(event, DataReceived):
                    requests[event.stream_id] = requests.get(event.stream_id, b"") + (event.data or b"")
                elif isinstance(event, StreamEnded):
                    self._answer(client, http, event.stream_id, methods[event.stream_id], requests[event.stream_id][5:])
            client.sendall(http.data_to_send())

    def _answer(self, client: socket.socket, http: H2Connection, stream: int, method: str, request: bytes) -> None:
        self.asked.append(method)
        given = self.answers.get(method, UNIMPLEMENTED)
        answer = given(request) if callable(given) else given
        if answer is None:
            return
        http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        status = answer if isinstance(answer, int) else 0
        messages: Iterable[bytes] = [answer] if isinstance(answer, bytes) else [] if isinstance(answer, int) else answer
        for message in messages:
            framed = b"\0" + len(message).to_bytes(4, "big") + message
            for place in range(0, len(framed), 16_384):
                http.send_data(stream, framed[place : place + 16_384])
                client.sendall(http.data_to_send())
        http.send_headers(stream, [("grpc-status", str(status)), ("grpc-message", "as%20asked")], end_stream=True)
