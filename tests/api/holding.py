"""A supervisor that holds nothing but the API's socket, for tests: run as a program of its own, for it forks."""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

from hullwatch import api_process
from hullwatch.api import server
from hullwatch.api_starter import ApiStarter
from hullwatch.config.settings import EscalationSettings, Settings
from hullwatch.escalation.policy import EXAMPLE
from hullwatch.service.sources import Sources

RULES = [("some.yaml", b"- {rule: Some, desc: x, condition: evt.type = open, output: x, priority: INFO}\n")]


def break_it(*_: object) -> None:
    """Stand for a mistake of our own."""
    raise RuntimeError


def main(state: Path, run: Path, user: int, patience: float, idle: float, broken: str) -> None:
    """Hold the socket until SIGTERM; SIGHUP renews the process that answers."""
    server.PATIENCE = patience
    if broken:
        api_process.preload = break_it
    # Only root may read it; tests write it.
    hook = {"type": "http", "url_file": str(state.parent / "hook-url")}
    sources = Sources(Settings(escalation=EscalationSettings(file=str(EXAMPLE)), outputs={"hook": hook}), RULES)
    starter = ApiStarter(sources, (user, user), state, run)
    starter.idle = idle
    wake, ended = os.pipe()
    os.set_blocking(ended, False)
    signal.set_wakeup_fd(ended, warn_on_full_buffer=False)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda number, _: asked.append(number))
    sys.stdout.write("holding\n")
    sys.stdout.flush()
    while signal.SIGTERM not in asked:
        if signal.SIGHUP in asked:
            asked.remove(signal.SIGHUP)
            starter.renew()
        ready, _, _ = select.select([wake, *starter.waits()], [], [])
        if wake in ready:
            os.read(wake, 64)
        starter.look(ready)
    starter.stop()


if __name__ == "__main__":
    directory, where, uid, seconds, rest, mistake = sys.argv[1:]
    main(Path(directory), Path(where), int(uid), float(seconds), float(rest), mistake)
