"""``hullwatch events`` without a file: print events that were kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.api.asking import moment
from hullwatch.cli.events import EventPrinter
from hullwatch.config.paths import state_directory
from hullwatch.detect.engine import Match
from hullwatch.errors import CannotError
from hullwatch.outputs.standard_error import say
from hullwatch.store.kept.folder import NAME
from hullwatch.store.kept.reading import KeptReader, Wanted

if TYPE_CHECKING:
    from hullwatch.config.settings import Settings

_FOREVER = (1 << 63) - 1


def print_kept(
    settings: Settings,
    asked: tuple[str, str],
    times: tuple[str | None, str | None],
    limit: int,
    state: str | None,
) -> int:
    """Print the kept events that a condition holds for, in the order of time; return the exit code.

    Args:
        settings: of the host.
        asked: the condition and the format.
        times: since when and until when, as they were written.
        limit: how many at most.
        state: the directory of what lasts; None: as in the settings.

    Raises:
        UsageError: when the condition, the format or a time is wrong.
        CannotError: when there are none, or they cannot be read.
    """
    wanted = Wanted(*asked, moment(times[0], 0), moment(times[1], _FOREVER))
    where = Path(state).expanduser() if state is not None else state_directory(settings.directories.state)
    reader = KeptReader(where / NAME, wanted)  # a wrong condition is told whether or not something was kept
    _check_folder(where / NAME, state)
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


def _check_folder(root: Path, state: str | None) -> None:
    """Look whether there are kept events.

    Raises:
        CannotError: when nothing was kept yet, or it may not be read.
    """
    try:
        is_there = root.is_dir()
        if is_there:
            next(root.iterdir(), None)
    except PermissionError:
        raise CannotError(f"{root} belongs to another user: run it with sudo.") from None
    if not is_there:
        seen = "" if os.geteuid() == 0 or state is not None else " What 'sudo hullwatch run' keeps is seen with sudo."
        raise CannotError(
            f"No events were kept in {root}: 'events.keep' in the configuration says which are, such as "
            f'keep = "evt.type in (execve, connect)" below [events].{seen}'
        )
