"""The options of the verbs that look into the store, how they open it, and the completion of ids."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.api.desk import Among
    from hullwatch.store.database import Database

StateFlag = Annotated[
    str | None,
    typer.Option("--state-directory", metavar="DIR", help="Where the store is; default: as in the configuration."),
]
NumberFlag = Annotated[int, typer.Option("-n", "--number", metavar="N", help="How many at most; 0: all.")]
SinceFlag = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="From then on: 24h (ago), or 2026-11-28T10:30.")
]
UntilFlag = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Until then: 1h (ago), or 2026-11-28T10:30.")
]


def place(state: str | None, config: str | None) -> tuple[str, Path]:
    """Return URL and state directory of the store.

    Raises:
        UsageError: when the settings are wrong.
    """
    from pathlib import Path

    from hullwatch.cli.settings import load_settings
    from hullwatch.config.paths import state_directory

    if state is not None:
        return "", Path(state).expanduser()
    settings = load_settings({}, config).settings
    return settings.store.url, state_directory(settings.directories.state)


def open_store(state: str | None, config: str | None, *, write: bool = False) -> Database:
    """Return the store, open for reading, or for writing decisions.

    Raises:
        StoreError: when it cannot be opened.
        UsageError: when the settings are wrong.
    """
    from hullwatch.store.database import NoStoreError
    from hullwatch.store.opening import open_to_decide, open_to_read

    where = place(state, config)
    try:
        return open_to_decide(*where) if write else open_to_read(*where)
    except NoStoreError as error:
        if os.geteuid() != 0 and state is None:
            raise NoStoreError(f"{error} What 'sudo hullwatch run' keeps is seen with sudo.") from None
        raise


def table_of(context: typer.Context) -> Among:
    """Return which of both a verb is about that issues and incidents have: ``issues`` or ``incidents``."""
    parent = context.parent
    return "incidents" if parent is not None and parent.info_name in {"incidents", "escalation"} else "issues"


def complete_id(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of an issue or incident in a shell."""
    from hullwatch.cli.desk import open_desk
    from hullwatch.errors import HullwatchError

    try:
        return open_desk(None, None).ids(table_of(context), incomplete)
    except HullwatchError:  # a shell has no place for a sentence
        return []


IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As the list has it, or its beginning.", autocompletion=complete_id)
]


def date(nanoseconds: int) -> str:
    """Return a time as local date and time with its zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S%z", time.localtime(nanoseconds // 1_000_000_000))
