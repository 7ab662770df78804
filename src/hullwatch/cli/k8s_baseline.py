"""``hullwatch k8s baseline``: what was learnt of a cluster, and what people say is ordinary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import LimitFlag
from hullwatch.cli.store_options import StateFlag
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.api.baseline_desk import BaselineDesk, BaselineWish
    from hullwatch.baseline.known import KnownBaseline
    from hullwatch.store.baseline_file import Decision


def complete_kind(incomplete: str) -> list[str]:
    """Complete a kind in a shell."""
    from hullwatch.fields.ka_new import KINDS

    return [one for one in KINDS if one.startswith(incomplete)]


KindArgument = Annotated[
    str, typer.Argument(metavar="KIND", help="registry, user, call, ...", autocompletion=complete_kind)
]
WhyFlag = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, which is kept with the decision.")]
DryFlag = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]

baseline = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="What is ordinary in a cluster, learnt from its audit events: so that what is new can be told.",
)


@baseline.command("show")
def show(
    kind: Annotated[
        str, typer.Argument(metavar="[KIND]", help="Values of it; without: all kinds.", autocompletion=complete_kind)
    ] = "",
    source: Annotated[
        str | None, typer.Option("--from", metavar="FILE", help="What would be learnt of an audit log; - for stdin.")
    ] = None,
    limit: LimitFlag = 50,
    before: Annotated[int | None, typer.Option("-n", hidden=True)] = None,  # what --limit was called
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show what is learnt of each cluster: since when, how often, when last, and whether it is learning or guarding.

    \b
    Examples:
      sudo hullwatch k8s baseline show
      sudo hullwatch k8s baseline show registry
      hullwatch k8s baseline show call --from audit.log --limit 0 -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.asking import limit_of
    from hullwatch.api.baseline_desk import check_kind
    from hullwatch.cli.answer import wants_json, write_line
    from hullwatch.cli.k8s_baseline_list import write_hours, write_kinds, write_values

    as_json = wants_json(output)
    most = limit_of(limit if before is None else before)
    if kind:
        check_kind(kind)
    known: KnownBaseline = _of_file(source, config) if source is not None else open_baseline(state, config)
    learnt = known.about()
    if not learnt.clusters:
        write_line("Nothing was learnt yet: no audit event came.")
    elif kind == "hour":
        write_hours(known, as_json=as_json)
    elif kind:
        write_values(known, kind, most, learnt.number(kind), as_json=as_json)
    else:
        write_kinds(learnt, as_json=as_json)
    return 0


@baseline.command("accept")
def accept(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="registry, user, call, ...", autocompletion=complete_kind)
    ] = "",
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="As an alert has it; with * at its end: all such.")
    ] = "",
    alert: Annotated[str, typer.Option("--alert", metavar="ID", help="All that is new by this alert instead.")] = "",
    why: WhyFlag = "",
    dry_run: DryFlag = False,  # noqa: FBT002 - a flag
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Say that a value is ordinary: it is never told as new, in any cluster, until that is undone.

    \b
    Examples:
      sudo hullwatch k8s baseline accept registry ghcr.io --why "used from now on, ticket 12"
      sudo hullwatch k8s baseline accept repository 'ghcr.io/acme/*' --why "ours" --dry-run
      sudo hullwatch k8s baseline accept --alert k4f1c... --why "seen with Bob"
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.baseline_desk import BaselineWish
    from hullwatch.errors import UsageError

    if bool(alert) == bool(kind or value) or (kind and not value):
        raise UsageError("Say what to accept: KIND and VALUE, or --alert ID.")
    wish = BaselineWish(verb="accept", kind=kind, value=value, alert=alert, why=why, dry_run=dry_run)
    return _decide(wish, state, config)


@baseline.command("forget")
def forget(
    kind: KindArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="As 'show KIND' has it.")],
    why: WhyFlag = "",
    dry_run: DryFlag = False,  # noqa: FBT002 - a flag
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Forget a value that was learnt and should not have been: it is new when it is seen again.

    \b
    Examples:
      sudo hullwatch k8s baseline forget user mallory --why "was no user of ours"
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.baseline_desk import BaselineWish

    return _decide(BaselineWish(verb="forget", kind=kind, value=value, why=why, dry_run=dry_run), state, config)


@baseline.command("undo")
def undo(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the decision, as 'decisions' has it.")],
    why: WhyFlag = "",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Accept something no more: take back an earlier decision.

    \b
    Example:
      sudo hullwatch k8s baseline undo 3 --why "was no registry of ours"
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.baseline_desk import BaselineWish
    from hullwatch.cli.answer import write_line

    (made,) = open_baseline(state, config).decide(BaselineWish(verb="undo", number=number, why=why))
    taken = "" if made.decision is None else f"{made.decision.number}: "
    write_line(f"{taken}{made.kind} {made.value} is accepted no more (decision {number}).")
    return 0


@baseline.command("decisions")
def decisions(output: OutputOption = "text", state: StateFlag = None, config: ConfigFlag = None) -> int:
    """List what people have accepted and forgotten: who, when and why.

    \b
    Example:
      sudo hullwatch k8s baseline decisions
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.store_options import date
    from hullwatch.store.reading import FOREVER

    as_json = wants_json(output)
    found = list(open_baseline(state, config).decisions(FOREVER))
    for one in reversed(found) if as_json else ():
        write_json(one)
    if not as_json:
        rows = [(str(one.number), date(one.at), one.who, _verb(one), one.kind, one.value, one.why) for one in found]
        write_rows([("NUMBER", "TIME", "WHO", "DECIDED", "KIND", "VALUE", "WHY"), *rows])
    return 0


def _verb(one: Decision) -> str:
    if one.verb == "undo":
        return f"undo {one.undone}"
    return f"{one.verb} (undone by {one.undone})" if one.undone else one.verb


def _decide(wish: BaselineWish, state: str | None, config: str | None) -> int:
    from hullwatch.cli.answer import write_line

    for one in open_baseline(state, config).decide(wish):
        said = f"{one.known} value{'s' * (one.known != 1)} of it {'are' if one.known != 1 else 'is'} known"
        made = one.decision
        if made is None:
            write_line(f"It would {wish.verb} {one.kind} {one.value}; {said}.")
            continue
        what = "accepted, and never new" if wish.verb == "accept" else "forgotten, and new when it is seen again"
        write_line(f"{made.number}: {one.kind} {one.value} is {what}; {said}. By {made.who}: {made.why}")
    return 0


def open_baseline(state: str | None, config: str | None) -> BaselineDesk:
    """Return where to ask and decide: the instance that runs, and the files when none does.

    Args:
        state: the state directory that is meant, whoever runs.
        config: the configuration file that was named.

    Raises:
        UsageError: when the settings are wrong.
    """
    from hullwatch.api.baseline_desk import StoredBaseline
    from hullwatch.cli.desk import find_instance
    from hullwatch.cli.settings import load_settings
    from hullwatch.cli.store_options import place
    from hullwatch.store.deciding import who

    client = find_instance(config) if state is None else None
    if client is not None:
        from hullwatch.api.remote_baseline import RemoteBaseline

        return RemoteBaseline(client)
    return StoredBaseline(*place(state, config), load_settings({}, config).settings.kubernetes.baseline, who)


def _of_file(name: str, config: str | None) -> KnownBaseline:
    """Return what is learnt of an audit log.

    Raises:
        UsageError: when it cannot be read, or has no event.
    """
    import sys
    from collections import Counter

    from hullwatch.baseline.known import BaselineInMemory
    from hullwatch.cli.input_file import open_input
    from hullwatch.cli.settings import load_settings
    from hullwatch.errors import UsageError
    from hullwatch.outputs.standard_error import say
    from hullwatch.sources.k8s_audit.reading import audit_events
    from hullwatch.store.baseline_keeping import make_baseline

    learnt, _ = make_baseline(load_settings({}, config).settings.kubernetes.baseline)
    left_out = Counter[str]()

    def take(stream: Any) -> None:
        for event in audit_events(stream, lambda reason: left_out.update((reason,))):
            learnt.look(event)

    try:
        if name == "-":
            take(sys.stdin.buffer)
        else:
            with open_input(name) as stream:
                take(stream)
    except OSError as error:
        raise UsageError(f"{name} cannot be read to its end: {error.strerror or error}.") from error
    for reason, number in (*left_out.items(), *learnt.left_out.items()):
        say(f"Warning: left out: {number:,} {reason}.")
    learnt.fold()
    return BaselineInMemory(learnt)
