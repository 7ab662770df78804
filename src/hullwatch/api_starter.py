"""The supervisor's side of the API: it holds the socket, and starts the process that answers when somebody asks."""

from __future__ import annotations

import contextlib
import grp
import os
import re
import signal
import socket
import stat
import time
from typing import TYPE_CHECKING, Protocol

import msgspec

from hullwatch.api.place import IDLE, SOCKET, missing
from hullwatch.errands import ERRANDS, ErrandStarter
from hullwatch.errors import CannotError
from hullwatch.extras import install
from hullwatch.outputs.standard_error import say
from hullwatch.own_process import start
from hullwatch.respond.responding import undo_all

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from hullwatch.config.settings import Settings
    from hullwatch.service.sources import Texts

BACKLOG = 256  # connections that wait
MODE = 0o660
FOLDER_MODE = 0o710  # the group may pass through, and see nothing else
FAILURES = 3  # in a row, after which nobody is asked to answer any more
EARLY = 5.0  # seconds of life, before which an end is a failure
END_WAIT = 6.0  # seconds for questions that are worked on
MAXIMUM_MESSAGE = 1 << 12


class InForce(Protocol):
    """What a run goes by now."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def files(self) -> Texts:
        """The rules, read but not parsed."""
        ...


class ApiStarter:
    """Holds the socket that verbs ask at.

    Args:
        sources: settings and rules in force.
        user: uid and gid that the process becomes.
        state: the directory of what lasts.
        run: the directory for the socket, which is root's own.

    Raises:
        CannotError: when there is no such group as ``api.group``.
    """

    idle = IDLE

    def __init__(self, sources: InForce, user: tuple[int, int], state: Path, run: Path) -> None:
        """Begin to listen, if that is wanted and can be."""
        self._sources = sources
        self._user = user
        self._state = state
        self._errands = ErrandStarter(user, state)
        self._pid = 0
        self._began = 0.0
        self._failures = 0
        self._channel: socket.socket | None = None
        self._path: Path | None = None
        self._listener: socket.socket | None = None
        if not sources.settings.api.enabled:
            return
        self._group = _group(sources.settings.api.group, user[1])
        libraries = missing()
        if libraries:
            say(
                f"Verbs look into the store themselves, for want of {' and '.join(libraries)}; "
                f"this has Hullwatch answer them: {install('api')} (api.enabled = false says no more of it)."
            )
            return
        try:
            self._listen(run)
        except OSError as error:
            say(f"Warning: verbs look into the store themselves, for nobody can listen at {run / SOCKET}: {error}.")

    def _listen(self, run: Path) -> None:
        path = run / SOCKET
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise CannotError(f"{path} is there and is no socket: remove it.")
            path.unlink()  # of an instance of before: there is one at a time
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o777)  # nobody connects before it is the group's
        try:
            listener.bind(str(path))
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        os.chown(path, 0, self._group)
        path.chmod(MODE)
        os.chown(run, 0, self._group)
        run.chmod(FOLDER_MODE)
        listener.listen(BACKLOG)
        listener.settimeout(0)
        self._listener, self._path = listener, path

    def waits(self) -> list[socket.socket]:
        """Return what to wait for."""
        if self._pid:
            return [] if self._channel is None else [self._channel]
        return [] if self._listener is None else [self._listener]

    def look(self, ready: Collection[object]) -> None:
        """Do what is to be done. To be called where there is one thread only, for it forks.

        Args:
            ready: of what ``waits`` returned, that from which something has come.
        """
        self._errands.look()
        if self._channel is not None and self._channel in ready:
            self._answer(self._channel)
        if self._pid and self._has_ended():
            return
        if not self._pid and self._listener is not None and self._listener in ready:
            self._start(self._listener)

    def pids(self) -> list[int]:
        """Return the process id, where one runs, and those of the processes that it asked for."""
        return [*([self._pid] if self._pid else []), *self._errands.pids()]

    def renew(self) -> None:
        """Have the process end when its questions are answered: the next one has the settings that are in force now."""
        if self._pid:
            os.kill(self._pid, signal.SIGTERM)

    def stop(self) -> None:
        """End it, and take the socket away."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.renew()
        deadline = time.monotonic() + END_WAIT
        while self._pid and not self._has_ended():
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
            time.sleep(0.01)
        self._errands.stop()
        self._give_up()

    def _start(self, listener: socket.socket) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sources = self._sources

        def begin() -> None:
            ours.close()
            from hullwatch.api_process import be_api

            be_api(listener, theirs, sources.settings, sources.files, self._state, self._user, self._group, self.idle)

        self._pid, self._channel = start("that answers verbs", begin), ours
        self._began = time.monotonic()
        theirs.close()

    def _has_ended(self) -> bool:
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            return False
        self._pid = 0
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        failed = os.waitstatus_to_exitcode(status) not in {0, -signal.SIGTERM}
        self._failures = self._failures + 1 if failed and time.monotonic() - self._began < EARLY else 0
        if self._failures >= FAILURES:
            say(
                "Warning: verbs look into the store themselves from now on, for the process that answers them ends at "
                f"once; what it said last is in {self._state}/api-crash.txt."
            )
            self._give_up()
        return True

    def _give_up(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _answer(self, channel: socket.socket) -> None:
        """Do what the process that answers may not; who wants it, that process has seen to."""
        ends: list[int] = []
        try:
            data, ends, _, _ = socket.recv_fds(channel, MAXIMUM_MESSAGE, 1)
            if not data:
                return
            answer: dict[str, object] = {"done": self._do(data, ends)}
        except CannotError as error:
            answer = {"problem": str(error)}
        except OSError:
            return
        finally:
            for end in ends:
                os.close(end)
        with contextlib.suppress(OSError):
            channel.send(msgspec.json.encode(answer))

    def _do(self, data: bytes, ends: list[int]) -> list[str]:
        """Start a process for a question, with the end that came; or let a container go on."""
        if not ends:
            return self._undo(data)
        errand = ERRANDS.get(data)
        if errand is None:
            raise CannotError("There is no such process to be started.")
        with socket.socket(fileno=os.dup(ends[0])) as end:
            self._errands.start(errand, end, self._sources.settings)
        return []

    def _undo(self, data: bytes) -> list[str]:
        if not re.fullmatch(rb"[0-9a-f]{6,64}", data):
            raise CannotError("That is no id of a container.")
        return undo_all(data.decode(), self._sources.settings, self._state)


def _group(name: str, otherwise: int) -> int:
    if not name:
        return otherwise
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise CannotError(f"There is no group {name[:80]!r} (api.group): make it, or leave it out.") from None
