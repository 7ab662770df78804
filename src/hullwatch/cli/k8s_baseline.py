"""``hullwatch k8s baseline``: what was learnt of a cluster, and what people say is ordinary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import NumberFlag, StateFlag
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.baseline.baseline import Baseline
    from hullwatch.baseline.cluster import ClusterBaseline
    from hullwatch.store.baseline_file import BaselineFile, Decision


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
    number: NumberFlag = 50,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show what is learnt of each cluster: since when, how often, when last, and whether it is learning or guarding.

    \b
    Examples:
      sudo hullwatch k8s baseline show
      sudo hullwatch k8s baseline show registry
      hullwatch k8s baseline show call --from audit.log -n 0 -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_line
    from hullwatch.cli.k8s_baseline_list import write_kinds, write_values

    as_json = wants_json(output)
    if kind:
        _check_kind(kind, shown=True)
    learnt = _of_file(source, config) if source is not None else _kept(state, config)
    if not learnt.clusters:
        write_line("Nothing was learnt yet: no audit event came.")
        return 0
    if kind:
        write_values(learnt, kind, number, as_json=as_json)
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
    from hullwatch.errors import UsageError

    if bool(alert) == bool(kind or value) or (kind and not value):
        raise UsageError("Say what to accept: KIND and VALUE, or --alert ID.")
    values = _of_alert(alert, state, config) if alert else [(kind, value)]
    return _decide("accept", values, why, state, config, dry_run=dry_run)


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
    return _decide("forget", [(kind, value)], why, state, config, dry_run=dry_run)


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
    from hullwatch.cli.answer import write_line
    from hullwatch.store.deciding import who

    _need(why)
    file = _open(state, config, write=True)
    made = file.undo(number, who(), why)
    file.close()
    write_line(f"{made.number}: {made.kind} {made.value} is accepted no more (decision {number}).")
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

    as_json = wants_json(output)
    file = _open(state, config)
    found = file.decisions()
    file.close()
    for one in found if as_json else ():
        write_json(one)
    if not as_json:
        rows = [
            (str(one.number), date(one.at), one.who, _verb(one), one.kind, one.value, one.why)
            for one in reversed(found)
        ]
        write_rows([("NUMBER", "TIME", "WHO", "DECIDED", "KIND", "VALUE", "WHY"), *rows])
    return 0


def _verb(one: Decision) -> str:
    if one.verb == "undo":
        return f"undo {one.undone}"
    return f"{one.verb} (undone by {one.undone})" if one.undone else one.verb


def _need(why: str) -> None:
    from hullwatch.errors import UsageError

    if not why.strip():
        raise UsageError("Say why with --why: it is kept with the decision.")


def _check_kind(kind: str, *, shown: bool = False) -> None:
    import difflib

    from hullwatch.baseline.cluster import ALL_KINDS
    from hullwatch.errors import UsageError
    from hullwatch.fields.ka_new import KINDS

    kinds = ALL_KINDS if shown else tuple(KINDS)
    if kind not in kinds:
        near = difflib.get_close_matches(kind[:80], kinds, n=1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(kinds)}."
        raise UsageError(f'There is no kind "{kind[:80]}": {advice}')


def _decide(
    verb: str, values: list[tuple[str, str]], why: str, state: str | None, config: str | None, *, dry_run: bool
) -> int:
    from hullwatch.baseline.texts import short
    from hullwatch.cli.answer import write_line
    from hullwatch.errors import UsageError
    from hullwatch.store.deciding import who

    for kind, value in values:
        _check_kind(kind)
        if value.strip() in {"", "*"}:
            raise UsageError("That would be every value there is: say which, or switch the rule off.")
    if not dry_run:
        _need(why)
    file = _open(state, config, write=not dry_run)
    learnt = _load(file, config)
    for kind, written in values:
        value = short(written)
        known = sum(_matching(one, kind, value) for one in learnt.clusters.values())
        said = f"{known} value{'s' * (known != 1)} of it {'are' if known != 1 else 'is'} known"
        if verb == "forget" and not known:
            file.close()
            raise UsageError(f"There is no {kind} {value}: 'hullwatch k8s baseline show {kind}' has them.")
        if dry_run:
            write_line(f"It would {verb} {kind} {value}; {said}.")
            continue
        made = file.decide(who(), verb, kind, value, why)
        what = "accepted, and never new" if verb == "accept" else "forgotten, and new when it is seen again"
        write_line(f"{made.number}: {kind} {value} is {what}; {said}. By {made.who}: {why}")
    file.close()
    return 0


def _matching(cluster: ClusterBaseline, kind: str, value: str) -> int:
    values = cluster.kinds[kind]
    if value.endswith("*"):
        return sum(1 for one, _ in values.items() if one.startswith(value[:-1]))
    return int(values.get(value) is not None)


def _open(state: str | None, config: str | None, *, write: bool = False) -> BaselineFile:
    from hullwatch.cli.store_options import place
    from hullwatch.store.baseline_file import FILE, BaselineFile

    return BaselineFile(place(state, config)[1] / FILE, write=write)


def _kept(state: str | None, config: str | None) -> Baseline:
    file = _open(state, config)
    learnt = _load(file, config)
    file.close()
    return learnt


def _load(file: BaselineFile, config: str | None) -> Baseline:
    from hullwatch.cli.settings import load_settings
    from hullwatch.store.baseline_keeping import make_baseline

    learnt, span = make_baseline(load_settings({}, config).settings.kubernetes.baseline)
    file.load(learnt, span)
    return learnt


def _of_file(name: str, config: str | None) -> Baseline:
    """Return what is learnt of an audit log.

    Raises:
        UsageError: when it cannot be read, or has no event.
    """
    import sys
    from collections import Counter

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
    return learnt


def _of_alert(written: str, state: str | None, config: str | None) -> list[tuple[str, str]]:
    """Return what is new by an alert.

    Raises:
        UsageError: when there is no such alert, or nothing is new by it.
    """
    from hullwatch.cli.store_options import open_store
    from hullwatch.errors import UsageError
    from hullwatch.fields.ka_new import KINDS
    from hullwatch.store.reading import alert_of

    found = alert_of(open_store(state, config), written)
    if found is None:
        raise UsageError(f"There is no alert \"{written[:80]}\": 'hullwatch alerts -o json' has their ids.")
    values: list[tuple[str, str]] = []
    for kind, one in KINDS.items():
        value: Any = found.output_fields.get(one.field)
        values += [(kind, str(item)) for item in (value if isinstance(value, list) else [value]) if item is not None]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - a list of an alert
    if not values:
        raise UsageError(f"Nothing is new by the alert {written[:80]}: its rule is {found.rule}.")
    return values
