"""What people decide of issues and incidents: the verbs that both have."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import IdArgument, StateFlag, complete_id, table_of
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.alerts.issue import Decision
    from hullwatch.api.desk import Among, Deed

WhyFlag = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, which is kept with the decision.")]
ReasonFlag = Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, which is kept.")]
WhereFlag = Annotated[
    str, typer.Option("--where", metavar="CONDITION", help="Only alerts that this condition holds for.")
]
_KEYS = {"duration": "for"}


def add_decisions(group: typer.Typer, kind: Among) -> None:
    """Give the group of the issues or the incidents the verbs of decisions; their examples are of the kind."""
    for verb in (ack, assign, close, reopen, mute, unmute):
        text = inspect.cleandoc(verb.__doc__ or "").replace("hullwatch issues", f"hullwatch {kind}")
        group.command(verb.__name__, help=text)(verb)


def ack(
    context: typer.Context,
    target: IdArgument,
    why: WhyFlag = "",
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Say that you look at it; it stays until it is closed.

    \b
    Examples:
      sudo hullwatch issues ack ID
      sudo hullwatch issues ack ID --why "on it, call me at 4711"
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    return _decide(context, target, "ack", state, config, output=output, why=why)


def assign(
    context: typer.Context,
    target: IdArgument,
    user: Annotated[str, typer.Argument(metavar="USER", help="Who looks after it; '' for nobody.")],
    why: WhyFlag = "",
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Say who looks after it.

    \b
    Examples:
      sudo hullwatch issues assign ID anna
      sudo hullwatch issues assign ID ''
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    return _decide(context, target, "assign", state, config, output=output, why=why, assignee=user)


def close(
    context: typer.Context,
    target: IdArgument,
    reason: ReasonFlag = "",
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Say that it is done with; an issue that comes again is opened again.

    \b
    Example:
      sudo hullwatch issues close ID --reason "the image is fixed"
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    return _decide(context, target, "close", state, config, output=output, why=_needed(reason, "--reason"))


def reopen(
    context: typer.Context,
    target: IdArgument,
    why: WhyFlag = "",
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Open again what was closed.

    \b
    Example:
      sudo hullwatch issues reopen ID --why "it was not fixed"
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    return _decide(context, target, "reopen", state, config, output=output, why=why)


def mute(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="[ID]", help="As the list has it; none: what --where says.", autocompletion=complete_id),
    ] = "",
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="How long: 7d, 12h.")] = "",
    where: WhereFlag = "",
    why: WhyFlag = "",
    dry_run: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--dry-run", help="Only say how many of the alerts that are kept it would have muted.")
    ] = False,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Tell nobody of alerts for a time; they are kept and counted all the same.

    \b
    Examples:
      sudo hullwatch issues mute ID --for 7d --why "known, ticket 12"
      sudo hullwatch issues mute --where 'proc.name = backup' --dry-run
      sudo hullwatch issues mute --where 'proc.name = backup' --for 12h --why "backups"
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.errors import UsageError

    if dry_run:
        return _try_mute(table_of(context), target, where, state, config, output=output)
    if not target and not where:
        raise UsageError("Say what to mute: an id, --where CONDITION, or both.")
    if not duration:
        raise UsageError("Say for how long with --for, for example --for 7d: a mute has an end.")
    why = _needed(why, "--why")
    return _decide(context, target, "mute", state, config, output=output, why=why, duration=duration, condition=where)


def unmute(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Of what was muted, or the number of the decision.", autocompletion=complete_id
        ),
    ],
    why: WhyFlag = "",
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """End a mute before its time.

    \b
    Examples:
      sudo hullwatch issues unmute ID
      sudo hullwatch issues unmute 12     the number of the decision, as 'hullwatch decisions' has it
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    return _decide(context, target, "unmute", state, config, output=output, why=why)


def _needed(text: str, flag: str) -> str:
    from hullwatch.errors import UsageError

    if not text.strip():
        raise UsageError(f"Say why with {flag}: it is kept with the decision.")
    return text


def _decide(
    context: typer.Context,
    target: str,
    verb: Deed,
    state: str | None,
    config: str | None,
    *,
    output: str,
    **values: str,
) -> int:
    """Decide, and say what was."""
    import msgspec

    from hullwatch.api.desk import Wish
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.desk import open_desk
    from hullwatch.errors import UsageError

    as_json = wants_json(output)
    asked = {"verb": verb, "among": table_of(context), "target": target, **values}
    try:
        wish = msgspec.convert({_KEYS.get(name, name): value for name, value in asked.items()}, Wish)
    except msgspec.ValidationError as error:
        raise UsageError(f"That cannot be decided: {error}.") from None
    made = open_desk(state, config).decide(wish)
    if as_json:
        write_json(made)
        return 0
    number = made.target or f"mute {made.id if verb == 'mute' else target}"
    write_line(f"{number}: {words(made)}.")
    return 0


def _try_mute(among: Among, target: str, where: str, state: str | None, config: str | None, *, output: str) -> int:
    """Say how many of the alerts that are kept a mute would have muted."""
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.desk import open_desk

    as_json = wants_json(output)
    trial = open_desk(state, config).trial(among, target, where)
    if as_json:
        write_json(trial)
    else:
        write_line(f"It would have muted {trial.would_mute:,} of the {trial.kept:,} alerts that are kept.")
    return 0


def words(decision: Decision) -> str:
    """Return what was decided by whom, for people."""
    from hullwatch.cli.store_options import date

    did = {
        "ack": "acknowledged",
        "assign": f"assigned to {decision.assignee}" if decision.assignee else "assigned to nobody",
        "close": "closed",
        "mute": f"muted until {date(decision.until)}",
        "unmute": "muted no more",
        "reopen": "opened again",
        "undo": "let go on",
    }[decision.verb]
    where = f" where {decision.condition}" if decision.condition else ""
    why = f": {decision.why}" if decision.why else ""
    return f"{did}{where} by {decision.who}{why}"
