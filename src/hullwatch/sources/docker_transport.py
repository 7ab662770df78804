"""How requests to an engine get their sockets: from a function, or as usual; each is made known."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

WRITE_TIMEOUT = 2.0  # seconds for sending a request
_PORTS = {"http": 80, "https": 443}
_ENGINE_PORTS = {False: 2375, True: 2376}  # of tcp://, without and with TLS


def pool_by_function(made: Callable[[socket.socket], None], connect: Callable[[], socket.socket]) -> HTTPConnectionPool:
    """Return a pool of one connection, which is used again.

    Args:
        made: is told each socket, so that another thread can end it.
        connect: returns a connected socket.
    """

    class Connection(HTTPConnection):
        def connect(self) -> None:
            self.sock = connect()
            self.sock.settimeout(WRITE_TIMEOUT)  # the library sets the one for reading
            made(self.sock)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection  # pyright: ignore[reportAssignmentType]  # as in urllib3 itself

    return Pool("localhost", maxsize=1, retries=False)


def pool_by_url(url: str, made: Callable[[socket.socket], None], tls: ssl.SSLContext | None) -> HTTPConnectionPool:
    """Return the same for an engine's address.

    Args:
        url: ``tcp://HOST:PORT``, ``http://`` or ``https://``.
        made: is told each socket.
        tls: for ``https://``, and for ``tcp://``, which is a plain connection without.

    Raises:
        ValueError: for another URL.
    """
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    if parts.scheme not in {"tcp", *_PORTS} or not host or parts.path.strip("/"):
        raise ValueError("it is none of tcp://HOST:PORT, http://HOST:PORT and https://HOST:PORT")
    encrypted = parts.scheme == "https" or (parts.scheme == "tcp" and tls is not None)
    port = port or _PORTS.get(parts.scheme) or _ENGINE_PORTS[encrypted]

    class PlainConnection(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            made(self.sock)

    class EncryptedConnection(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            made(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection  # pyright: ignore[reportAssignmentType]  # as in urllib3 itself

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = EncryptedConnection  # pyright: ignore[reportAssignmentType]  # the same

    if encrypted:
        return EncryptedPool(host, port, maxsize=1, retries=False, ssl_context=tls)
    return PlainPool(host, port, maxsize=1, retries=False)
