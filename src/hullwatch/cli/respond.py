"""``hullwatch respond``: what is done about alerts, and the way back."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.watch_options import ConfigFlag

respond = typer.Typer(help="What is done about alerts, and the way back.", no_args_is_help=True, rich_markup_mode=None)


@respond.command("list")
def list_actions(output: OutputOption = "text", config: ConfigFlag = None) -> int:
    """Show what is configured to be done, for which rules, what is never touched, and which containers have labels.

    \b
    Examples:
      hullwatch respond list
      hullwatch respond list -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import fnmatch

    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.rule_set import load_named
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.paths import state_directory
    from hullwatch.config.response import DEEDS
    from hullwatch.enrich.given_labels import GivenLabels
    from hullwatch.formats.falco import second
    from hullwatch.formats.process_tree import shown

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
    for full_id, labels in GivenLabels(state_directory(settings.directories.state)).all().items():
        if as_json:
            write_json({"container": full_id, "labels": labels})
        for name, one in () if as_json else labels.items():
            until = f", until {second(one.until)} UTC" if one.until else ""
            given = f"given by {one.who} for rule {shown(one.why)} at {second(one.given)} UTC{until}"
            write_line(f"{full_id[:12]} has the label {name}={shown(one.value)}, {given}")
    return 0


@respond.command("undo")
def undo(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", help="Its id, or the beginning of it.")],
    config: ConfigFlag = None,
) -> int:
    """Let a frozen container go on, take its network interfaces up again, and take labels back.

    \b
    Examples:
      sudo hullwatch respond undo 3f2a9c01b7de
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import os
    import re

    from hullwatch.cli.answer import write_line
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.paths import state_directory
    from hullwatch.errors import CannotError, UsageError
    from hullwatch.formats.process_tree import shown
    from hullwatch.respond.responding import take_labels_back
    from hullwatch.respond.responding import undo as undo_responses
    from hullwatch.sources.engine_search import docker_sockets, find_engines

    if not re.fullmatch(r"[0-9a-f]{6,64}", container):
        raise UsageError(f'"{container[:80]}" is no id of a container: write 6 to 64 digits of 0-9 and a-f.')
    if os.geteuid() != 0:
        raise CannotError("To let a container go on needs root: run it with sudo.")
    settings = load_settings({}, config).settings
    labels = take_labels_back(state_directory(settings.directories.state), container)
    if labels:
        write_line(f"labels taken back: {', '.join(f'{name}={shown(one.value)}' for name, one in labels.items())}")
    try:
        known = find_engines(
            settings.docker.host, settings.containers.engines, os.environ, search=settings.containers.search
        )
        for done in undo_responses(container, docker_sockets(known)):
            write_line(done)
    except CannotError:
        if not labels:  # it may have ended, and its labels are what was to be undone
            raise
    return 0
