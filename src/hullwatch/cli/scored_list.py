"""The lists of issues and of incidents: the same question, and the same order."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

AllFlag = Annotated[bool, typer.Option("--all", help="Also what is closed.")]


def write_scored(
    kind: Literal["issues", "incidents"],
    *,
    every: bool,
    since: str | None,
    number: int,
    output: str,
    state: str | None,
    config: str | None,
) -> int:
    """Write what is not closed, or all, the highest score first; return the exit code."""
    from hullwatch.api.asking import limit_of, moment
    from hullwatch.api.desk import OPEN
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.desk import open_desk
    from hullwatch.formats import incident_list, issue_list

    as_json = wants_json(output)
    limit, begin = limit_of(number), moment(since, 0)
    states, desk = () if every else OPEN, open_desk(state, config)
    if kind == "issues":
        issues = desk.issues(states, limit, begin)
        rows, documents = issue_list.table(issues), issue_list.documents(issues)
    else:
        incidents = desk.incidents(states, limit, begin)
        rows, documents = incident_list.table(incidents), incident_list.documents(incidents)
    if not as_json and not documents:
        all_of_them = "." if every or since is not None else "; --all lists those that are closed, too."
        write_line(f"There are no {kind}{' that are open' * (not every)}{all_of_them}")
    elif not as_json:
        write_rows(rows)
    for one in documents if as_json else ():
        write_json(one)
    return 0
