"""``hullwatch k8s objects``: what is known to be in the cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.k8s_input import NamespaceFlag
from hullwatch.cli.store_options import StateFlag
from hullwatch.cli.watch_options import ConfigFlag


def objects(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="Pod, Service, ...; without: how many there are of each.")
    ] = None,
    namespace: NamespaceFlag = None,
    before: Annotated[str | None, typer.Option("-N", hidden=True)] = None,  # what -n was called
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show what is known to be in the cluster, how new that is, and what keeps more from being known.

    \b
    Examples:
      sudo hullwatch k8s objects
      sudo hullwatch k8s objects Pod -n shop
      sudo hullwatch k8s objects Role -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.asking import kind_of
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.k8s_cluster import known_cluster
    from hullwatch.cli.store_options import date
    from hullwatch.enrich.kubernetes.plain import text

    as_json = wants_json(output)
    chosen, where = kind_of(kind) if kind else "", namespace or before or ""
    cluster = known_cluster(state, config)
    if chosen or where:
        found = cluster.objects(chosen, where)
        if as_json:
            for one in found:
                write_json(one)
            return 0
        names = ("kind", "namespace", "name")
        rows = [(text(one, "kind"), *(text(one, "metadata", name) for name in names[1:])) for one in found]
        write_rows([tuple(name.upper() for name in names), *rows])
        return 0
    told = sorted(cluster.about().kinds.items())
    for name, one in told if as_json else ():
        counts = {"objects": one.objects, "true_at": one.alive or None, "problem": one.problem}
        write_json({"kind": name, **counts, "went_wrong": one.went_wrong})
    if not as_json:
        lines = [
            (name, f"{one.objects:,}", date(one.alive) if one.alive else "", one.problem or wrong_words(one.went_wrong))
            for name, one in told
        ]
        write_rows([("KIND", "OBJECTS", "TRUE AT", "WHAT WENT WRONG"), *lines])
    return 0


def wrong_words(counts: dict[str, int]) -> str:
    """Return what went wrong and how often, as text."""
    return "; ".join(f"{number:,} x {reason}" for reason, number in sorted(counts.items()))
