"""What people decide of issues and incidents: the verbs that both have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import IdArgument, StateFlag, complete_id, table_of
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.alerts.issue import Decision, Verb
    from hullwatch.store.database import Database

WhyFlag = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, which is kept with the decision.")]
ReasonFlag = Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, which is kept.")]
WhereFlag = Annotated[
    str, typer.Option("--where", metavar="CONDITION", help="Only alerts that this condition holds for.")
]
LONGEST_REASON = 1000  # characters
LONGEST_CONDITION = 4000


def add_decisions(group: typer.Typer) -> None:
    """Give the group of the issues or the incidents the verbs of decisions."""
    for verb in (ack, assign, close, reopen, mute, unmute):
        group.command(verb.__name__)(verb)


def ack(
    context: typer.Context, target: IdArgument, why: WhyFlag = "", state: StateFlag = None, config: ConfigFlag = None
) -> int:
    """Say that you look at it; it stays until it is closed."""
    return _decide(context, target, "ack", state, config, why=why)


def assign(
    context: typer.Context,
    target: IdArgument,
    user: Annotated[str, typer.Argument(metavar="USER", help="Who looks after it; '' for nobody.")],
    why: WhyFlag = "",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Say who looks after it."""
    return _decide(context, target, "assign", state, config, why=why, assignee=user)


def close(
    context: typer.Context,
    target: IdArgument,
    reason: ReasonFlag = "",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Say that it is done with; an issue that comes again is opened again."""
    return _decide(context, target, "close", state, config, why=_needed(reason, "--reason"))


def reopen(
    context: typer.Context, target: IdArgument, why: WhyFlag = "", state: StateFlag = None, config: ConfigFlag = None
) -> int:
    """Open again what was closed."""
    return _decide(context, target, "reopen", state, config, why=why)


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
    table = table_of(context)
    if dry_run:
        return _try_mute(table, target, where, state, config, output=output)
    return _mute(table, target, duration, where, why, state, config)


def unmute(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Of what was muted, or the number of the decision.", autocompletion=complete_id
        ),
    ],
    why: WhyFlag = "",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """End a mute before its time."""
    return _unmute(table_of(context), target, why, state, config)


def _needed(text: str, flag: str) -> str:
    from hullwatch.errors import UsageError

    if not text.strip():
        raise UsageError(f"Say why with {flag}: it is kept with the decision.")
    return text


def _decide(
    context: typer.Context,
    written: str,
    verb: Verb,
    state: str | None,
    config: str | None,
    *,
    why: str,
    assignee: str = "",
) -> int:
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store
    from hullwatch.store.deciding import decide, find

    database = open_store(state, config, write=True)
    target = find(database, table_of(context), written)
    made = decide(database, _decision(verb, target=target, why=why, assignee=assignee))
    write_line(f"{target}: {words(made)}.")
    return 0


def _decision(verb: Verb, **values: object) -> Decision:
    import msgspec

    from hullwatch.alerts.issue import Decision
    from hullwatch.errors import UsageError
    from hullwatch.store.deciding import who

    for name, longest in (("why", LONGEST_REASON), ("assignee", 200), ("condition", LONGEST_CONDITION)):
        if len(str(values.get(name, ""))) > longest:
            raise UsageError(f"The {name} has more than {longest} characters: make it shorter.")
    return msgspec.convert({"at": time.time_ns(), "who": who(), "verb": verb, **values}, Decision)


def _muted(table: str, written: str, where: str, database: Database) -> str:
    """Return the id of what is to be muted, empty for whatever the condition says; check both."""
    from hullwatch.alerts.condition import AlertCondition
    from hullwatch.errors import UsageError
    from hullwatch.store.deciding import find

    if not written and not where:
        raise UsageError("Say what to mute: an id, --where CONDITION, or both.")
    if where:
        AlertCondition(where)
    return find(database, table, written) if written else ""


def _try_mute(table: str, written: str, where: str, state: str | None, config: str | None, *, output: str) -> int:
    """Say how many of the alerts that are kept a mute would have muted."""
    from hullwatch.cli.answer import wants_json, write_json, write_line
    from hullwatch.cli.store_options import open_store
    from hullwatch.store.reading import AlertReader, Wanted

    as_json = wants_json(output)
    database = open_store(state, config)
    target = _muted(table, written, where, database)
    reader = AlertReader(database)
    wanted = Wanted(where, issue=target) if table == "issues" else Wanted(where, incident=target)
    hidden, of = reader.count(wanted), reader.count(Wanted())
    if as_json:
        write_json({"would_mute": hidden, "kept": of})
    else:
        write_line(f"It would have muted {hidden:,} of the {of:,} alerts that are kept.")
    return 0


def _mute(table: str, written: str, duration: str, where: str, why: str, state: str | None, config: str | None) -> int:
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store
    from hullwatch.config.values import parse_duration
    from hullwatch.errors import UsageError
    from hullwatch.store.deciding import decide

    database = open_store(state, config, write=True)
    target = _muted(table, written, where, database)
    if not duration:
        raise UsageError("Say for how long with --for, for example --for 7d: a mute has an end.")
    until = time.time_ns() + int(parse_duration(duration) * 1e9)
    decision = _decision("mute", target=target, why=_needed(why, "--why"), until=until, condition=where)
    made = decide(database, decision)
    write_line(f"{target or f'mute {made.id}'}: {words(made)}.")
    return 0


def _unmute(table: str, written: str, why: str, state: str | None, config: str | None) -> int:
    from hullwatch.cli.answer import write_line
    from hullwatch.cli.store_options import open_store
    from hullwatch.errors import UsageError
    from hullwatch.store.deciding import decide, find
    from hullwatch.store.remembering import mutes

    database = open_store(state, config, write=True)
    in_force = mutes(database, time.time_ns())
    if written.isascii() and written.isdigit():
        found = next((mute for mute in in_force if mute.id == int(written)), None)
    else:
        target = find(database, table, written)
        found = next((mute for mute in in_force if mute.target == target), None)
    if found is None:
        known = ", ".join(mute.target or str(mute.id) for mute in in_force) or "nothing"
        raise UsageError(f'Nothing is muted by "{written[:80]}"; muted is: {known[:500]}.')
    made = decide(database, _decision("unmute", target=found.target, why=why, condition=found.condition))
    write_line(f"{found.target or f'mute {found.id}'}: {words(made)}.")
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
    }[decision.verb]
    where = f" where {decision.condition}" if decision.condition else ""
    why = f": {decision.why}" if decision.why else ""
    return f"{did}{where} by {decision.who}{why}"
