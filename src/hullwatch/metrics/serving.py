"""The supervisor's side of the process that serves metrics: the socket is opened with power, served without."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hullwatch.errors import CannotError
from hullwatch.metrics.families import exposition
from hullwatch.metrics.server import MetricsServer
from hullwatch.metrics.view import look

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "hullwatch-metrics"
NICE = 10
BACKLOG = 16
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h


class Serving:
    """Keeps a process that serves metrics, if a place to serve at was set.

    Args:
        listen: the setting ``metrics.listen``.
        state: the directory that the engine writes its status to.
        user: uid and gid that the process becomes.
    """

    def __init__(self, listen: str, state: Path, user: tuple[int, int]) -> None:
        """Take the place, so that a run which cannot have it ends at once.

        Raises:
            CannotError: when it is taken, or is not to be had.
        """
        self._state = state
        self._user = user
        self._pid = 0
        self._path: Path | None = None
        self._listener = self._open(listen) if listen else None

    def _open(self, listen: str) -> socket.socket:
        try:
            if listen.startswith("unix://"):
                return self._open_path(Path(listen.removeprefix("unix://")))
            host, _, port = listen.rpartition(":")
            host = host.strip("[]")
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            place = (host if host != "localhost" else "127.0.0.1", int(port))
            return socket.create_server(place, family=family, backlog=BACKLOG)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CannotError(
                f"Metrics cannot be served at {listen}: {reason}. Set metrics.listen to another."
            ) from error

    def _open_path(self, path: Path) -> socket.socket:
        """Listen at a path; a socket that an instance of before has left there goes."""
        if path.is_symlink() or (path.exists() and not stat.S_ISSOCK(path.stat().st_mode)):
            raise CannotError(f"{path} (metrics.listen) is there and is no socket: remove it, or set another path.")
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o117)
        try:
            listener.bind(str(path))
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        if os.geteuid() == 0:
            os.chown(path, 0, self._user[1])
        listener.listen(BACKLOG)
        self._path = path
        return listener

    def keep(self) -> None:
        """Start the process, if one is to run and does not. To be called where there is one thread only: it forks."""
        if self._listener is None or self._runs():
            return
        self._pid = os.fork()
        if not self._pid:
            _be_server(self._listener, self._state, self._user, os.getppid(), local_names=self._path is None)

    def _runs(self) -> bool:
        if self._pid and os.waitpid(self._pid, os.WNOHANG)[0]:
            self._pid = 0
        return bool(self._pid)

    def pids(self) -> list[int]:
        """Return the process id, where one runs."""
        return [self._pid] if self._pid else []

    def stop(self) -> None:
        """End it, and take the socket away."""
        if self._runs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _be_server(
    listener: socket.socket, state: Path, user: tuple[int, int], supervisor: int, *, local_names: bool
) -> NoReturn:
    """Serve, in the process that was forked for it, as a user without power; never return."""
    code = 1
    with contextlib.suppress(BaseException):
        _become(user, listener.fileno())
        text: Callable[[], str] = lambda: exposition(look(state, supervisor))  # noqa: E731
        MetricsServer(listener, text, local_names=local_names).serve_forever()
        code = 0
    os._exit(code)


def _become(user: tuple[int, int], kept: int) -> None:
    """Give up power, and let go of the supervisor's signals and descriptors."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    with contextlib.suppress(OSError):  # only what `ps` shows
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    with contextlib.suppress(OSError):
        os.nice(NICE)
    uid, gid = user
    if os.geteuid() == 0:  # a run without power is an ordinary user's already
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None, use_errno=True)
    # After the change of user, which takes the first back.
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    os.umask(0o077)
    os.chdir("/")
