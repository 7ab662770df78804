"""An API to ask: a store with alerts, a process that holds the socket, and callers with other user ids."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hullwatch.api.place import SOCKET
from hullwatch.store.kept import folder as kept
from hullwatch.store.kept import packing
from hullwatch.store.sqlite import SqliteDatabase
from tests.store.kept.made import HOUR, frame, made, write
from tests.store.stored import alert, batch, keeping, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HOLDING = Path(__file__).with_name("holding.py")
ROOT = HOLDING.parent.parent.parent
SERVICE, MEMBER, STRANGER = 61_504, 61_505, 61_506  # have no accounts
HOSTILE = "Last\x1b[2J\x9b31m\u202e"
MANY = 2000
KEPT = 600  # events
ANSWERING = "hullwatch-api"  # the name of the process
SAID = re.compile(r"(hullwatch: )?.* has sent a test to the output hook: .*")
PATIENCE = 20.0


class Answer(NamedTuple):
    """What the API answered."""

    status: int
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence."""
        return str(self.document["error"])


class Held(NamedTuple):
    """A socket that somebody holds."""

    process: subprocess.Popen[str]
    state: Path
    run: Path

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.run / SOCKET

    def connect(self) -> socket.socket:
        """Return a connection."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self.path))  # waits where others do; with a time limit it would not
        except OSError:
            connection.close()
            raise
        connection.settimeout(PATIENCE)
        return connection

    def ask(self, path: str, body: bytes | None = None, *headers: str) -> Answer:
        """Ask as this user."""
        method = "GET" if body is None else "POST"
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        with self.connect() as connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))
            return answer_of(read_all(connection))

    def pid(self) -> int:
        """Return the process that answers."""
        answering = self._answering()
        assert len(answering) == 1
        return answering[0]

    def asked(self) -> int:
        """Return how many bytes the process that answers has read of files: it looks up who asks, each time."""
        return sum(_reads(pid) for pid in self._answering())

    def _answering(self) -> list[int]:
        """Return the processes that answer, without those that are there for one question."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if _name(pid) == ANSWERING]

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _name(pid: str) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _reads(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(lines[0].split()[1])


def read_all(connection: socket.socket) -> bytes:
    """Return all that comes."""
    parts: list[bytes] = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def answer_of(data: bytes) -> Answer:
    """Return an answer of its bytes."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().splitlines()
    if "transfer-encoding: chunked" in lines:
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            whole += body[: int(size, 16)]
            body = body[int(size, 16) + 2 :]
        body = whole
    return Answer(int(lines[0].split()[1]), body)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A place for a store and a socket that others may pass through, with a short name."""
    if os.geteuid() != 0:
        pytest.skip("only root can become other users")
    with tempfile.TemporaryDirectory(prefix="hw-api-", dir="/tmp") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="session")
def state(folder: Path) -> Path:
    """A state directory with alerts of two rules, one of them with a hostile name, and kept events."""
    where = folder / "state"
    where.mkdir(mode=0o700)
    database = SqliteDatabase(where / "store.db", make=True)
    keeper = keeping(database)
    keeper.take(batch(0, MANY))
    keeper.take([packed(alert(0, time=time.time_ns(), rule=HOSTILE, message=HOSTILE, process="nc"), MANY)])
    database.close()
    now = time.time_ns()
    events = where / kept.NAME
    write(events, frame([made(1, time=now - 3 * HOUR, proc_name="wget")]))
    packing.pack(events)
    write(events, frame([made(number, time=now + number, fd_name=HOSTILE) for number in range(2, KEPT + 1)]))
    for path in (where, *where.rglob("*")):
        os.chown(path, SERVICE, SERVICE)
    return where


def hold(state: Path, run: Path, patience: float = 5.0, idle: float = 60.0, broken: str = "") -> Held:
    """Have somebody hold a socket."""
    run.mkdir(mode=0o700)
    process = subprocess.Popen(
        [sys.executable, str(HOLDING), str(state), str(run), str(SERVICE), str(patience), str(idle), broken],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    return Held(process, state, run)


def let_go(held: Held) -> str:
    """End the holder; return what it said."""
    held.process.send_signal(signal.SIGTERM)
    _, said = held.process.communicate(timeout=PATIENCE)
    assert held.process.returncode == 0
    assert not held.path.exists()
    return said


@pytest.fixture(scope="session")
def held(state: Path, folder: Path) -> Iterator[Held]:
    """A socket with a process behind it; tests share it."""
    made = hold(state, folder / "run")
    yield made
    assert [line for line in let_go(made).splitlines() if not SAID.fullmatch(line)] == []


def as_user(uid: int, groups: list[int], do: Callable[[], Any], gid: int | None = None) -> Any:
    """Do something as another user, in a child; return what came of it, which JSON can have."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(*[uid if gid is None else gid] * 3)
            os.setresuid(uid, uid, uid)
            try:
                made = do()
            except OSError as error:
                made = f"{type(error).__name__}"
            os.write(write, json.dumps(made).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        data = stream.read()
    os.waitpid(pid, 0)
    return json.loads(data)


def ask_as(uid: int, groups: list[int], held: Held, path: str, body: Mapping[str, object] | None = None) -> Answer:
    """Ask as another user."""

    def do() -> list[object]:
        answer = held.ask(path, None if body is None else json.dumps(body).encode())
        return [answer.status, answer.body.decode()]

    made = as_user(uid, groups, do)
    assert not isinstance(made, str), made
    return Answer(int(made[0]), str(made[1]).encode())
