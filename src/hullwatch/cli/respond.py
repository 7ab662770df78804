"""``hullwatch respond``: what is done about alerts, and the way back."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.watch_options import ConfigFlag

respond = typer.Typer(help="What is done about alerts, and the way back.", no_args_is_help=True, rich_markup_mode=None)


@respond.command("list")
def list_actions(output: OutputOption = "text", config: ConfigFlag = None) -> int:
    """Show what is configured to be done, for which rules, and what is never touched.

    \b
    Examples:
      hullwatch respond list
      hullwatch respond list -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import fnmatch

    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.rule_set import load_named
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.response import DEEDS

    as_json, settings = wants_json(output), load_settings({}, config).settings
    names = [rule.name for rule in load_named(settings).rules]
    rows = [("DO", "RULES", "PRIORITY", "CONDITION", "WHAT THAT IS")]
    for action in settings.respond.actions:
        matching = fnmatch.filter(names, action.rule)
        if as_json:
            write_json({"action": action, "rules": matching, "enabled": settings.respond.enabled})
        found = f"{action.rule} ({len(matching)})"
        rows.append((action.do, found, action.priority, action.condition or "-", DEEDS[action.do]))
    if not as_json:
        state = "nothing is touched: respond.enabled is false"
        if settings.respond.enabled:
            state = "it is only said: respond.dry_run is true" if settings.respond.dry_run else "it is done"
        write_line(f"{state}; at most {settings.respond.most_per_minute} a minute")
        write_line(f"never touched: {', '.join(settings.respond.protected)}")
        write_rows(rows)
    return 0


@respond.command("undo")
def undo(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", help="Its id, or the beginning of it.")],
) -> int:
    """Let a frozen container go on, and take its network interfaces up again.

    \b
    Examples:
      sudo hullwatch respond undo 3f2a9c01b7de
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import os
    import re

    from hullwatch.cli.answer import write_line
    from hullwatch.errors import CannotError, UsageError
    from hullwatch.respond.responding import undo as undo_responses

    if not re.fullmatch(r"[0-9a-f]{6,64}", container):
        raise UsageError(f'"{container[:80]}" is no id of a container: write 6 to 64 digits of 0-9 and a-f.')
    if os.geteuid() != 0:
        raise CannotError("To let a container go on needs root: run it with sudo.")
    for done in undo_responses(container):
        write_line(done)
    return 0
