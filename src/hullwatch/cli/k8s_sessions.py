"""``hullwatch k8s sessions``: who ran what in which pod, as the audit log has it."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import LimitFlag, NamespaceFlag
from hullwatch.cli.store_options import SinceFlag, StateFlag
from hullwatch.cli.watch_options import ConfigFlag


def sessions(
    pod: Annotated[str, typer.Argument(metavar="[POD]", help="NAMESPACE/NAME; without: all.")] = "",
    namespace: NamespaceFlag = None,
    since: SinceFlag = None,
    limit: LimitFlag = 50,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show who entered which pod and ran what (kubectl exec, attach, port-forward), as the audit log has it.

    \b
    Examples:
      sudo hullwatch k8s sessions
      sudo hullwatch k8s sessions shop/web-5f7c --since 24h
      sudo hullwatch k8s sessions -n shop --limit 0
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    import shlex

    from hullwatch.api.asking import limit_of, moment
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.k8s_cluster import known_cluster
    from hullwatch.cli.store_options import date

    as_json = wants_json(output)
    most, begin, where = limit_of(limit), moment(since, 0), _place(pod, namespace or "")
    found = known_cluster(state, config).requests(begin, most, where)
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


def _place(pod: str, namespace: str) -> str:
    """Return what is asked for as ``NAMESPACE/NAME``, either of which may be missing.

    Raises:
        UsageError: when both name a namespace, or the namespace is a number: -n was one of sessions here.
    """
    from hullwatch.errors import UsageError

    if namespace.isdecimal():
        raise UsageError(
            f"-n is a namespace here: for {namespace} sessions say --limit {namespace}, and for a namespace that is "
            f"called so {namespace}/ in the place of POD."
        )
    if not namespace:
        return pod
    there, slash, name = pod.rpartition("/")
    if slash and there != namespace:
        raise UsageError(
            f"The pod is named with the namespace {there}, and -n says {namespace}: leave one of them out."
        )
    return f"{namespace}/{name}"
