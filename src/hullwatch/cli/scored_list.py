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
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.store_options import limit_of, moment, open_store
    from hullwatch.formats import incident_list, issue_list
    from hullwatch.store import reading

    as_json = wants_json(output)
    limit, begin = limit_of(number), moment(since, 0)
    states = () if every else ("open", "acknowledged")
    database = open_store(state, config)
    if kind == "issues":
        issues = reading.issues(database, states, limit, begin)
        rows, documents = issue_list.table(issues), issue_list.documents(issues)
    else:
        incidents = reading.incidents(database, states, limit, begin)
        rows, documents = incident_list.table(incidents), incident_list.documents(incidents)
    if not as_json:
        write_rows(rows)
    for one in documents if as_json else ():
        write_json(one)
    return 0
