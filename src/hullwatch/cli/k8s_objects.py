"""``hullwatch k8s objects``: what is known to be in the cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import StateFlag
from hullwatch.cli.watch_options import ConfigFlag


def objects(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="Pod, Service, ...; without: how many there are of each.")
    ] = None,
    namespace: Annotated[str, typer.Option("-N", "--namespace", metavar="NAME", help="Of this namespace only.")] = "",
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Show what is known to be in the cluster, how new that is, and what keeps more from being known.

    \b
    Examples:
      sudo hullwatch k8s objects
      sudo hullwatch k8s objects Pod -N shop
      sudo hullwatch k8s objects Role -o json
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.cli.answer import wants_json, write_json, write_rows
    from hullwatch.cli.store_options import date, place
    from hullwatch.config.values import nearest
    from hullwatch.enrich.kubernetes.plain import text
    from hullwatch.enrich.kubernetes.resources import BY_KIND, BY_NAME
    from hullwatch.errors import UsageError
    from hullwatch.store.cluster import Cluster
    from hullwatch.store.cluster_tables import open_cluster

    as_json = wants_json(output)
    by_word = {name.lower(): name for name in BY_KIND} | {one.name: one.kind for one in BY_NAME.values()}
    chosen = by_word.get(kind.lower(), "") if kind else ""
    if kind and not chosen:
        raise UsageError(f'"{kind[:80]}" is no kind of object that is followed{nearest(kind, BY_KIND)}.')
    cluster = Cluster(open_cluster(place(state, config)[1]))
    if chosen or namespace:
        found = cluster.objects(chosen, namespace)
        if as_json:
            for one in found:
                write_json(one)
            return 0
        names = ("kind", "namespace", "name")
        rows = [(text(one, "kind"), *(text(one, "metadata", name) for name in names[1:])) for one in found]
        write_rows([tuple(name.upper() for name in names), *rows])
        return 0
    counts, problems = cluster.counts(), cluster.problems()
    kinds = sorted({*counts, *problems})
    told = [(one, counts.get(one, 0), cluster.alive_at(one), problems.get(one, "")) for one in kinds]
    for name, number, alive, problem in told if as_json else ():
        counts_of = cluster.counted_of(name)
        write_json(
            {"kind": name, "objects": number, "true_at": alive or None, "problem": problem, "went_wrong": counts_of}
        )
    if not as_json:
        lines = [
            (name, f"{number:,}", date(alive) if alive else "", problem or wrong_words(cluster.counted_of(name)))
            for name, number, alive, problem in told
        ]
        write_rows([("KIND", "OBJECTS", "TRUE AT", "WHAT WENT WRONG"), *lines])
    return 0


def wrong_words(counts: dict[str, int]) -> str:
    """Return what went wrong and how often, as text."""
    return "; ".join(f"{number:,} x {reason}" for reason, number in sorted(counts.items()))
