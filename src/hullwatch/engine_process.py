"""The engine's process: from the fork to the exit code, all of it without power."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hullwatch.alerts.mask import Masker
from hullwatch.app import Watch
from hullwatch.channel import Supervisor
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.errors import HullwatchError
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.standard_error import say
from hullwatch.own_process import CRASHED, drop_privileges, limit_fragments
from hullwatch.rules import loader
from hullwatch.rules.problem import RulesError
from hullwatch.rules.reload import cache_of, load_rules
from hullwatch.service.log import speak
from hullwatch.store import contact_keeping

if TYPE_CHECKING:
    import socket

    from hullwatch.app import Deliver
    from hullwatch.config.settings import Settings

NAME = "hullwatch-engine"

# Imported by libraries when they need them, which is too late for a user who may not see the files.
_WRONG_RULE = b"- rule: wrong\n  desc: wrong\n  condition: proc.nam = x\n  output: wrong\n  priority: info\n"
_RULE = b"""- rule: preload
  desc: of everything that loads something when it is first used
  condition: >
    evt.type in (openat, connect) and (fd.name glob "/x/*" or fd.name regex "x.*" or fd.name pmatch (/x)
    or fd.snet = 10.0.0.0/8 or user.name = x or group.name = x or fd.sproto = x)
  output: "%evt.time %user.name"
  priority: INFO
"""
_LATE_IMPORTS = (
    *("hullwatch.sources.docker_transport", "urllib3.response", "http.client"),
    *("encodings.idna", "stringprep", "traceback"),
    *("h2.connection", "h2.config", "h2.events", "h2.exceptions", "hpack.exceptions"),
)


def preload() -> None:
    """Import what the engine needs later, while the files can still be read.

    Libraries import and open some things only when they are used; using them once, on our own input, finds those.
    """
    Masker()
    for module in _LATE_IMPORTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    with contextlib.suppress(RulesError):
        loader.load([loader.RulesFile(name="preload", text=_WRONG_RULE)])
    Stream(loader.load([loader.RulesFile(name="preload", text=_RULE)]), Counters(), lambda _: None, 0)


def be_engine(  # noqa: PLR0913 - what a supervisor hands over
    settings: Settings,
    files: list[tuple[str, bytes]],
    channel: socket.socket,
    *,
    lifeline: int,
    state: Path,
    user: tuple[int, int],
    crashes: int,
    deliver: Deliver | None,
) -> NoReturn:
    """Be the engine, in the process that was forked for it: give up power, then begin; never return.

    Args:
        settings: of the run.
        files: the rules, names and texts; read but not parsed: that is not for root to do.
        channel: the engine's end.
        lifeline: a descriptor that becomes readable when the supervisor is gone.
        state: the directory for what lasts.
        user: uid and gid to become.
        crashes: how often the engine has crashed before.
        deliver: makes what takes the matches; None for alerts.
    """
    try:
        with contextlib.suppress(OSError):  # only what `ps` shows
            Path("/proc/self/comm").write_text(NAME, encoding="ascii")
        speak("engine", settings.log.format)
        limit_fragments()
        preload()
        contact_keeping.preload(settings)
        drop_privileges(*user)
        rules = load_rules([loader.RulesFile(*file) for file in files], settings.rules, cache_of(state))
        for remark in () if crashes else rules.selection.remarks:
            say(f"Warning: {remark}")
        watch = Watch(settings, rules, Supervisor(channel), state, crashes, deliver or Delivery)
        signal.signal(signal.SIGTERM, watch.stop)
        code = watch.run(lifeline)
    except BaseException as error:  # noqa: BLE001 - the last line of this process: nothing may escape
        code = _report_end(error, state)
    os._exit(code)


def _report_end(error: BaseException, state: Path) -> int:
    """Say why the engine ends, and return its exit code; an unexpected error leaves its detail in a file."""
    if isinstance(error, HullwatchError):
        for line in str(error).splitlines():
            say(line)
        return error.exit_code
    detail = "".join(traceback.format_exception(error))
    target = state / "crash.txt"
    with contextlib.suppress(OSError):
        target.write_text(detail, encoding="utf-8", errors="backslashreplace")
    say(f"The engine ended by a mistake of its own ({type(error).__name__}); the detail is in {target}.")
    if os.environ.get("HULLWATCH_DEBUG"):
        sys.stderr.write(detail)
    return CRASHED
