"""``hullwatch issues``: the same alert again and again, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.decision_verbs import add_decisions
from hullwatch.cli.scored_list import AllFlag, write_scored
from hullwatch.cli.store_options import IdArgument, NumberFlag, SinceFlag, StateFlag
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.alerts.issue import Issue, ScorePart
    from hullwatch.store.database import Database

issues = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    help="List issues (alerts that say the same, counted), look at one, and decide on it.",
)
SHOWN_ALERTS = 5
add_decisions(issues)


@issues.callback(invoke_without_command=True)
def list_issues(
    context: typer.Context,
    every: AllFlag = False,  # noqa: FBT002 - a flag
    since: SinceFlag = None,
    number: NumberFlag = 50,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """List issues (alerts that say the same, counted), the highest score first.

    \b
    Examples:
      sudo hullwatch issues
      sudo hullwatch issues --since 24h -o json | jq .title
      sudo hullwatch issues show ID
      sudo hullwatch issues close ID --reason "the image is fixed"
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    if context.invoked_subcommand is not None:
        return 0
    return write_scored("issues", every=every, since=since, number=number, output=output, state=state, config=config)


@issues.command("show")
def show(
    target: IdArgument,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show an issue: what, where, how often, what its score is made of, its last alerts, and what was decided."""
    from hullwatch.cli.answer import wants_json, write_json
    from hullwatch.cli.store_options import open_store
    from hullwatch.store import reading
    from hullwatch.store.deciding import find
    from hullwatch.store.remembering import decisions

    as_json = wants_json(output)
    database = open_store(state, config)
    one = reading.issue(database, find(database, "issues", target))
    assert one is not None
    if as_json:
        import msgspec

        made = decisions(database, "target = ?", (one.id,))
        write_json({**msgspec.structs.asdict(one), "decisions": made, "alerts": _documents(database, one)})
        return 0
    _write(database, one)
    return 0


def _documents(database: Database, one: Issue) -> list[dict[str, object]]:
    from hullwatch.cli.alerts import document
    from hullwatch.store.reading import AlertReader, Wanted

    return [document(found) for found in AlertReader(database).newest_first(Wanted(issue=one.id), SHOWN_ALERTS)]


def _write(database: Database, one: Issue) -> None:
    import time

    from hullwatch.cli.answer import write_line, write_safe
    from hullwatch.cli.store_options import date
    from hullwatch.formats.text import text
    from hullwatch.store.reading import AlertReader, Wanted

    write_line(f"{one.id}  {one.rule}: {one.title}")
    assigned = f", {one.assignee} looks after it" if one.assignee else ""
    muted = f", muted until {date(one.muted_until)}" if one.muted_until > time.time_ns() else ""
    write_line(f"  {one.priority}, score {one.score}, {one.state}{assigned}{muted}, in {one.workload}")
    times = f"first {date(one.first_seen)}, last {date(one.last_seen)}"
    again = f", {one.regressed} times after it was closed" if one.regressed else ""
    write_line(f"  {one.count:,} alerts, {times}{again}")
    write_parts(one.parts)
    reader = AlertReader(database)
    shown = [found.alert for found in reader.newest_first(Wanted(issue=one.id), SHOWN_ALERTS)]
    first, last = reader.kept_by(one)
    kept = [alert for alert in (last, first) if alert is not None and alert.id not in {other.id for other in shown}]
    write_line("Alerts, the newest first (of those that were removed, the first and the last are kept):")
    for alert in [*shown, *{alert.id: alert for alert in kept}.values()]:
        write_safe(f"  {text(alert)}\n")
    write_decisions(database, one.id)


def write_parts(parts: Sequence[ScorePart]) -> None:
    """Write what a score is made of."""
    from hullwatch.cli.answer import write_line

    for part in parts:
        write_line(f"  {part.points:+4d}  {part.why}")


def write_decisions(database: Database, target: str) -> None:
    """Write what people have decided of an issue or incident."""
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.decision_verbs import words
    from hullwatch.cli.store_options import date
    from hullwatch.store.remembering import decisions

    for number, one in enumerate(decisions(database, "target = ?", (target,))):
        if not number:
            write_line("Decisions:")
        write_line(f"  {date(one.at)}  {words(one)}")
