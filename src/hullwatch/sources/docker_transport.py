"""How requests to an engine get their sockets: from a function, or as usual; each is made known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


WRITE_TIMEOUT = 2.0  # seconds for sending a request


class EngineAdapter(HTTPAdapter):
    """A transport of the requests library for one engine, with one connection that is used again."""

    def __init__(self, made: Callable[[socket.socket], None], connect: Callable[[], socket.socket] | None) -> None:
        """Make the transport.

        Args:
            made: is told each socket, so that another thread can end it.
            connect: returns a connected socket; None connects to the address of the request.
        """
        self._made = made
        self._connect = connect
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Let the pools make connections that tell their sockets."""
        super().init_poolmanager(*arguments, **options)
        made, connect = self._made, self._connect

        class PlainConnection(HTTPConnection):
            def connect(self) -> None:
                if connect is None:
                    super().connect()
                else:
                    self.sock = connect()
                    self.sock.settimeout(WRITE_TIMEOUT)  # the library sets the one for reading
                made(self.sock)

        class EncryptedConnection(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                made(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = PlainConnection  # pyright: ignore[reportAssignmentType]  # as in urllib3 itself

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = EncryptedConnection  # pyright: ignore[reportAssignmentType]  # the same

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
