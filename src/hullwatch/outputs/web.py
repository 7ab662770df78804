"""HTTP for outputs: one connection that is kept, limited in time and in what is read."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import threading
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from hullwatch import __version__
from hullwatch.errors import UsageError
from hullwatch.outputs.output import RefusedError, UnreachableError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

LARGEST_ANSWER = 1 << 16  # bytes that are read; a connection with more to read is closed
SHOWN_ANSWER = 200  # characters of an answer in a sentence
USER_AGENT = f"hullwatch/{__version__}"
_AGAIN = frozenset({401, 407, 408, 423, 425, 429})  # of those from 400 to 499: not because of what was sent


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    reason: str
    body: bytes

    def __str__(self) -> str:
        """Return it as a line for people."""
        text = " ".join(self.body[: 4 * SHOWN_ANSWER].decode("utf-8", "replace").split())[:SHOWN_ANSWER]
        return f"{self.status} {self.reason}".rstrip() + (f": {text}" if text else "")


class WebClient:
    """Sends requests to one URL, one after another."""

    def __init__(self, url: str, timeout: float, tls: ssl.SSLContext | None = None, server_name: str = "") -> None:
        """Connect to nothing yet.

        Args:
            url: http or https; a user and a password in it are sent as Basic authentication.
            timeout: seconds for the connection, and for all of a request and its answer.
            tls: for https; None: the system's authorities, no certificate of ours.
            server_name: that the certificate must have; empty: the URL's host.

        Raises:
            UsageError: when it is no such URL; does not show it.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UsageError(f"the URL is wrong: {error}.") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError("the URL must begin with http:// or https:// and a host.")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise UsageError("the URL must be printable ASCII without blanks.")
        self._secure = parts.scheme == "https"
        self.host = parts.hostname
        self._port = port or (443 if self._secure else 80)
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout = timeout
        self._tls = tls
        self._server_name = server_name or parts.hostname
        self._headers = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": USER_AGENT, "Accept": "*/*"}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(user).decode()}"
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: Mapping[str, str], *, method: str = "POST", path: str = "") -> Answer:
        """Send a request and return the answer, which is one from 200 to 299.

        Args:
            body: all of it.
            headers: beside Host, User-Agent, Accept and Content-Length.
            method: of the request.
            path: with the query; empty: the URL's.

        Raises:
            UnreachableError: no connection, no answer in time, or an answer that may be another one later.
            RefusedError: the server will not take it.
        """
        answer, after = self._request(body, headers, method, path)
        if 200 <= answer.status < 300:
            return answer
        sentence = f"{self.host} answers {answer}"
        if 400 <= answer.status < 500 and answer.status not in _AGAIN:
            raise RefusedError(sentence)
        raise UnreachableError(sentence, after=after)

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(self, body: bytes, headers: Mapping[str, str], method: str, path: str) -> tuple[Answer, float | None]:
        kept = self._connection is not None
        try:
            return self._exchange(body, headers, method, path)
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            self.close()
            if not kept:
                raise UnreachableError(self._sentence(error)) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnreachableError(self._sentence(error)) from error
        # A connection that was kept may have been closed by the server meanwhile.
        try:
            return self._exchange(body, headers, method, path)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnreachableError(self._sentence(error)) from error

    def _exchange(self, body: bytes, headers: Mapping[str, str], method: str, path: str) -> tuple[Answer, float | None]:
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        late = threading.Event()
        stopper = threading.Timer(self._timeout, _shut_down, (connection.sock, late))
        stopper.daemon = True
        stopper.start()
        try:
            whole = {**self._headers, **headers, "Content-Length": str(len(body))}
            connection.putrequest(method, path or self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in whole.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            # A server that writes its answer in two pieces waits until the first is acknowledged: at once, then.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            response = connection.getresponse()
            read = response.read(LARGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            if late.is_set():
                raise TimeoutError from error
            raise
        finally:
            stopper.cancel()
        if len(read) > LARGEST_ANSWER or response.will_close:
            self.close()
        answer = Answer(response.status, response.reason, read[:LARGEST_ANSWER])
        return answer, _seconds(response.getheader("Retry-After"))

    def _connect(self) -> http.client.HTTPConnection:
        plain = socket.create_connection((self.host, self._port), self._timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._secure:
                plain = self._context().wrap_socket(plain, server_hostname=self._server_name)
        except BaseException:
            plain.close()
            raise
        connection = http.client.HTTPConnection(self.host, self._port, timeout=self._timeout)
        connection.sock = plain
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            import ssl

            self._tls = ssl.create_default_context()
        return self._tls

    def _sentence(self, error: Exception) -> str:
        where = f"{self.host} port {self._port}"
        if isinstance(error, TimeoutError):
            return f"{where} does not answer within {self._timeout:g} s"
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
        return f"{where}: {reason or type(error).__name__}"


def _shut_down(connection: socket.socket, late: threading.Event) -> None:
    """End what somebody waits for: the other side sends or reads too slowly."""
    late.set()
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _seconds(header: str | None) -> float | None:
    """Return for how long a server wants to be left alone (RFC 9110, Retry-After)."""
    if not header:
        return None
    if header.isascii() and header.isdigit() and len(header) < 10:
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except (ValueError, OverflowError, TypeError):
        return None
