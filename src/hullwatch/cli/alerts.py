"""``hullwatch alerts``: alerts that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.completion import complete_condition
from hullwatch.cli.rule_set import complete_rule
from hullwatch.cli.store_options import NumberFlag, SinceFlag, StateFlag, UntilFlag
from hullwatch.cli.watch_options import PRIORITIES, ConfigFlag

if TYPE_CHECKING:
    from hullwatch.store.reading import Found


def alerts(  # noqa: PLR0913, PLR0917 - one parameter for each flag
    condition: Annotated[
        str,
        typer.Argument(
            metavar="[CONDITION]",
            help="In the language of rules, over the fields of alerts.",
            autocompletion=complete_condition,
        ),
    ] = "",
    since: SinceFlag = None,
    until: UntilFlag = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="NAME",
            help="Only of this rule; * and ? stand for any text.",
            autocompletion=complete_rule,
        ),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            "--priority",
            metavar="PRIORITY",
            help="Only those that are at least this severe.",
            autocompletion=lambda: PRIORITIES,
        ),
    ] = None,
    number: NumberFlag = 100,
    count: Annotated[bool, typer.Option("--count", help="Print only how many there are.")] = False,  # noqa: FBT002 - a flag
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Print alerts that were kept, the newest first.

    \b
    Examples:
      sudo hullwatch alerts --since 24h
      sudo hullwatch alerts 'container.name startswith web and fd.name contains shadow' -n 20
      sudo hullwatch alerts --rule 'Read *' --priority warning -o json | jq .output_fields
      sudo hullwatch alerts 'alert.workload = shop/Deployment/web' --count

    A condition sees the fields that an alert's output has, those of its container, and its own (alert.rule,
    alert.priority, alert.workload, ...). What asks for rule, time, container, process or pod is looked up; all else
    is judged for each alert.
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.asking import limit_of, wanted_of
    from hullwatch.cli.answer import wants_json, write_line
    from hullwatch.cli.desk import open_desk

    as_json = wants_json(output)
    limit = limit_of(number)
    wanted = wanted_of(condition, since, until, tuple(rule or ()), priority)
    desk = open_desk(state, config)
    if count:
        write_line(str(desk.count(wanted)))
        return 0
    shown = 0
    for found in desk.alerts(wanted, limit):
        shown += 1
        _write(found, as_json=as_json)
    if not shown and not as_json:
        _say_none(condition)
    return 0


def _write(found: Found, *, as_json: bool) -> None:
    from hullwatch.api.documents import of_alert
    from hullwatch.cli.answer import write_json, write_safe
    from hullwatch.formats.text import text
    from hullwatch.outputs.stdout import has_colours

    if as_json:
        write_json(of_alert(found))
        return
    write_safe(text(found.alert, colour=has_colours(1)) + "\n")


def _say_none(condition: str) -> None:
    from hullwatch.outputs.standard_error import say

    if condition:
        say("There is no such alert. (A field that an alert's output does not name is absent: see its rule.)")
    else:
        say("There is no such alert.")
