"""The process of one question: it gets ready with power, gives it up, reads the question, answers, and ends."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import select
import signal
import tempfile
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from hullwatch.api.errands import END, LONGEST, EventsWanted, OutputTried, OutputWanted
from hullwatch.errors import CannotError, HullwatchError, UsageError
from hullwatch.formats.json_line import json_line
from hullwatch.own_process import drop_privileges, leave_descriptors
from hullwatch.service.log import speak

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from hullwatch.api.errands import Errand
    from hullwatch.config.settings import Settings
    from hullwatch.outputs.configured import Configured
    from hullwatch.outputs.secrets import Secrets

NAME = "hullwatch-asked"
NICE = 5
_CONDITION = """alert.rule = x and (fd.name glob "/x/*" or fd.name regex "x.*" or fd.name pmatch (/x)
    or proc.name startswith x or fd.rip = 10.0.0.0)"""  # that loads what conditions load when they first need it
TOGETHER = 64 << 10  # bytes of an answer that are sent at once
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def be_errand(errand: Errand, end: socket.socket, settings: Settings, state: Path, user: tuple[int, int]) -> NoReturn:
    """Be the process, in the one that was forked for it; never return.

    Args:
        errand: what it is for.
        end: where the question comes from.
        settings: in force.
        state: the directory of what lasts.
        user: uid and gid to become.
    """
    supervisor = os.getppid()
    try:
        _leave_everything(end)
        speak("api", settings.log.format)
        answer = _ready(errand, settings, state)
        drop_privileges(*user)
        # After the change of user, which takes it back.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == supervisor:
            serve(end, answer)
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may escape
        with contextlib.suppress(OSError):
            text = "".join(traceback.format_exception(error))
            (state / "api-crash.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    os._exit(0)


def _ready(errand: Errand, settings: Settings, state: Path) -> Callable[[bytes], Iterator[bytes]]:
    """Return what answers, when all that it needs is loaded."""
    if errand == "events":
        return of_events(settings, state)
    return of_output(settings) if errand == "output" else of_all(errand, settings, state)


def serve(end: socket.socket, answer: Callable[[bytes], Iterator[bytes]]) -> None:
    """Answer the question that comes; when nobody waits for it any more, the process ends at once."""
    threading.Thread(target=_end_with, args=(end,), daemon=True).start()
    with end.makefile("rb") as stream:
        question = stream.readline(LONGEST)
    waiting, size = list[bytes](), 0
    try:
        for line in answer(question):
            waiting.append(line)
            size += len(line)
            if size >= TOGETHER:
                end.sendall(b"".join(waiting))
                waiting, size = [], 0
    except HullwatchError as error:
        waiting.append(_line({"error": str(error)}))
    except Exception as error:  # noqa: BLE001 - a mistake of our own, or of a library: whoever asked is told
        waiting.append(
            _line({"error": f"Something went wrong that Hullwatch did not expect ({type(error).__name__})."})
        )
    end.sendall(b"".join((*waiting, END)))


def _end_with(end: socket.socket) -> None:
    """End the process when the other end is closed: what works in a library looks at no socket."""
    waited = select.poll()
    waited.register(end, select.POLLRDHUP)
    waited.poll()
    os._exit(0)


def _line(document: object) -> bytes:
    return json_line(document).encode("utf-8", "backslashreplace")


# ---- kept events


def of_events(settings: Settings, state: Path) -> Callable[[bytes], Iterator[bytes]]:
    """Return what answers for kept events; what it needs is loaded by using it once."""
    from hullwatch.detect.engine import Match
    from hullwatch.formats.event_line import EventLines
    from hullwatch.store.kept.folder import NAME as FOLDER
    from hullwatch.store.kept.reading import FORMAT, KeptReader, Wanted, duckdb_in_memory

    with contextlib.suppress(CannotError):
        duckdb_in_memory()[0].cursor().execute("SELECT 1").fetchmany(1)
    with contextlib.suppress(UsageError):
        KeptReader(state / "none", Wanted("evt.nu exists", FORMAT))
    list(KeptReader(state / "none", Wanted(_CONDITION, FORMAT)).events())
    lines = EventLines(settings.mask)

    def answer(question: bytes) -> Iterator[bytes]:
        asked = msgspec.json.decode(question, type=EventsWanted)
        reader = KeptReader(state / FOLDER, Wanted(asked.condition, asked.form, asked.since, asked.until))
        left = asked.limit
        for event in reader.events():
            text, fields = lines.parts(Match(reader.rule, event))
            yield _line(fields if asked.as_json else {"text": text})
            left -= 1
            if left <= 0:
                break
        for problem in reader.problems:
            yield _line({"warning": problem})

    return answer


# ---- all that is kept


def of_all(errand: Errand, settings: Settings, state: Path) -> Callable[[bytes], Iterator[bytes]]:
    """Return what looks all that is kept through, or makes it smaller."""
    from hullwatch.api.stored import StoreDesk
    from hullwatch.store.kept import packing
    from hullwatch.store.kept.reading import duckdb_in_memory

    importlib.import_module("psycopg" if settings.store.url else "sqlite3")
    with contextlib.suppress(CannotError):  # who needs it says that it is missing
        if errand == "vacuum":
            packing.preload()
        else:
            duckdb_in_memory()[0].cursor().execute("SELECT 1").fetchmany(1)
    desk = StoreDesk(settings.store.url, state, str, lambda _: [])

    def answer(_: bytes) -> Iterator[bytes]:
        yield from map(_line, desk.soundness() if errand == "check" else desk.make_smaller())

    return answer


# ---- outputs


def of_output(settings: Settings) -> Callable[[bytes], Iterator[bytes]]:
    """Return what tries outputs; the secrets of all of them are read, for the name is not known yet."""
    from hullwatch.outputs import router, trial
    from hullwatch.outputs.configured import configured

    router.preload(settings)
    known = {one.name: one for one in configured(settings)}
    secrets = {name: _secrets(one) for name, one in known.items()}

    def answer(question: bytes) -> Iterator[bytes]:
        asked = msgspec.json.decode(question, type=OutputWanted)
        one, found = known[asked.name], secrets[asked.name]
        if isinstance(found, HullwatchError):
            raise found
        message = trial.trial_message(one, settings, asked.who)
        with tempfile.TemporaryDirectory() as directory:  # not the output's own, which is in use
            if asked.dry_run:
                would_send = trial.preview(one, message, Path(directory), found).decode("utf-8", "replace")
                yield _line(OutputTried(asked.name, message.id, would_send=would_send))
                return
            tried = trial.deliver(one, message, Path(directory), found)
        yield _line(OutputTried(asked.name, message.id, tried.delivered, tried.said))

    return answer


def _secrets(one: Configured) -> Secrets | HullwatchError:
    """Return the secrets of an output, or why they are not to be had: that is worth knowing when it is tried."""
    try:
        return one.read_secrets()
    except HullwatchError as error:
        return error


def _leave_everything(end: socket.socket) -> None:
    leave_descriptors([end.fileno()])
    with contextlib.suppress(OSError):  # only what `ps` shows
        Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    with contextlib.suppress(OSError):
        os.nice(NICE)
