"""``hullwatch store``: how large the store and the kept events are, whether they are sound, and making them smaller."""

from __future__ import annotations

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import StateFlag
from hullwatch.cli.watch_options import ConfigFlag

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

    as_json, found = wants_json(output), open_desk(state, config).info()
    if as_json:
        write_json(msgspec.structs.asdict(found))
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
    kept = found.kept_events
    if kept is not None:
        rows.append(["kept events", f"{kept.events:,} in {kept.tables:,} Parquet files and {kept.logs:,} logs"])
        rows.append(["of the hours", f"{date(kept.first)} to {date(kept.last)}"])
        rows.append(["on the disk", f"{kept.size:,} bytes"])
    write_rows(rows)
    return 0


@store.command("check")
def check(output: OutputOption = "text", state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Look whether the store and the kept events are sound; ends with 1 when they are not.

    \b
    Examples:
      sudo hullwatch store check
      sudo hullwatch store check -o json | jq .problems
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.desk import open_desk

    as_json, looked_at = wants_json(output), open_desk(state, config).soundness()
    for one in looked_at:
        if as_json:
            write_json(one)
            continue
        for problem in one.problems or [f"{one.name} is sound."]:
            write_line(problem)
    return 1 if any(one.problems for one in looked_at) else 0


@store.command("vacuum")
def vacuum(output: OutputOption = "text", state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Give the space of what was removed back to the file system, and pack the logs of kept events.

    \b
    Example:
      sudo hullwatch store vacuum

    A running keeper waits meanwhile.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.desk import open_desk

    as_json = wants_json(output)
    for one in open_desk(state, config).make_smaller():
        if as_json:
            write_json(one)
            continue
        write_line(f"{one.name} had {one.before:,} bytes, and has {one.after:,} now.")
    return 0


@store.command("upgrade")
def upgrade(output: OutputOption = "text", state: StateFlag = None, config: ConfigFlag = None) -> int:
    """Bring a store of an older Hullwatch up to date, after a copy of it; 'hullwatch run' does so when it starts.

    \b
    Example:
      sudo hullwatch store upgrade
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.store_options import open_store
    from hullwatch.store.schema import VERSION

    as_json = wants_json(output)
    database = open_store(state, config, write=True)
    if as_json:
        write_json({"name": database.name, "version": VERSION})
    else:
        write_line(f"{database.name} has version {VERSION}.")
    return 0
