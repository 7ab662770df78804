"""The process that answers on the socket: without power, started at the first question, ended when nobody asks."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import logging
import os
import resource
import signal
import socket
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from hullwatch.alerts.condition import AlertCondition
from hullwatch.api.answering import Answers
from hullwatch.api.peer import Rights
from hullwatch.api.server import application, serve
from hullwatch.errors import CannotError, UsageError
from hullwatch.escalation.policy import LARGEST_FILE
from hullwatch.own_process import drop_privileges
from hullwatch.rules.describe import read_definitions
from hullwatch.rules.loader import RulesFile
from hullwatch.service.log import speak
from hullwatch.store.pushdown import pushed_down

if TYPE_CHECKING:
    from hullwatch.api.errands import Errand
    from hullwatch.config.settings import Settings
    from hullwatch.service.sources import Texts

NAME = "hullwatch-api"
NICE = 5
DESCRIPTORS = 2048
UNDO_PATIENCE = 20.0  # seconds for the supervisor
MAXIMUM_MESSAGE = 1 << 16
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_RULE = b"- {rule: preload, desc: x, condition: proc.name = x, output: x, priority: INFO}\n"
_CONDITION = """alert.rule = x and (fd.name glob "/x/*" or fd.name regex "x.*" or fd.name pmatch (/x)
    or proc.name startswith x or fd.snet = 10.0.0.0/8 or user.name = x or group.name = x)"""
_LATE_IMPORTS = (
    *("encodings.idna", "encodings.utf_8_sig", "stringprep", "sqlite3"),
    *("uvicorn.lifespan.off", "uvicorn.loops.asyncio"),
)


class Done(msgspec.Struct):
    """What the supervisor says: what it has done, or why not."""

    done: list[str] = []
    problem: str = ""


def be_api(  # noqa: PLR0913, PLR0917 - what a supervisor hands over
    listener: socket.socket,
    channel: socket.socket,
    settings: Settings,
    files: Texts,
    state: Path,
    user: tuple[int, int],
    group: int,
    idle: float,
) -> NoReturn:
    """Be the process that answers; give up power first, and never return.

    Args:
        listener: that listens already.
        channel: to the supervisor, for what only root can do.
        settings: in force.
        files: the rules in force.
        state: the directory of what lasts.
        user: uid and gid to become.
        group: that may ask.
        idle: seconds without a connection after which it ends.
    """
    code = 1
    supervisor = os.getppid()
    try:
        _leave_everything({listener.fileno(), channel.fileno()})
        speak("api", settings.log.format)
        logging.disable()  # libraries would write what callers send, as it is
        rights, told = Rights(user[0], group), _escalation(settings)
        answers = Answers(settings, state, supervisor, rights, _Power(channel), lambda: _names(files), told)
        preload(answers)
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        drop_privileges(*user)
        # After the change of user, which takes it back.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        gc.freeze()
        if os.getppid() == supervisor:
            serve(listener, answers, idle)
        code = 0
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may escape
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            (state / "api-crash.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    os._exit(code)


def preload(answers: Answers) -> None:
    """Import what is needed later, while the files can still be read: what is loaded by use, by using it once."""
    for module in _LATE_IMPORTS:
        importlib.import_module(module)
    application(answers)
    AlertCondition(_CONDITION)
    with contextlib.suppress(UsageError):
        AlertCondition("proc.nam = x")
    pushed_down(_CONDITION)
    _names([("preload", _RULE)])
    with contextlib.suppress(ImportError):
        if answers.settings.store.url:
            importlib.import_module("psycopg")


def _escalation(settings: Settings) -> str:
    """Return the text of the escalation file, which others than root may not read; empty without one."""
    with contextlib.suppress(OSError), Path(settings.escalation.file).open("rb") as file:
        return file.read(LARGEST_FILE).decode("utf-8", "replace")
    return ""


class _Power:
    """Asks the supervisor for what this process may not do, one thing after another.

    Args:
        channel: to the supervisor.
    """

    def __init__(self, channel: socket.socket) -> None:
        """Ask for nothing yet."""
        channel.settimeout(UNDO_PATIENCE)
        self._channel = channel
        self._turn = threading.Lock()

    def undo(self, container: str) -> list[str]:
        """Let a container go on."""
        return self._ask(container)

    def start(self, errand: Errand, end: socket.socket) -> None:
        """Start a process that answers one question."""
        self._ask(errand, end.fileno())

    def _ask(self, what: str, *ends: int) -> list[str]:
        try:
            with self._turn:
                socket.send_fds(self._channel, [what.encode()], ends)
                answer = msgspec.json.decode(self._channel.recv(MAXIMUM_MESSAGE), type=Done)
        except (OSError, msgspec.MsgspecError) as error:
            raise CannotError(f"The supervisor did not answer: {error}.") from error
        if answer.problem:
            raise CannotError(answer.problem)
        return answer.done


def _names(files: Texts) -> list[str]:
    """Return the names of the rules in some files, turned on or not."""
    return list(read_definitions([RulesFile(*file) for file in files]).rules)


def _leave_everything(kept: set[int]) -> None:
    """Let go of what the supervisor has: its descriptors, its name."""
    begin = 3
    for descriptor in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(begin, descriptor)
        begin = descriptor + 1
    with contextlib.suppress(OSError):  # only what `ps` shows
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    with contextlib.suppress(OSError):
        os.nice(NICE)
