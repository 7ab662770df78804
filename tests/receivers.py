"""Receivers for tests of outputs, and alerts to send them."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.incident import Incident, Placement, Step
from hullwatch.alerts.issue import Issue

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = '\x1b[2J\x07\n\r\t"\\ ]<script>alert(1)</script>|,;\u202e\x00\x9b31m${jndi:ldap://x} {{message}} é'


def alert(number: int = 0, *, issue: int = 0, priority: str = "Warning", **changes: Any) -> Alert:
    """Return an alert with an id; those of an issue have a rule in common."""
    made = Alert(
        id=f"run-{number}",
        time=1_795_304_405_001_002_003 + number,
        rule=f"Rule {issue}",
        priority=priority,
        message=f"it happened for the time {number}",
        output_fields={"proc.name": "cat", "fd.name": f"/etc/{number}", "evt.type": "openat"},
        tags=("T1003", "container"),
        hostname="node1",
        container_id="3f2a9c81d0b4",
        container_name="web",
        container_image="shop/web:1.27",
        process="cat",
        labels={"cluster": "prod"},
    )
    return msgspec.structs.replace(made, **changes)


def placement(of: Alert, issue: int = 0, **changes: Any) -> Placement:
    """Return where an alert belongs: the issue of a number, in an incident."""
    step = Step(at=1, last=2, count=1, issue=f"i{issue}", alert="run-0", rule=of.rule, priority=of.priority, title="t")
    made = Placement(
        alert=of.id,
        issue=Issue(
            id=f"i{issue}",
            fingerprint=f"1:{issue}",
            rule=of.rule,
            priority=of.priority,
            workload="shop/web",
            title="cat reads",
            first_seen=1,
            last_seen=2,
            count=3,
        ),
        incident=Incident(id="n1", title="in web", opened=1, last_seen=2, steps=[step]),
    )
    return msgspec.structs.replace(made, **changes)


def hostile_alert(number: int = 0) -> Alert:
    """Return an alert that has nasty texts wherever it has a text."""
    return alert(
        number,
        rule=f"Rule {HOSTILE}",
        message=f"message {HOSTILE}",
        output_fields={f"proc.name{HOSTILE}": HOSTILE, "proc.args": [HOSTILE], "fd.name": HOSTILE, "fd.num": 2**63},
        tags=(HOSTILE,),
        hostname=f"node{HOSTILE}",
        container_name=HOSTILE,
        container_image=HOSTILE,
        process=HOSTILE,
        labels={"team": HOSTILE},
    )


def uncounted(_: str, __: int) -> None:
    """Count nothing."""


def wait_until(true: Callable[[], object], patience: float = 20.0) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: when it does not become so.
    """
    end = time.monotonic() + patience
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)


class Request(msgspec.Struct):
    """A request that a receiver got, and how it answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def json(self) -> Any:
        """The body."""
        return msgspec.json.decode(self.body)


class WebReceiver:
    """An HTTP server that behaves as a test says.

    Attributes:
        requests: that it got, whatever it answered.
        behave: returns the status to answer with, and what to say; may wait, or raise to break the connection.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.behave: Callable[[bytes], tuple[int, str]] = lambda _: (200, "thanks")
        self.headers: dict[str, str] = {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _take(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # whoever sent it was killed: no server takes that
                    self.close_connection = True
                    return
                try:
                    status, said = receiver.behave(body)
                except ConnectionError:
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Request(self.path, headers, body, status))
                try:
                    self.send_response(status)
                    for name, value in receiver.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(said.encode())))
                    self.end_headers()
                    self.wfile.write(said.encode())
                except OSError:
                    self.close_connection = True

            do_POST = do_PUT = _take  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                return

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                return

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def accepted(self) -> list[Request]:
        """The requests that it took."""
        return [request for request in self.requests if request.status < 300]

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port that nobody listens on."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
