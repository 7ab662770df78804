"""Telling a client why TLS was not agreed on: asyncio closes the connection and drops the alert that OpenSSL has made.

Without it whoever looks at the client's log, an API server's say, reads of a connection that was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

_PATIENCE = 2.0  # seconds for a client to have read it
_CHUNK = 16 << 10  # bytes


class Handshake:
    """Stands for a context of TLS in one connection, and keeps what OpenSSL wants to be sent.

    Args:
        context: of TLS.
        connection: that asyncio will close when TLS is not agreed on.
    """

    def __init__(self, context: ssl.SSLContext, connection: socket.socket) -> None:
        """Keep a second descriptor of the connection, as long as there is one left."""
        self._context = context
        self._alert = b""
        self._own: socket.socket | None = None
        with contextlib.suppress(OSError):
            self._own = connection.dup()

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **how: Any) -> ssl.SSLObject:
        """Return the connection's side of TLS; asyncio asks a context for it."""
        made = self._context.wrap_bio(incoming, outgoing, **how)
        agree = made.do_handshake

        def do_handshake() -> None:
            try:
                agree()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError:
                self._alert = outgoing.read()
                raise

        made.do_handshake = do_handshake
        return made

    async def tell(self) -> None:
        """Send the alert, and wait a little until the client has closed the connection."""
        if self._own is None or not self._alert:
            return
        loop = asyncio.get_running_loop()
        self._own.settimeout(0)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await loop.sock_sendall(self._own, self._alert)
                self._own.shutdown(1)  # SHUT_WR; what has come and was not read would make the alert be lost
                while await loop.sock_recv(self._own, _CHUNK):
                    pass

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._own is not None:
            self._own.close()
            self._own = None
