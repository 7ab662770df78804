"""Asking an instance on its socket, over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import os
import stat
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from hullwatch.api.place import NDJSON, STATE_HEADER
from hullwatch.channel import connect_unix
from hullwatch.errors import CannotError, HullwatchError, UsageError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

CONNECT_PATIENCE = 2.0  # seconds
PATIENCE = 75.0  # seconds for the next part of an answer; longer than what the instance gives a question
OTHER_STORE = 421  # Misdirected Request


class NobodyError(CannotError):
    """No instance answers there, or one that keeps another store."""


class _Error(msgspec.Struct):
    error: str


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, patience: float) -> None:
        super().__init__("localhost", timeout=patience)
        self._path = path

    def connect(self) -> None:
        """Connect, where nobody but root or this user can have put a socket."""
        for place in (self._path.parent, self._path):
            found = place.lstat()
            others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISSOCK(found.st_mode)
            if found.st_uid not in {0, os.geteuid()} or others:
                raise NobodyError(f"{place} is not only root's: somebody else may listen there.")
        deadline = time.monotonic() + CONNECT_PATIENCE
        while True:
            try:
                connection = connect_unix(str(self._path), CONNECT_PATIENCE)
                break
            except BlockingIOError:  # many others ask at the moment
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        connection.settimeout(self.timeout)
        self.sock: socket.socket = connection


class Client:
    """Asks one instance.

    Args:
        path: of its socket.
        state: the store that is meant; empty for any.
    """

    def __init__(self, path: Path, state: str = "") -> None:
        """Ask nothing yet."""
        self._path = path
        self._headers = {STATE_HEADER: state} if state else {}

    def answers(self) -> bool:
        """Tell whether an instance is there that keeps the store which is meant, and that this user may ask."""
        if not os.access(self._path, os.W_OK):
            return False
        try:
            self.get("/v1/version")
        except NobodyError:
            return False
        return True

    def get(self, path: str, parameters: Mapping[str, object] | None = None, patience: float = PATIENCE) -> bytes:
        """Return an answer, each part of which comes within some seconds.

        Raises:
            NobodyError: when nobody answers.
            HullwatchError: with what the instance says.
        """
        return b"".join(self._ask("GET", path, parameters or {}, None, patience))

    def lines(self, path: str, parameters: Mapping[str, object]) -> Iterator[bytes]:
        """Yield the lines of an answer as they come.

        Raises:
            HullwatchError: as ``get`` does, also in the middle of it.
        """
        rest = b""
        for part in self._ask("GET", path, parameters, None):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if line.startswith(b'{"error":'):
                    raise CannotError(msgspec.json.decode(line, type=_Error).error)
                yield line
        if rest:
            raise CannotError("The answer of the running Hullwatch ends in the middle.")

    def post(self, path: str, body: object, patience: float = PATIENCE) -> bytes:
        """Have something done; return the answer.

        Raises:
            HullwatchError: as ``get`` does. When nobody answers after it was asked, nobody knows whether it was done.
        """
        return b"".join(self._ask("POST", path, {}, msgspec.json.encode(body), patience))

    def _ask(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, object],
        body: bytes | None,
        patience: float = PATIENCE,
    ) -> Iterable[bytes]:
        connection = _Connection(self._path, patience)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NobodyError(f"Nobody listens at {self._path}: {error.strerror or error}.") from error
        query = urlencode([one for one in parameters.items() if one[1] != ""], doseq=True, errors="surrogateescape")
        headers = {**self._headers, "Accept": NDJSON, "Content-Type": "application/json"}
        try:
            with contextlib.suppress(BrokenPipeError):  # whoever refuses does not wait for the question
                connection.request(method, f"{path}?{query}" if query else path, body, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise _told(response.status, response.read())
            return self._parts(connection, response)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            why = error if str(error) else type(error).__name__
            if method == "GET":
                raise NobodyError(f"The running Hullwatch did not answer at {self._path}: {why}.") from error
            raise CannotError(
                f"The running Hullwatch did not answer at {self._path}: {why}. Look whether it was done before you ask "
                "again."
            ) from error
        except HullwatchError:
            connection.close()
            raise

    def _parts(self, connection: _Connection, response: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while part := response.read1(1 << 16):
                yield part
        except (OSError, http.client.HTTPException) as error:
            raise CannotError(f"The running Hullwatch stopped to answer: {error or type(error).__name__}.") from error
        finally:
            connection.close()


def _told(status: int, body: bytes) -> HullwatchError:
    try:
        sentence = msgspec.json.decode(body, type=_Error).error
    except msgspec.MsgspecError:
        sentence = f"The running Hullwatch answered {status}, and not as Hullwatch does."
    if status == OTHER_STORE:
        return NobodyError(sentence)
    return UsageError(sentence) if status == 400 else CannotError(sentence)


def decoded(data: bytes, kind: Any) -> Any:
    """Return an answer as a type.

    Raises:
        CannotError: when it is none, as that of an instance of another version may be.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise CannotError(
            f"The running Hullwatch answered what this one does not understand ({error}): is it of another version? "
            "Start it again."
        ) from error


def decoded_lines(lines: Iterable[bytes], kind: Any, what: str) -> Iterator[Any]:
    """Yield the lines of an answer, each of a type.

    Args:
        lines: of JSON.
        kind: the type.
        what: each of them is, such as "an alert".

    Raises:
        CannotError: when one is none.
    """
    decoder = msgspec.json.Decoder(kind)
    for line in lines:
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise CannotError(f"The running Hullwatch told of {what} what is none: {error}.") from error
