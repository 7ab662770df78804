"""Serving the API on a socket: limits of time, size and number, and who is at the other end.

uvicorn has no limit for a client that sends its request byte by byte, reads nothing, or comes a thousand times; here
are those, and the end after a time in which nobody asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from uvicorn.protocols.http.h11_impl import H11Protocol

from hullwatch import __version__
from hullwatch.api.answering import HANDLERS, PEER, SafeResponse, before_request, json_bytes
from hullwatch.api.peer import peer_of
from hullwatch.api.place import LONGEST_BODY, LONGEST_HEAD
from hullwatch.api.routes import ROUTES
from hullwatch.api.routes_baseline import ROUTES as BASELINE_ROUTES
from hullwatch.api.routes_errands import ROUTES as ERRAND_ROUTES
from hullwatch.api.routes_kubernetes import ROUTES as KUBERNETES_ROUTES
from hullwatch.api.routes_upkeep import ROUTES as UPKEEP_ROUTES

if TYPE_CHECKING:
    import socket

    from hullwatch.api.answering import Answers

MOST_CONNECTIONS = 128
MOST_LEAVING = 400  # connections that are told that they are too many
MOST_OF_A_USER = 32  # connections; root may have all, so that nobody can lock it out
PATIENCE = 10.0  # seconds for a client to send a whole request, or to read what waits for it
BETWEEN = 5  # seconds that a connection may wait for its next request
BACKLOG = 256
LAST_WORDS = 1.0  # seconds to read why one is refused
PATIENCE_AT_END = 5  # seconds for questions that are worked on


def application(answers: Answers) -> Litestar:
    """Return the application, with its schema at ``/schema``."""
    app = Litestar(
        [*ROUTES, *UPKEEP_ROUTES, *KUBERNETES_ROUTES, *BASELINE_ROUTES, *ERRAND_ROUTES],
        before_request=before_request,
        exception_handlers=HANDLERS,
        response_class=SafeResponse,
        request_max_body_size=LONGEST_BODY,
        openapi_config=OpenAPIConfig(
            title="Hullwatch",
            version=__version__,
            description="What Hullwatch keeps, how it goes, and what people decide.",
            path="/schema",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
    )
    app.state.answers = answers
    return app


class Connections:
    """How many there are, of whom, and since when there is none."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of: Counter[int] = Counter()
        self._leaving = 0  # those that are told that there is no room
        self._last = time.monotonic()

    def add(self, uid: int) -> bool:
        """Count one more; return whether there is room for it."""
        if self._of.total() >= MOST_CONNECTIONS or (uid and self._of[uid] >= MOST_OF_A_USER):
            self._leaving += 1
            return False
        self._of[uid] += 1
        return True

    def remove(self, uid: int, *, admitted: bool) -> None:
        """Count one less."""
        if admitted:
            self._of[uid] -= 1
        else:
            self._leaving -= 1
        self._last = time.monotonic()

    @property
    def flooded(self) -> bool:
        """Whether there are so many without room that the next ones are not even told."""
        return self._leaving > MOST_LEAVING

    @property
    def idle(self) -> float:
        """Seconds since the last one has gone."""
        return 0.0 if self._of.total() else time.monotonic() - self._last


class LimitedProtocol(H11Protocol):
    """HTTP for one connection, within limits."""

    tally = Connections()

    def connection_made(self, transport: Any) -> None:
        """Look who it is, and whether there is room."""
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._uid = -1
        self._refused = False
        self._admitted = False
        try:
            peer = peer_of(transport.get_extra_info("socket"))
        except OSError:  # it has gone
            transport.abort()
            return
        self._uid = peer.uid
        self.app_state = {**self.app_state, PEER: peer}
        self._admitted = self.tally.add(peer.uid)
        if self._admitted:
            self._await_request()
        elif self.tally.flooded:
            transport.abort()
        else:
            self._refuse(503, "There are too many connections: ask again later.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop("_timer")
        self._stop("_stuck")
        if self._uid >= 0:
            self.tally.remove(self._uid, admitted=self._admitted)
            self._uid = -1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come; the time for a request begins with its first byte."""
        if self._refused or self.transport.is_closing():
            return
        self._await_request()
        super().data_received(data)

    def handle_events(self) -> None:
        """Take what is complete."""
        super().handle_events()
        if self.conn.their_state is h11.DONE or self.conn.our_state is h11.DONE:
            self._stop("_timer")
        elif self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self._stop("_timer")  # the next request has not begun; uvicorn looks after the time until then

    def on_response_complete(self) -> None:
        """Begin to wait for the next request; of one that was answered before its end, the rest is not wanted."""
        self._stop("_timer")
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._leave()

    def pause_writing(self) -> None:
        """Know that the client does not read: it has some time to do so."""
        super().pause_writing()
        self._stuck = self.loop.call_later(PATIENCE, self.transport.abort)

    def resume_writing(self) -> None:
        """Know that it reads again."""
        self._stop("_stuck")
        super().resume_writing()

    def _await_request(self) -> None:
        if self._timer is None and self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self._timer = self.loop.call_later(PATIENCE, self._too_slow)

    def _too_slow(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self.conn.our_state is h11.IDLE:
            self._refuse(408, f"A request has to be sent within {PATIENCE:.0f} s.")
        else:
            self.transport.abort()

    def _refuse(self, status: int, sentence: str) -> None:
        """Say why, and leave a moment to read it: who is still sending would not see it when this end were closed."""
        self.transport.write(_refusal(status, sentence))
        self._leave()

    def _leave(self) -> None:
        self._refused = True
        self.transport.write_eof()
        self.transport.resume_reading()  # uvicorn has stopped it for a body that nobody takes
        self._timer = self.loop.call_later(LAST_WORDS, self.transport.abort)

    def _stop(self, name: str) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)


def _refusal(status: int, sentence: str) -> bytes:
    body = json_bytes({"error": sentence})
    words = {408: "Request Timeout", 503: "Service Unavailable"}[status]
    return (
        f"HTTP/1.1 {status} {words}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body


def serve(listener: socket.socket, answers: Answers, idle: float) -> None:
    """Serve until nobody has asked for a while, or the process is told to end."""
    config = uvicorn.Config(
        application(answers),
        http=LimitedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=BETWEEN,
        timeout_graceful_shutdown=PATIENCE_AT_END,
        h11_max_incomplete_event_size=LONGEST_HEAD,
        backlog=BACKLOG,
    )
    server = uvicorn.Server(config)
    LimitedProtocol.tally = Connections()

    async def run() -> None:
        task = asyncio.create_task(_end_when_idle(server, idle))
        await server.serve(sockets=[listener])
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


async def _end_when_idle(server: uvicorn.Server, idle: float) -> None:
    while True:
        left = idle - LimitedProtocol.tally.idle
        if left <= 0:
            server.should_exit = True
            return
        await asyncio.sleep(min(left, 5.0) + 0.01)
