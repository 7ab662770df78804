"""gRPC over a Unix socket: calls with an answer and calls with a stream, bounded, and ended from any thread.

Source of the framing: "gRPC over HTTP2" of the documentation of gRPC; HTTP/2 itself is the library
h2's. One call at a time, for each thread has a connection of its own.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hullwatch.sources.engine_errors import (
    EngineError,
    NotKnownError,
    NotSupportedError,
    SlowError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from h2.connection import H2Connection
    from h2.events import Event

ANSWER_TIMEOUT = 5.0  # seconds from the request to the end of the answer
MAXIMUM_ANSWER = 4 << 20  # bytes of a message, as gRPC's own limit is
WRITE_TIMEOUT = 2.0  # seconds for sending a request
WINDOW = 1 << 24  # bytes that an engine may send ahead of our reading

_RECEIVE = 1 << 16
_PREFIX = 5  # bytes before each message: compressed or not, and the length
_LONGEST_REASON = 500  # characters of an engine's own words
_NOT_FOUND, _DEADLINE, _UNIMPLEMENTED, _UNAVAILABLE = 5, 4, 12, 14  # codes of google.rpc.Code


class GrpcConnection:
    """One thread's connection to an engine; only ``abort`` may be called by another thread."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        """Prepare a connection; it is made with the first call.

        Args:
            connect: returns a socket that is connected to the engine.
        """
        self._connect = connect
        self._lock = threading.Lock()
        self._aborted = False
        self._socket: socket.socket | None = None
        self._http: H2Connection | None = None

    def call(
        self,
        method: str,
        request: bytes = b"",
        *,
        metadata: Mapping[str, str] | None = None,
        timeout: float | None = None,
        limit: int | None = None,
    ) -> bytes:
        """Return the answer of a method, such as ``/runtime.v1.RuntimeService/Version``.

        A connection that rested may have been closed by the engine: then it is made once again.

        Args:
            method: with its service.
            request: the message.
            metadata: headers.
            timeout: seconds until the whole answer is there; None for the usual ones.
            limit: bytes of the answer; None for the usual ones.

        Raises:
            UnreachableError, SlowError, NotKnownError, NotSupportedError: as their names say.
            EngineError: for every other answer that is none.
        """
        rested = self._http is not None
        seconds = ANSWER_TIMEOUT if timeout is None else timeout
        most = MAXIMUM_ANSWER if limit is None else limit
        try:
            return self._call_once(method, request, metadata, seconds, most)
        except UnreachableError:
            if not rested or self._aborted:
                raise
            return self._call_once(method, request, metadata, seconds, most)

    def _call_once(
        self, method: str, request: bytes, metadata: Mapping[str, str] | None, timeout: float, limit: int
    ) -> bytes:
        messages = list(self.stream(method, request, metadata=metadata, timeout=timeout, limit=limit))
        if len(messages) != 1:
            raise EngineError(f"the engine answered {method} with {len(messages)} messages instead of one")
        return messages[0]

    def stream(
        self,
        method: str,
        request: bytes = b"",
        *,
        metadata: Mapping[str, str] | None = None,
        timeout: float | None = None,
        limit: int = MAXIMUM_ANSWER,
    ) -> Iterator[bytes]:
        """Send the request; return the messages of the answer, until the engine ends it. ``abort`` ends it too.

        Args:
            method: with its service.
            request: the message.
            metadata: headers.
            timeout: seconds until the whole answer is there; None for no limit.
            limit: bytes of each message.

        Raises:
            EngineError: as for ``call``, here and while the messages are read.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        answer = _Answer(method, limit)
        with self._as_engine_errors(method):
            http, connection = self._open()
            stream = self._send(http, connection, method, request, metadata or {})
        return self._read(http, connection, stream, answer, deadline)

    def abort(self) -> None:
        """End what the connection is waiting for, now and for good; may be called by any thread."""
        self._aborted = True
        self._shut()

    def close(self) -> None:
        """Close the socket; for the thread that uses the connection. The next call makes another one."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None
        self._http = None

    # ---- one call

    def _read(
        self, http: H2Connection, connection: socket.socket, stream: int, answer: _Answer, deadline: float | None
    ) -> Iterator[bytes]:
        with self._as_engine_errors(answer.method):
            while not answer.ended:
                for event in http.receive_data(self._receive(connection, answer.method, deadline)):
                    answer.take(event, stream)
                    _acknowledge(http, event)
                _send_pending(http, connection)
                yield from answer.messages()
            answer.check()

    @contextlib.contextmanager
    def _as_engine_errors(self, method: str) -> Generator[None]:
        """Make errors of the libraries ours; a connection that is in the middle of something is closed."""
        from h2.exceptions import H2Error
        from hpack.exceptions import HPACKError

        done = False
        try:
            yield
            done = True
        except NotKnownError:
            done = True
            raise
        except TimeoutError:
            raise SlowError(f"the engine did not answer {method} in time") from None
        except (H2Error, HPACKError) as error:
            text = f"the engine's answer to {method} is no gRPC: {str(error)[:_LONGEST_REASON]}"
            raise UnreachableError(text) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UnreachableError(f"the engine cannot be reached: {reason}") from None
        finally:
            if not done:
                self.close()

    def _open(self) -> tuple[H2Connection, socket.socket]:
        if self._http is not None and self._socket is not None:
            return self._http, self._socket
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        connection = self._connect()
        with self._lock:
            self._socket = connection
        if self._aborted:
            self._shut()
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http.initiate_connection()
        self._http.increment_flow_control_window(WINDOW)
        return self._http, connection

    @staticmethod
    def _send(
        http: H2Connection, connection: socket.socket, method: str, request: bytes, metadata: Mapping[str, str]
    ) -> int:
        connection.settimeout(WRITE_TIMEOUT)
        stream = http.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *metadata.items(),
        ]
        http.send_headers(stream, headers)
        http.increment_flow_control_window(WINDOW, stream)
        http.send_data(stream, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
        _send_pending(http, connection)
        return stream

    @staticmethod
    def _receive(connection: socket.socket, method: str, deadline: float | None) -> bytes:
        patience = None if deadline is None else deadline - time.monotonic()
        if patience is not None and patience <= 0:
            raise TimeoutError
        connection.settimeout(patience)
        data = connection.recv(_RECEIVE)
        connection.settimeout(WRITE_TIMEOUT)
        if not data:
            raise UnreachableError(f"the engine closed the connection before it had answered {method}")
        return data

    def _shut(self) -> None:
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):  # it is closed already
                    self._socket.shutdown(socket.SHUT_RDWR)


def _send_pending(http: H2Connection, connection: socket.socket) -> None:
    data = http.data_to_send()
    if data:
        connection.sendall(data)


def _acknowledge(http: H2Connection, event: Event) -> None:
    """Let the engine send as much again as has come."""
    from h2.events import DataReceived

    if isinstance(event, DataReceived) and event.flow_controlled_length:
        http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)


class _Answer:
    """What has come of the answer to one call."""

    def __init__(self, method: str, limit: int) -> None:
        self.ended = False
        self.method = method
        self._limit = limit
        self._buffer = bytearray()
        self._headers: dict[str, str] = {}

    def take(self, event: Event, stream: int) -> None:
        """Take what happened on the connection.

        Raises:
            UnreachableError: when the engine ended the call.
        """
        from h2 import events

        if isinstance(event, (events.ConnectionTerminated, events.StreamReset)):
            raise UnreachableError(f"the engine ended the call {self.method} with the error {event.error_code!s:.40}")
        if getattr(event, "stream_id", None) != stream:
            return
        if isinstance(event, (events.ResponseReceived, events.TrailersReceived)):
            self._headers |= {str(name): str(value) for name, value in event.headers or ()}
        elif isinstance(event, events.DataReceived):
            self._buffer += event.data or b""
        elif isinstance(event, events.StreamEnded):
            self.ended = True

    def messages(self) -> Iterator[bytes]:
        """Yield the messages that have come whole.

        Raises:
            EngineError: for one that is too long, or compressed, which nobody asked for.
        """
        buffer = self._buffer
        while len(buffer) >= _PREFIX:
            size = int.from_bytes(buffer[1:_PREFIX], "big")
            if size > self._limit:
                raise EngineError(f"the engine's answer to {self.method} is longer than {self._limit} bytes")
            if buffer[0]:
                raise EngineError(f"the engine's answer to {self.method} is compressed, which was not asked for")
            if len(buffer) < _PREFIX + size:
                return
            message = bytes(buffer[_PREFIX : _PREFIX + size])
            del buffer[: _PREFIX + size]
            yield message

    def check(self) -> None:
        """Raise the error that the engine answered with, if it did."""
        if self._headers.get(":status", "") != "200":
            raise UnreachableError(f"the engine answered {self.method} with status {self._headers.get(':status')!s:.9}")
        status = self._headers.get("grpc-status", "")
        if status == "0":
            return
        code = int(status) if status.isdecimal() and len(status) < _PREFIX else -1
        words = unquote(self._headers.get("grpc-message", ""))[:_LONGEST_REASON]
        kind = {
            _NOT_FOUND: NotKnownError,
            _DEADLINE: SlowError,
            _UNIMPLEMENTED: NotSupportedError,
            _UNAVAILABLE: UnreachableError,
        }.get(code, EngineError)
        raise kind(f"the engine answered {self.method} with the error {code}: {words}")
