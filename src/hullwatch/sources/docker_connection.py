"""Connections to an engine's Docker API: bounded in time and size, and ended from any thread.

Source of the paths and answers: Docker's Engine API reference, version 1.41 (what Docker 20.10 and
Podman's compatible service speak), which later versions keep.
"""

from __future__ import annotations

import socket
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

    from docker import APIClient
    from docker.tls import TLSConfig
    from requests import Response

CONNECT_TIMEOUT = 2.0  # seconds
ANSWER_TIMEOUT = 5.0  # seconds from the request to the last byte of the answer
LIST_TIMEOUT = 20.0  # the same for the list of all containers, which an engine locks each one for
MAXIMUM_ANSWER = 4 << 20  # bytes; an inspected container has about 6,000
MAXIMUM_LIST = 64 << 20
MAXIMUM_EVENT = 1 << 20
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


def tls_settings(environment: Mapping[str, str]) -> TLSConfig | None:
    """Return what DOCKER_TLS_VERIFY and DOCKER_CERT_PATH ask for, or None for a plain connection.

    Raises:
        EngineError: when the certificates cannot be read.
    """
    folder = environment.get("DOCKER_CERT_PATH", "")
    verify = environment.get("DOCKER_TLS_VERIFY", "") != ""
    if not folder and not verify:
        return None
    from docker.errors import TLSParameterError
    from docker.tls import TLSConfig

    place = Path(folder) if folder else Path.home() / ".docker"
    try:
        return TLSConfig(
            client_cert=(str(place / "cert.pem"), str(place / "key.pem")),
            ca_cert=str(place / "ca.pem") if verify else None,
            verify=verify,
        )
    except TLSParameterError as error:
        raise EngineError(f"the certificates of DOCKER_CERT_PATH {place} cannot be used: {error}") from None


class EngineConnection:
    """One thread's connection to an engine; only ``abort`` may be called by another thread."""

    def __init__(
        self,
        base_url: str,
        connect: Callable[[], socket.socket] | None = None,
        tls: TLSConfig | None = None,
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
        self._session: APIClient | None = None

    def _open_session(self) -> APIClient:
        """Return the library's session; the first request comes here, for loading the library takes time.

        Raises:
            EngineError: for a URL that cannot be used.
        """
        from docker import APIClient
        from docker.errors import DockerException

        from hullwatch.sources.docker_transport import EngineAdapter

        base_url, connect, tls = self._base_url, self._connect, self._tls
        scheme = base_url.partition("://")[0]
        if connect is None and scheme not in {"tcp", "http", "https"}:
            raise EngineError(
                f"the engine's URL {base_url} cannot be used: write unix://PATH, tcp://HOST:PORT or https://HOST:PORT"
            )
        try:
            session = APIClient(
                base_url="http://localhost:80" if connect is not None else base_url,
                version="1.41",
                timeout=int(ANSWER_TIMEOUT),
                tls=tls if connect is None and tls is not None else False,
            )
        except (DockerException, ValueError) as error:
            raise EngineError(f"the engine's URL {base_url} cannot be used: {error}") from None
        session.trust_env = False  # an engine is not behind a web proxy, and ~/.netrc is not for it
        session.headers["Accept-Encoding"] = "identity"
        adapter = EngineAdapter(self._add_socket, connect)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

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
            for part in response.iter_content(1 << 16):
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise EngineError(f"the engine's answer to {path} is longer than {limit} bytes")
                if time.monotonic() > limit_of_time:
                    raise SlowError(f"the engine did not answer {path} within {timeout:g} s")
            if response.status_code == 404:
                raise NotKnownError(f"the engine does not know {path}")
            if response.status_code != 200:
                raise EngineError(f"the engine answered {path} with status {response.status_code}")
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
            if response.status_code != 200:
                raise EngineError(f"the engine answered /events with status {response.status_code}")
            rest = b""
            while part := response.raw.read1(1 << 16):
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
        if self._session is not None:
            self._session.close()
        with self._lock:
            self._sockets.clear()

    @contextmanager
    def _request(self, path: str, timeout: float | None) -> Generator[Response]:
        """Send a request; errors of the libraries become ours, also while the body is read."""
        import requests
        import urllib3

        if self._session is None:
            self._session = self._open_session()
        url = f"{self._session.base_url}{'/' if self.version else ''}{self.version}{path}"
        try:
            with self._session.get(
                url, stream=True, timeout=(CONNECT_TIMEOUT, timeout), allow_redirects=False
            ) as response:
                yield response
        except (requests.Timeout, TimeoutError, urllib3.exceptions.ReadTimeoutError):
            raise SlowError(f"the engine did not answer {path.partition('?')[0]} in time") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise UnreachableError(f"the engine cannot be reached: {_reason(error)}") from None

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
    """Return the words of the system, or of ``connect``: the libraries wrap them in names of theirs."""
    from requests import RequestException

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, RequestException):
            return cause.strerror or str(cause) or type(cause).__name__
        cause = cause.__cause__ or cause.__context__
    return "the connection ended, or the answer is not HTTP"
