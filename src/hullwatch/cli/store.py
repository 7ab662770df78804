"""``hullwatch store``: how large the store and the kept events are, whether they are sound, and making them smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import StateFlag
from hullwatch.cli.watch_options import ConfigFlag
from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.store.kept.inspection import KeptSummary

store = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Look after what keeps alerts and events.")
_TABLES = ("alerts", "placements", "issues", "incidents", "decisions")


@store.command("info")
def info(output: OutputOption = "text", state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Tell where the store is, how much is in it, and what was removed from it.

    \b
    Example:
      sudo hullwatch store info -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import msgspec

    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.desk import open_desk
    from hullwatch.cli.store_options import date

    as_json = wants_json(output)
    found, kept = open_desk(state, config).info(), _kept(state, config)
    if as_json:
        write_json(msgspec.structs.asdict(found) | {"kept_events": kept})
        return 0
    rows = [["store", found.name], ["version", str(found.version)]]
    rows += [[name, f"{getattr(found, name):,}"] for name in _TABLES]
    rows += [["on the disk", f"{found.size:,} bytes"], ["in use", f"{found.used:,} bytes"]]
    if found.first is not None and found.last is not None:
        rows.append(["times", f"{date(found.first)} to {date(found.last)}"])
    for what, counts in found.removed.items():
        rows.append(
            [f"removed {what}", ", ".join(f"{number:,} for their {reason}" for reason, number in counts.items())]
        )
    if kept is not None:
        rows.append(["kept events", f"{kept.events:,} in {kept.tables:,} Parquet files and {kept.logs:,} logs"])
        rows.append(["of the hours", f"{date(kept.first)} to {date(kept.last)}"])
        rows.append(["on the disk", f"{kept.size:,} bytes"])
    write_rows(rows)
    return 0


def _kept(state: str | None, config: str | None) -> KeptSummary | None:
    """Return how many events are kept; None where none are, or who asks may not look."""
    from hullwatch.store.kept.inspection import summary

    try:
        root = _kept_folder(state, config)
        kept = summary(root) if root is not None else None
    except (CannotError, PermissionError):  # an instance told of its store; its folder is another matter
        return None
    return kept if kept is not None and kept.hours else None


def _kept_folder(state: str | None, config: str | None) -> Path | None:
    """Return the folder of kept events; None where there is none."""
    from hullwatch.cli.store_options import place
    from hullwatch.store.kept.folder import NAME

    root = place(state, config)[1] / NAME
    return root if root.is_dir() else None


@store.command("check")
def check(state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Look whether the store and the kept events are sound; ends with 1 when they are not."""
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store
    from hullwatch.store.kept.inspection import problems as problems_of_events

    database = open_store(state, config)
    problems = {database.name: list(database.problems())}
    root = _kept_folder(state, config)
    if root is not None:
        problems[str(root)] = list(problems_of_events(root))
    for name, found in problems.items():
        for problem in found or [f"{name} is sound."]:
            write_line(problem)
    return 1 if any(problems.values()) else 0


@store.command("vacuum")
def vacuum(state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Give the space of what was removed back to the file system, and pack the logs of kept events.

    A running keeper waits meanwhile.
    """
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store

    database = open_store(state, config, write=True)
    before = database.size()
    database.shrink(whole=True)
    write_line(f"{database.name} had {before:,} bytes, and has {database.size():,} now.")
    root = _kept_folder(state, config)
    if root is not None:
        write_line(_pack(root))
    return 0


def _pack(root: Path) -> str:
    """Pack the logs of kept events that are complete; return what came of it, as a sentence."""
    from hullwatch.errors import CannotError
    from hullwatch.store.kept.folder import size
    from hullwatch.store.kept.inspection import as_owner
    from hullwatch.store.kept.packing import pack, preload

    preload()
    before = size(root)
    try:
        with as_owner(root):
            pack(root)
    except OSError as error:
        raise CannotError(f"Kept events in {root} cannot be packed: {error.strerror or error}.") from error
    return f"{root} had {before:,} bytes, and has {size(root):,} now."


@store.command("upgrade")
def upgrade(state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Bring a store of an older Hullwatch up to date, after a copy of it; 'hullwatch run' does so when it starts."""
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store
    from hullwatch.store.schema import VERSION

    database = open_store(state, config, write=True)
    write_line(f"{database.name} has version {VERSION}.")
    return 0
