"""The verbs that issues and incidents have alike: the list, and what people decide."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.decision_verbs import add_decisions
from hullwatch.cli.store_options import NumberFlag, SinceFlag, StateFlag
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.api.desk import Among

AllFlag = Annotated[bool, typer.Option("--all", help="Also what is closed.")]
_ID = re.compile(r"[in][0-9a-f]{4,}")


class ScoredGroup(typer.core.TyperGroup):
    """The verbs of issues or incidents; an id where a verb belongs is told what it lacks."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb.

        Raises:
            UsageError: for an id in its place.
        """
        if args and _ID.fullmatch(args[0]):
            from hullwatch.errors import UsageError

            raise UsageError(f'"{args[0]}" stands where a verb belongs: {ctx.command_path} show {args[0]}')
        return super().resolve_command(ctx, args)


def scored_group(kind: Among, text: str) -> typer.Typer:
    """Return the verbs of a kind, with its list and the decisions.

    Args:
        kind: what the list is of.
        text: the help.
    """
    group = typer.Typer(rich_markup_mode=None, invoke_without_command=True, cls=ScoredGroup, help=text)

    def listed(
        context: typer.Context,
        every: AllFlag = False,  # noqa: FBT002 - a flag
        since: SinceFlag = None,
        number: NumberFlag = 50,
        output: OutputOption = "text",
        state: StateFlag = None,
        config: ConfigFlag = None,
    ) -> int:
        if context.invoked_subcommand is not None:
            return 0
        return write_scored(kind, every=every, since=since, number=number, output=output, state=state, config=config)

    group.callback(invoke_without_command=True)(listed)
    add_decisions(group, kind)
    return group


def write_scored(
    kind: Among,
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
