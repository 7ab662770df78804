"""A fake engine: speaks the Docker API over a Unix socket and misbehaves as a test wants it to."""

from __future__ import annotations

import json
import queue
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from pathlib import Path

VERSION = {
    "Version": "99.1",
    "ApiVersion": "1.41",
    "MinAPIVersion": "1.24",
    "Components": [{"Name": "Engine"}],
}
IMAGE_ID = "sha256:" + "1" * 64
IMAGE = {"Id": IMAGE_ID, "RepoTags": ["shop/web:2"], "RepoDigests": ["shop/web@sha256:" + "2" * 64]}


def inspected(full_id: str, **changes: Any) -> dict[str, Any]:
    """Return an inspected container as Docker gives it; ``changes`` replace whole top-level keys."""
    return {
        "Id": full_id,
        "Name": f"/name-of-{full_id[:4]}",
        "Created": "2026-11-21T23:50:39.117573603Z",
        "State": {"Status": "running", "Running": True, "Pid": 4711, "StartedAt": "2026-11-21T23:50:40Z"},
        "Image": IMAGE_ID,
        "Config": {"Image": "shop/web:2", "User": "web", "Hostname": "h", "Labels": {"team": "shop"}, "Cmd": ["serve"]},
        "HostConfig": {"Privileged": False, "NetworkMode": "default"},
        "Mounts": None,
        **changes,
    }


class FakeEngine:
    """The server; ``answers`` maps a path without its version to what it gets.

    An answer is a JSON value, bytes as they are, a status number, None to end the connection without
    one, or a function that returns one of these.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"unix://{path}"
        self.containers: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, Any] = {"/version": VERSION, f"/images/{IMAGE_ID}/json": IMAGE}
        self.asked: list[str] = []
        self.headers_late = False  # like Podman: no headers before the first event
        self._streams: list[queue.SimpleQueue[bytes | None]] = []
        self._lock = threading.Lock()
        self._subscribed = threading.Semaphore(0)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; after ``stop`` it may be started again."""
        self.path.unlink(missing_ok=True)
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the streams, stop listening and remove the socket."""
        self.end_streams()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)
            self._server = None
        self.path.unlink(missing_ok=True)

    def serve(self, client: socket.socket, address: object) -> None:
        """Serve a client that somebody else accepted."""
        assert self._server is not None
        self._server.process_request(client, address)

    def add(self, full_id: str, **changes: Any) -> None:
        """Have a container."""
        self.containers[full_id] = inspected(full_id, **changes)

    def wait_for_subscriber(self, timeout: float = 30) -> None:
        """Return when somebody asked for the events, once for each who does."""
        assert self._subscribed.acquire(timeout=timeout), "nobody asked the fake engine for its events"

    def send(self, event: bytes | dict[str, Any]) -> None:
        """Send an event, or any bytes, to all who follow."""
        line = event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
        with self._lock:
            for stream in self._streams:
                stream.put(line)

    def send_action(self, action: str, full_id: str) -> None:
        """Send an event of a container."""
        self.send({"Type": "container", "Action": action, "Actor": {"ID": full_id, "Attributes": {}}})

    def end_streams(self) -> None:
        """End the streams of events."""
        with self._lock:
            for stream in self._streams:
                stream.put(None)
            self._streams.clear()

    def answer(self, path: str) -> Any:
        """Return what a path gets."""
        self.asked.append(path)
        if path in self.answers:
            given = self.answers[path]
            return given() if callable(given) else given
        if path == "/containers/json":
            return [{"Id": full_id, "State": "running"} for full_id in self.containers]
        if path.startswith("/containers/"):
            return self.containers.get(path.split("/")[2], 404)
        return 404

    def follow(self) -> queue.SimpleQueue[bytes | None]:
        """Return a stream for one who asked for the events."""
        stream: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            self._streams.append(stream)
        self._subscribed.release()
        return stream


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        super().__init__(str(engine.path), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away as they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  # it is the one that makes handlers

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class calls it so
        """Say nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        if path == "/events":
            self._stream()
            return
        answer = self.server.engine.answer(path)
        if answer is None:
            self.close_connection = True
            return
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(answer if isinstance(answer, int) else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        engine = self.server.engine
        stream = engine.follow()
        self.close_connection = True
        first = stream.get() if engine.headers_late else b""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        line = first or stream.get()
        while line is not None:
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            line = stream.get()
        self.wfile.write(b"0\r\n\r\n")
