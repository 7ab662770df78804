"""``hullwatch issues``: the same alert again and again, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.scored_list import scored_group
from hullwatch.cli.store_options import IdArgument, StateFlag
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.alerts.issue import Decision, ScorePart
    from hullwatch.api.desk import IssueReport

issues = scored_group(
    "issues",
    """List issues (alerts that say the same, counted), the highest score first; look at one, and decide on it.

    \b
    Examples:
      sudo hullwatch issues
      sudo hullwatch issues --since 24h -o json | jq .title
      sudo hullwatch issues show ID
      sudo hullwatch issues close ID --reason "the image is fixed"
    """,
)


@issues.command("show")
def show(
    target: IdArgument,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show an issue: what, where, how often, what its score is made of, its last alerts, and what was decided.

    \b
    Examples:
      sudo hullwatch issues show ID
      sudo hullwatch issues show ID -o json | jq .parts
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.documents import of_issue
    from hullwatch.cli.answer import wants_json, write_json
    from hullwatch.cli.desk import open_desk

    as_json = wants_json(output)
    report = open_desk(state, config).issue(target)
    if as_json:
        write_json(of_issue(report))
    else:
        _write(report)
    return 0


def _write(report: IssueReport) -> None:
    import time

    from hullwatch.cli.answer import write_line, write_safe
    from hullwatch.cli.store_options import date
    from hullwatch.formats.text import text

    one = report.issue
    write_line(f"{one.id}  {one.rule}: {one.title}")
    assigned = f", {one.assignee} looks after it" if one.assignee else ""
    muted = f", muted until {date(one.muted_until)}" if one.muted_until > time.time_ns() else ""
    write_line(f"  {one.priority}, score {one.score}, {one.state}{assigned}{muted}, in {one.workload}")
    times = f"first {date(one.first_seen)}, last {date(one.last_seen)}"
    again = f", {one.regressed} times after it was closed" if one.regressed else ""
    write_line(f"  {one.count:,} alerts, {times}{again}")
    write_parts(one.parts)
    shown = {found.alert.id: found.alert for found in report.alerts}
    kept = {alert.id: alert for alert in (report.last, report.first) if alert is not None}
    write_line("Alerts, the newest first (of those that were removed, the first and the last are kept):")
    for alert in {**shown, **{id_: alert for id_, alert in kept.items() if id_ not in shown}}.values():
        write_safe(f"  {text(alert)}\n")
    write_decisions(report.decisions)


def write_parts(parts: Sequence[ScorePart]) -> None:
    """Write what a score is made of."""
    from hullwatch.cli.answer import write_line

    for part in parts:
        write_line(f"  {part.points:+4d}  {part.why}")


def write_decisions(made: Sequence[Decision]) -> None:
    """Write what people have decided of an issue or incident."""
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.decision_verbs import words
    from hullwatch.cli.store_options import date

    for number, one in enumerate(made):
        if not number:
            write_line("Decisions:")
        write_line(f"  {date(one.at)}  {words(one)}")
