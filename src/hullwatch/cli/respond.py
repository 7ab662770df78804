"""``hullwatch respond``: what is done about alerts, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.api.instance import RespondReport

respond = typer.Typer(help="What is done about alerts, and the way back.", no_args_is_help=True, rich_markup_mode=None)


@respond.command("list")
def list_actions(output: OutputOption = "text", config: ConfigFlag = None) -> int:
    """Show what is configured to be done, for which rules, what is never touched, and which containers have labels.

    \b
    Examples:
      hullwatch respond list
      hullwatch respond list -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.instance import of_responses
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.config.response import DEEDS
    from hullwatch.formats.falco import second
    from hullwatch.formats.process_tree import shown

    as_json = wants_json(output)
    report = _report(config)
    if as_json:
        for one in of_responses(report):
            write_json(one)
        return 0
    rows = [("DO", "RULES", "PRIORITY", "CONDITION", "WHAT THAT IS")]
    for action, matching in zip(report.actions, report.rules, strict=True):
        found = f"{action.rule} ({len(matching)})"
        rows.append((action.do, found, action.priority, action.condition or "-", DEEDS[action.do]))
    state = "nothing is touched: respond.enabled is false"
    if report.enabled:
        state = "it is only said: respond.dry_run is true" if report.dry_run else "it is done"
    write_line(f"{state}; at most {report.most_per_minute} a minute")
    write_line(f"never touched: {', '.join(report.protected)}")
    write_rows(rows)
    for full_id, labels in report.labels.items():
        for name, one in labels.items():
            until = f", until {second(one.until)} UTC" if one.until else ""
            given = f"given by {one.who} for rule {shown(one.why)} at {second(one.given)} UTC{until}"
            write_line(f"{full_id[:12]} has the label {name}={shown(one.value)}, {given}")
    return 0


def _report(config: str | None) -> RespondReport:
    """Return what is configured: of the instance that runs, or of the configuration."""
    from hullwatch.api.client import decoded
    from hullwatch.api.instance import RespondReport, responses
    from hullwatch.cli.desk import find_instance
    from hullwatch.cli.rule_set import load_named
    from hullwatch.cli.settings import load_settings
    from hullwatch.config.paths import state_directory

    client = find_instance(config) if config is None else None
    if client is not None:
        return decoded(client.get("/v1/responses"), RespondReport)
    settings = load_settings({}, config).settings
    names = [rule.name for rule in load_named(settings).rules]
    return responses(settings, names, state_directory(settings.directories.state))


@respond.command("undo")
def undo(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", help="Its id, the beginning of it, or its name.")],
    config: ConfigFlag = None,
) -> int:
    """Let a frozen container go on, take its network interfaces up again, and take labels back.

    \b
    Examples:
      sudo hullwatch respond undo 3f2a9c01b7de
      sudo hullwatch respond undo web-1
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.desk import open_desk

    for done in open_desk(None, config).undo(container):
        write_line(done)
    return 0
