"""``hullwatch k8s sessions``: who ran what in which pod, as the audit log has it."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import NumberFlag, SinceFlag, StateFlag
from hullwatch.cli.watch_options import ConfigFlag


def sessions(
    pod: Annotated[str, typer.Argument(metavar="[POD]", help="NAMESPACE/NAME; without: all.")] = "",
    since: SinceFlag = None,
    number: NumberFlag = 50,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show who entered which pod and ran what (kubectl exec, attach, port-forward), as the audit log has it.

    \b
    Examples:
      sudo hullwatch k8s sessions
      sudo hullwatch k8s sessions shop/web-5f7c --since 24h
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import shlex

    from hullwatch.api.asking import limit_of, moment
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.k8s_cluster import known_cluster
    from hullwatch.cli.store_options import date

    as_json = wants_json(output)
    limit, begin = limit_of(number), moment(since, 0)
    found = known_cluster(state, config).requests(begin, limit, pod)
    for one in found if as_json else ():
        write_json(one)
    if not as_json:
        rows = [
            (
                *(date(one.at), date(one.ended) if one.ended else "-", one.kind, one.user, one.source),
                *(f"{one.namespace}/{one.pod}", one.container, shlex.join(one.command)),
            )
            for one in found
        ]
        write_rows([("TIME", "UNTIL", "BY", "USER", "FROM", "POD", "CONTAINER", "COMMAND"), *rows])
    return 0
