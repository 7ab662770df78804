"""``hullwatch store``: how large the store is, whether it is sound, and making it smaller."""

from __future__ import annotations

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import StateFlag
from hullwatch.cli.watch_options import ConfigFlag

store = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Look after what keeps alerts.")
_TABLES = ("alerts", "placements", "issues", "incidents", "decisions")


@store.command("info")
def info(output: OutputOption = "text", state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Tell where the store is, how much is in it, and what was removed from it.

    \b
    Example:
      sudo hullwatch store info -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.desk import open_desk
    from hullwatch.cli.store_options import date

    as_json = wants_json(output)
    found = open_desk(state, config).info()
    if as_json:
        write_json(found)
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
    write_rows(rows)
    return 0


@store.command("check")
def check(state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Look whether the store is sound; ends with 1 when it is not."""
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store

    database = open_store(state, config)
    problems = database.problems()
    for problem in problems:
        write_line(problem)
    if not problems:
        write_line(f"{database.name} is sound.")
    return 1 if problems else 0


@store.command("vacuum")
def vacuum(state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Give the space of what was removed back to the file system; a running keeper waits meanwhile."""
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store

    database = open_store(state, config, write=True)
    before = database.size()
    database.shrink(whole=True)
    write_line(f"{database.name} had {before:,} bytes, and has {database.size():,} now.")
    return 0


@store.command("upgrade")
def upgrade(state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Bring a store of an older Hullwatch up to date, after a copy of it; 'hullwatch run' does so when it starts."""
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store
    from hullwatch.store.schema import VERSION

    database = open_store(state, config, write=True)
    write_line(f"{database.name} has version {VERSION}.")
    return 0
