"""Calls of the API of a cluster, by hand: what is compared is what the server answers, and no library's idea of it."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tools.cluster.certificates import Pair

PATIENCE = 60.0  # seconds for an answer
FAILED = 400


class RefusedError(Exception):
    """The server did not do what it was asked for."""

    def __init__(self, code: int, said: bytes) -> None:
        """Keep the answer."""
        super().__init__(f"{code}: {said[:300].decode(errors='replace')}")
        self.code = code


class Api:
    """A connection to the API server, which is made anew when it broke.

    Args:
        port: of 127.0.0.1.
        authority: whose certificate the server has.
        client: certificate and key of who asks; None asks without a login.
        headers: that every call has.
    """

    def __init__(
        self, port: int, authority: Path, client: Pair | None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep what is needed; the first call connects."""
        self._context = ssl.create_default_context(cafile=authority)
        if client:
            self._context.load_cert_chain(client.certificate, client.key)
        self._headers = dict(headers or {})
        self._port = port
        self._connection: http.client.HTTPSConnection | None = None

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Make a call and return the status and the body of the answer.

        Raises:
            OSError: when there is no server.
        """
        sent = None if body is None else msgspec.json.encode(body)
        all_headers = {"Content-Type": "application/json", **self._headers, **(headers or {})}
        fresh = self._connection is None
        connection = self._connection or http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=PATIENCE, context=self._context
        )
        self._connection = None
        try:
            connection.request(method, path, sent, all_headers)
            answer = connection.getresponse()
            read = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if fresh:
                raise OSError(str(error)) from error
            return self.call(method, path, body, headers)
        self._connection = connection
        return answer.status, read

    def text(self, path: str) -> str:
        """Return what lies at a path."""
        return self._answer("GET", path, None).decode()

    def get(self, path: str) -> dict[str, object]:
        """Return an object.

        Raises:
            RefusedError: when it is not given.
        """
        return msgspec.json.decode(self._answer("GET", path, None), type=dict[str, object])

    def create(self, path: str, body: object) -> dict[str, object]:
        """Make an object, and return it as it is then.

        Raises:
            RefusedError: when it is not made.
        """
        return msgspec.json.decode(self._answer("POST", path, body), type=dict[str, object])

    def delete(self, path: str) -> None:
        """Remove an object, or all of a list."""
        self._answer("DELETE", path, None)

    def _answer(self, method: str, path: str, body: object) -> bytes:
        code, read = self.call(method, path, body)
        if code >= FAILED:
            raise RefusedError(code, read)
        return read
