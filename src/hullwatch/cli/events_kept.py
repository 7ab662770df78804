"""``hullwatch events`` without a file: print events that were kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hullwatch.api.asking import moment
from hullwatch.cli.answer import write_json, write_line
from hullwatch.cli.desk import find_instance
from hullwatch.cli.events import NO_LIMIT, EventPrinter
from hullwatch.config.paths import state_directory
from hullwatch.detect.engine import Match
from hullwatch.outputs.standard_error import say
from hullwatch.store.kept.folder import NAME
from hullwatch.store.kept.reading import FOREVER, KeptReader, Wanted, check_folder

if TYPE_CHECKING:
    from hullwatch.api.client import Client
    from hullwatch.config.settings import Settings


def print_kept(
    settings: Settings,
    asked: tuple[str, str],
    times: tuple[str | None, str | None],
    limit: int,
    state: str | None,
    config: str | None,
) -> int:
    """Print the kept events that a condition holds for, in the order of time; return the exit code.

    Args:
        settings: of the host.
        asked: the condition and the format.
        times: since when and until when, as they were written.
        limit: how many at most.
        state: the directory of what lasts; None: the running instance is asked, or the settings say where.
        config: the configuration file that was named; with one no instance is asked.

    Raises:
        UsageError: when the condition, the format or a time is wrong.
        CannotError: when there are none, or they cannot be read.
    """
    wanted = Wanted(*asked, moment(times[0], 0), moment(times[1], FOREVER))
    client = find_instance(None) if state is None and config is None else None
    if client is not None:
        _print_asked(client, wanted, limit, as_json=settings.output.format == "json")
        return 0
    where = Path(state).expanduser() if state is not None else state_directory(settings.directories.state)
    reader = KeptReader(where / NAME, wanted)  # a wrong condition is told whether or not something was kept
    seen = "" if os.geteuid() == 0 or state is not None else "What 'sudo hullwatch run' keeps is seen with sudo."
    check_folder(where / NAME, seen)
    printer = EventPrinter(settings, limit)
    try:
        for event in reader.events():
            printer.matches((Match(reader.rule, event),))
            if printer.gone:
                break
    finally:
        for problem in reader.problems:
            say(f"Warning: {problem}")
    return 0


def _print_asked(client: Client, wanted: Wanted, limit: int, *, as_json: bool) -> None:
    """Print what the running instance finds."""
    question = {
        "condition": wanted.condition,
        "format": wanted.form,
        "since": wanted.since or "",
        "until": "" if wanted.until >= FOREVER else wanted.until,
        "limit": 0 if limit >= NO_LIMIT else limit,
        "output": "json" if as_json else "text",
    }
    for line in client.lines("/v1/events", question):
        told = msgspec.json.decode(line)
        if line.startswith(b'{"warning":'):
            say(f"Warning: {told['warning']}")
        elif as_json:
            write_json(told)
        else:
            write_line(told["text"])
