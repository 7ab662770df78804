"""The connection to the API of a cluster, when another thread ends it."""

from __future__ import annotations

import http.client
import socket
import ssl

import pytest

from hullwatch.enrich.kubernetes.connection import Connection, ConnectionLostError
from hullwatch.enrich.kubernetes.credentials import Access


def no_token(*, again: bool) -> str:
    del again
    return ""


def test_a_connection_that_is_ended_while_it_is_made_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        access = Access(f"http://127.0.0.1:{listener.getsockname()[1]}", ssl.create_default_context, no_token)
        connection = Connection(access)
        made: list[http.client.HTTPConnection] = []
        connect = http.client.HTTPConnection.connect

        def ended_meanwhile(self: http.client.HTTPConnection) -> None:
            connection.stop()
            connect(self)
            made.append(self)

        monkeypatch.setattr(http.client.HTTPConnection, "connect", ended_meanwhile)
        with pytest.raises(ConnectionLostError, match="it is no longer asked"):
            connection.page("/api/v1/pods", {})
        assert [one.sock for one in made] == [None]
