"""Connections to an engine's Docker API: bounded in time and size, and ended from any thread.

Source of the paths and answers: Docker's Engine API reference, version 1.41 (what Docker 20.10 and
Podman's compatible service speak), which later versions keep.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from hullwatch.sources.engine_errors import EngineError, NotKnownError, SlowError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

CONNECT_TIMEOUT = 2.0  # seconds
ANSWER_TIMEOUT = 5.0  # seconds from the request to the last byte of the answer
LIST_TIMEOUT = 20.0  # the same for the list of all containers, which an engine locks each one for
MAXIMUM_ANSWER = 4 << 20  # bytes; an inspected container has about 6,000
MAXIMUM_LIST = 64 << 20
MAXIMUM_EVENT = 1 << 20
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "hullwatch"}
NEWEST_VERSION = (1, 51)  # of the API; an engine that is newer is asked in this version

DOCKER_SOCKET = "/var/run/docker.sock"
PODMAN_SOCKET = "/run/podman/podman.sock"


def engine_url(environment: Mapping[str, str]) -> str:
    """Return the URL of the engine to watch: DOCKER_HOST, else the socket of Docker or of Podman."""
    given = environment.get("DOCKER_HOST", "").strip()
    if given:
        return given
    if not Path(DOCKER_SOCKET).exists() and Path(PODMAN_SOCKET).exists():
        return f"unix://{PODMAN_SOCKET}"
    return f"unix://{DOCKER_SOCKET}"


def tls_settings(environment: Mapping[str, str]) -> ssl.SSLContext | None:
    """Return what DOCKER_TLS_VERIFY and DOCKER_CERT_PATH ask for, or None for a plain connection.

    Raises:
        EngineError: when the certificates cannot be read.
    """
    folder = environment.get("DOCKER_CERT_PATH", "")
    verify = environment.get("DOCKER_TLS_VERIFY", "") != ""
    if not folder and not verify:
        return None
    place = Path(folder) if folder else Path.home() / ".docker"
    try:
        context = ssl.create_default_context(cafile=str(place / "ca.pem") if verify else None)
        context.load_cert_chain(place / "cert.pem", place / "key.pem")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise EngineError(f"the certificates of DOCKER_CERT_PATH {place} cannot be used: {reason}") from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class EngineConnection:
    """One thread's connection to an engine; only ``abort`` may be called by another thread."""

    def __init__(
        self,
        base_url: str,
        connect: Callable[[], socket.socket] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare a connection; it is made with the first request.

        Args:
            base_url: ``unix://PATH``, ``tcp://HOST:PORT``, ``http://`` or ``https://``.
            connect: returns a socket that is connected to the engine; base_url then is only a name.
            tls: for ``tcp://`` and ``https://``.
        """
        self.version = ""  # of the API, as in the path of a request; empty asks for the engine's own
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._aborted = False
        if connect is None and base_url.startswith("unix://"):
            path = base_url.removeprefix("unix://")
            connect = lambda: _connect_unix(path)  # noqa: E731  # a def for two words would be longer
        self._base_url, self._connect, self._tls = base_url, connect, tls
        self._pool: HTTPConnectionPool | None = None

    def _open_pool(self) -> HTTPConnectionPool:
        """Return the library's pool; the first request comes here, for loading the library takes time.

        Raises:
            EngineError: for a URL that cannot be used.
        """
        from hullwatch.sources.docker_transport import pool_by_function, pool_by_url

        if self._connect is not None:
            return pool_by_function(self._add_socket, self._connect)
        try:
            return pool_by_url(self._base_url, self._add_socket, self._tls)
        except ValueError as error:
            raise EngineError(
                f"the engine's URL {self._base_url} cannot be used ({error}): "
                "write unix://PATH, tcp://HOST:PORT or https://HOST:PORT"
            ) from None

    def get(self, path: str, *, timeout: float = ANSWER_TIMEOUT, limit: int = MAXIMUM_ANSWER) -> bytes:
        """Return the body of an answer.

        Args:
            path: below the API version, such as ``/containers/json``.
            timeout: seconds until the whole answer is there.
            limit: bytes of the answer.

        Raises:
            UnreachableError, SlowError, NotKnownError: as their names say.
            EngineError: for any other answer than 200, and for one that is too long.
        """
        limit_of_time = time.monotonic() + timeout
        with self._in_time(timeout), self._request(path, timeout) as response:
            parts: list[bytes] = []
            size = 0
            for part in response.stream(1 << 16):
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise EngineError(f"the engine's answer to {path} is longer than {limit} bytes")
                if time.monotonic() > limit_of_time:
                    raise SlowError(f"the engine did not answer {path} within {timeout:g} s")
            if response.status == 404:
                raise NotKnownError(f"the engine does not know {path}")
            if response.status != 200:
                raise EngineError(f"the engine answered {path} with status {response.status}")
            return b"".join(parts)

    def events(self, since: float) -> Iterator[bytes]:
        """Yield the engine's container events as JSON, those since a time (s since the epoch) first.

        It ends when the engine ends the stream. An engine may send nothing, not even the headers,
        before the first event, so there is no limit of time: ``abort`` ends it.

        Raises:
            EngineError: as for ``get``.
        """
        filters = quote('{"type":["container"]}')
        with self._request(f"/events?since={since:.9f}&filters={filters}", None) as response:
            if response.status != 200:
                raise EngineError(f"the engine answered /events with status {response.status}")
            rest = b""
            while part := response.read1(1 << 16):
                *lines, rest = (rest + part).split(b"\n")
                if len(rest) > MAXIMUM_EVENT:
                    raise EngineError(f"the engine sent an event of more than {MAXIMUM_EVENT} bytes")
                yield from (line for line in lines if line.strip())

    def negotiate(self) -> dict[str, Any]:
        """Ask for the engine's name and versions, and use the newest version of the API that both know.

        Raises:
            EngineError: as for ``get``, and for an answer that is not a JSON object.
        """
        self.version = ""
        try:
            answer = msgspec.json.decode(self.get("/version"), type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError) as error:
            raise EngineError(f"the engine's answer to /version cannot be read: {error}") from None
        offered = _version(answer.get("ApiVersion")) or (1, 41)
        least = _version(answer.get("MinAPIVersion")) or offered
        self.version = "v{}.{}".format(*max(min(offered, NEWEST_VERSION), least))
        return answer

    def abort(self) -> None:
        """End what the connection is waiting for, now and for good; may be called by any thread."""
        self._aborted = True
        self._shut_sockets()

    def close(self) -> None:
        """Close the sockets; for the thread that uses the connection."""
        self._shut_sockets()
        if self._pool is not None:
            self._pool.close()
        with self._lock:
            self._sockets.clear()

    @contextmanager
    def _request(self, path: str, timeout: float | None) -> Generator[BaseHTTPResponse]:
        """Send a request; errors of the library become ours, also while the body is read."""
        from urllib3 import Timeout, exceptions

        if self._pool is None:
            self._pool = self._open_pool()
        target = f"{'/' if self.version else ''}{self.version}{path}"
        response: BaseHTTPResponse | None = None
        try:
            response = self._pool.urlopen(
                "GET",
                target,
                headers=_HEADERS,
                redirect=False,
                timeout=Timeout(connect=CONNECT_TIMEOUT, read=timeout),
                preload_content=False,
                decode_content=False,
            )
            yield response
        except (exceptions.HTTPError, OSError, ValueError) as error:
            refused = isinstance(error, exceptions.NewConnectionError)  # the library counts it to those that took long
            if isinstance(error, TimeoutError | exceptions.TimeoutError) and not refused:
                raise SlowError(f"the engine did not answer {path.partition('?')[0]} in time") from None
            raise UnreachableError(f"the engine cannot be reached: {_reason(error)}") from None
        finally:
            if response is not None:
                response.close()  # a connection whose answer was read whole is back in the pool by then

    @contextmanager
    def _in_time(self, seconds: float) -> Generator[None]:
        """End the connection when the block takes longer: a read's own limit starts anew with each byte."""
        late = threading.Event()

        def end() -> None:
            late.set()
            self._shut_sockets()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except UnreachableError:
            if late.is_set():
                raise SlowError(f"the engine did not answer within {seconds:g} s") from None
            raise
        finally:
            timer.cancel()

    def _add_socket(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets = {known for known in self._sockets if known.fileno() >= 0}
            self._sockets.add(connection)
        if self._aborted:
            self._shut_sockets()

    def _shut_sockets(self) -> None:
        with self._lock:
            for connection in self._sockets:
                with suppress(OSError):  # it is closed already
                    connection.shutdown(socket.SHUT_RDWR)


def _connect_unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(CONNECT_TIMEOUT)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _version(text: object) -> tuple[int, int] | None:
    major, _, minor = str(text).partition(".")
    if not (major.isdecimal() and minor.isdecimal()) or len(major) + len(minor) > 6:
        return None
    return int(major), int(minor)


def _reason(error: BaseException) -> str:
    """Return the words of the system, or of ``connect``: the library wraps them in names of its own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return cause.strerror or str(cause) or type(cause).__name__
        cause = cause.__cause__ or cause.__context__
    return "the connection ended, or the answer is not HTTP"
