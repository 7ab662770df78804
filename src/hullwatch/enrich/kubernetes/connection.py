"""Asking the Kubernetes API over HTTP/1.1: pages of lists, and streams of changes, each line of which is one.

Source: Kubernetes' page "Kubernetes API Concepts" (lists with ``limit`` and ``continue``, ``watch``,
``resourceVersion``).
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

import msgspec

from hullwatch import __version__
from hullwatch.enrich.kubernetes.plain import Plain, table, text
from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from hullwatch.enrich.kubernetes.credentials import Access

PATIENCE = 30.0  # seconds for an answer to begin, and between two of its parts
LARGEST_PAGE = 64 << 20  # bytes of an answer
LONGEST_LINE = 4 << 20  # bytes of a change: etcd takes objects of 1.5 MiB
LONGEST_WAIT = 60.0  # seconds that a Retry-After is followed
KEEPALIVE = 30  # seconds without anything until the system asks whether the other end is there
_MESSAGE = 300  # characters that are told of an answer
_LARGEST_PROBLEM = 64 << 10


class ApiError(Exception):
    """The API said no.

    Attributes:
        status: of HTTP, or of the Status object in a stream.
        body: of the answer, where it is an object.
        wait: seconds that the API asks to wait; 0 for none.
    """

    def __init__(self, status: int, message: str, body: Plain | None = None, wait: float = 0.0) -> None:
        """Take what it said."""
        super().__init__(message)
        self.status = status
        self.body = body or {}
        self.wait = wait


class ConnectionLostError(Exception):
    """The API cannot be reached, or stopped in the middle; the text says how."""


class Connection:
    """One connection, for one thread; ``stop`` may be called from another."""

    def __init__(self, access: Access) -> None:
        """Connect when something is asked."""
        self._access = access
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def page(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return an answer whole.

        Raises:
            ApiError: when the API says no.
            ConnectionLostError: when it cannot be asked.
        """
        with self._told():
            answer = self._ask(path, query, PATIENCE)
            data = answer.read(LARGEST_PAGE + 1)
            if len(data) > LARGEST_PAGE:
                raise ConnectionLostError(f"an answer is longer than {LARGEST_PAGE >> 20} MiB")
            return data

    def lines(
        self, path: str, query: Mapping[str, str], patience: float, begun: Callable[[], object] = lambda: None
    ) -> Generator[bytes]:
        """Yield the lines of a stream until the API ends it.

        Args:
            path: of the resource.
            query: beside it.
            patience: seconds without anything at all after which the connection is taken for dead.
            begun: called when the API has said that the stream begins.

        Raises:
            ApiError: when the API says no.
            ConnectionLostError: when it cannot be asked, or stops in the middle of a line.
        """
        with self._told():
            answer = self._ask(path, query, patience)
            begun()
            while line := answer.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise ConnectionLostError(f"a change is longer than {LONGEST_LINE >> 20} MiB")
                if not line.endswith(b"\n"):
                    raise ConnectionLostError("the stream ended within a change")
                yield line

    def stop(self) -> None:
        """End whatever is waited for, and ask nothing any more."""
        self._stopped = True
        self.close()

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                connection.close()

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        """Turn what goes wrong into sentences; a connection that something went wrong with is closed."""
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            self.close()  # AttributeError: http.client when another thread has closed it
            raise ConnectionLostError(_what(error)) from error
        except BaseException:  # also when nobody reads a stream on: what is left of it is not to be the next answer
            self.close()
            raise

    def _ask(self, path: str, query: Mapping[str, str], patience: float) -> http.client.HTTPResponse:
        """Send a question; return the answer when its head is there and good."""
        written = f"{self._access.prefix}{path}?{urlencode(query)}" if query else f"{self._access.prefix}{path}"
        for again in (False, True):
            connection = self._open(patience)
            try:
                connection.request("GET", written, headers=self._headers(again=again))
                answer = connection.getresponse()
            except CannotError as error:
                raise ConnectionLostError(str(error)) from error
            if answer.status == http.client.UNAUTHORIZED and not again:
                answer.read(_LARGEST_PROBLEM)
                self.close()
                continue  # the token may have been written anew since it was read
            if answer.status != http.client.OK:
                raise _problem(answer)
            return answer
        raise AssertionError

    def _open(self, patience: float) -> http.client.HTTPConnection:
        with self._lock:
            if self._stopped:
                raise ConnectionLostError("it is no longer asked")
            if self._connection is None:
                self._connection = (
                    _Tls(self._access)
                    if self._access.tls
                    else http.client.HTTPConnection(self._access.host, self._access.port, timeout=PATIENCE)
                )
            connection = self._connection
        if _socket_of(connection) is None:
            connection.connect()
        with self._lock:
            given_up = self._connection is not connection
        used = _socket_of(connection)
        if given_up:  # while it was being made: nobody else closes it
            connection.close()
        if used is None or given_up:
            raise ConnectionLostError("it is no longer asked")
        used.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        used.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE)
        used.settimeout(patience)
        return connection

    def _headers(self, *, again: bool) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"hullwatch/{__version__}", **self._access.headers}
        authorization = self._access.authorization(again=again)
        if authorization:
            headers["Authorization"] = authorization
        return headers


class _Tls(http.client.HTTPSConnection):
    """A connection whose certificate may be for another name than the one that is called."""

    def __init__(self, access: Access) -> None:
        super().__init__(access.host, access.port, timeout=PATIENCE, context=access.tls)
        self._context_of = access.tls
        self._server_name = access.server_name or access.host

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        assert self._context_of is not None
        self.sock = self._context_of.wrap_socket(self.sock, server_hostname=self._server_name)


def _socket_of(connection: http.client.HTTPConnection) -> socket.socket | None:
    """Return the socket; None while there is none, or when another thread has closed it."""
    return cast("socket.socket | None", connection.sock)


def _problem(answer: http.client.HTTPResponse) -> ApiError:
    data = answer.read(_LARGEST_PROBLEM)
    try:
        body = table(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = {}
    said = text(body, "message", longest=_MESSAGE) or data[:_MESSAGE].decode("utf-8", "replace").strip()
    return ApiError(answer.status, said or answer.reason, body, _seconds(answer.headers.get("Retry-After", "")))


def _seconds(written: str) -> float:
    """Return how long a Retry-After asks to wait; a date is not followed."""
    return min(float(written), LONGEST_WAIT) if written.isascii() and written.isdigit() and len(written) < 10 else 0.0


def _what(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, http.client.IncompleteRead):
        return "the answer ended in its middle"
    return str(error)[:_MESSAGE] or type(error).__name__
