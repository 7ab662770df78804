"""``hullwatch escalation``: who is told of an incident, when, and by which output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import StateFlag, complete_id
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    import datetime as dt

    from hullwatch.alerts.incident import Incident
    from hullwatch.escalation.policy import Escalation, Person

escalation = typer.Typer(
    help="Who is told of an incident, when, and by which output.", no_args_is_help=True, rich_markup_mode=None
)

FileOption = Annotated[
    str | None,
    typer.Option("-f", "--file", metavar="FILE", help="The escalation file; the one of the configuration if none."),
]
AtOption = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="As if it were then: 2026-12-24T18:00, local without a zone.")
]
_SHOWN_DAYS = 7


@escalation.command("check")
def check(file: FileOption = None, config: ConfigFlag = None) -> int:
    """Check an escalation file: mistakes, times at which nobody is on call, policies that never count.

    \b
    Examples:
      hullwatch escalation check -f escalation.yaml

    Ends with 2 for a mistake, and with 0 when there are remarks only.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import write_line
    from hullwatch.escalation.policy import remarks

    read = _read(file, config, asks=False)
    for remark in remarks(read, _moment(None)):
        write_line(f"remark: {remark}")
    known = {"policies": read.policies, "rosters": read.rosters, "people": read.people}
    write_line(f"good: {', '.join(f'{what} {len(items)}' for what, items in known.items())}")
    return 0


@escalation.command("who")
def who(
    file: FileOption = None,
    at: AtOption = None,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=60, help="How many days are shown.")
    ] = _SHOWN_DAYS,
    output: OutputOption = "text",
    config: ConfigFlag = None,
) -> int:
    """Show who is on call now and in the next days, roster by roster.

    \b
    Examples:
      hullwatch escalation who
      hullwatch escalation who --at 2026-12-24T18:00 --days 14
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows

    as_json, read, begin = wants_json(output), _read(file, config), _moment(at)
    for roster in read.rosters.values():
        rows: list[tuple[str, ...]] = []
        for moment, one in roster.turns(begin, days):
            person = read.people[one.who] if one is not None else None
            until = one.until if one is not None else roster.next_begin(moment)
            if as_json:
                write_json({"roster": roster.name, "from": moment, "until": until, "who": person and person.id})
            name, why = ("nobody", "") if person is None or one is None else (person.name, one.why)
            rows.append((_shown(moment), _shown(until) if until else "", name, why))
        if not as_json:
            write_rows([(f"ROSTER {roster.name}", "UNTIL", "ON CALL", "WHY"), *rows])
    return 0


@escalation.command("test")
def show_plan(  # noqa: PLR0913, PLR0917 - each is a flag
    incident: Annotated[
        str | None,
        typer.Argument(
            metavar="[INCIDENT]", help="Its id in the store; a made-up one if none.", autocompletion=complete_id
        ),
    ] = None,
    score: Annotated[int, typer.Option("--score", metavar="N", min=0, max=100, help="Of a made-up incident.")] = 80,
    workload: Annotated[str, typer.Option("--workload", metavar="NAME", help="Of a made-up incident.")] = "host",
    file: FileOption = None,
    at: AtOption = None,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show who would be told of an incident, when and by which output, if nobody acknowledged it; sends nothing.

    \b
    Examples:
      sudo hullwatch escalation test ne8601ca307
      hullwatch escalation test --score 75 --workload shop/web --at 2026-12-24T23:00
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.escalation.plan import choose, schedule, targets

    as_json, read, begin = wants_json(output), _read(file, config), _moment(at)
    of = _made_up(score, workload) if incident is None else _stored(incident, state, config)
    policy, said = choose(read, of, begin)
    if not as_json:
        for line in said:
            write_line(line)
    if policy is None:
        if as_json:
            write_json({"policy": None, "why": said})
        else:
            write_line("No policy is for it: nobody is told.")
        return 0
    rows: list[tuple[str, ...]] = []
    for due in sorted(schedule(policy, begin, of.score)):
        for target in targets(read, policy.steps[due.step], due.at):
            if as_json:
                told = {"output": target.output, "person": target.person and target.person.id}
                when = {"at": due.at, "policy": policy.name, "step": due.step + 1, "repeat": due.number}
                write_json(when | told | {"why": f"{due.why}; {target.why}"})
            name = target.person.name if target.person else ""
            rows.append((_shown(due.at, target.person), name or "-", target.output or "-", f"{due.why}; {target.why}"))
    if not as_json:
        write_rows([("WHEN", "WHO", "OUTPUT", "WHY"), *rows])
    return 0


@escalation.command("example")
def example() -> int:
    """Print an escalation file to begin with.

    \b
    Examples:
      hullwatch escalation example > escalation.yaml
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import write_safe
    from hullwatch.escalation.policy import EXAMPLE

    write_safe(EXAMPLE.read_text(encoding="utf-8"))
    return 0


def _read(file: str | None, config: str | None, *, asks: bool = True) -> Escalation:
    """Return what the file says: the one that is named, the one that the running instance goes by, or the configured.

    Args:
        file: that is named.
        config: the configuration that is named.
        asks: whether the instance that runs is asked.

    Raises:
        UsageError: when none is named, or it has a mistake.
    """
    from pathlib import Path

    from hullwatch.cli.settings import load_settings
    from hullwatch.errors import UsageError
    from hullwatch.escalation.policy import parse_escalation, read_escalation

    if asks and file is None and config is None:
        in_force = _in_force()
        if in_force is not None:
            return parse_escalation(*in_force)
    named = file or load_settings({}, config).settings.escalation.file
    if not named:
        raise UsageError(
            "No escalation file is named: give one with --file, or set escalation.file in the configuration. "
            "'hullwatch escalation example' prints one to begin with."
        )
    return read_escalation(Path(named))


def _in_force() -> tuple[str, bytes] | None:
    """Return name and text of the file that the running instance goes by; None when none runs, or it has none."""
    from hullwatch.api.client import decoded
    from hullwatch.cli.desk import find_instance

    client = find_instance(None)
    if client is None:
        return None
    said: dict[str, str] = decoded(client.get("/v1/escalation"), dict[str, str])
    return (said["file"], said["text"].encode()) if said["text"] else None


def _moment(at: str | None) -> dt.datetime:
    import datetime as dt

    from hullwatch.config.values import parse_time

    return dt.datetime.now(dt.UTC) if at is None else dt.datetime.fromtimestamp(parse_time(at) / 1e9, dt.UTC)


def _shown(moment: dt.datetime, person: Person | None = None) -> str:
    """Return a time of this host, with that of the person beside it where it is another one."""
    import datetime as dt

    local = moment.astimezone()
    shown = f"{local:%a %d %b %H:%M %Z}"
    if person is None or moment.astimezone(person.zone).utcoffset() in {local.utcoffset(), dt.timedelta(0)}:
        return shown
    return f"{shown} ({moment.astimezone(person.zone):%H:%M} for {person.name})"


def _made_up(score: int, workload: str) -> Incident:
    from hullwatch.alerts.incident import Incident

    return Incident(id="n0", title="A made-up incident", opened=0, last_seen=0, score=score, workload=workload)


def _stored(incident: str, state: str | None, config: str | None) -> Incident:
    from hullwatch.cli.desk import open_desk

    return open_desk(state, config).incident(incident).incident
