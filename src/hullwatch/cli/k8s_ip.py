"""``hullwatch k8s ip``: who had an address then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hullwatch.cli.answer import OutputOption
from hullwatch.cli.store_options import StateFlag
from hullwatch.cli.watch_options import ConfigFlag

if TYPE_CHECKING:
    from hullwatch.store.address_history import Holding


def ip(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="IPv4 or IPv6.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Then: 2h (ago), or 2026-11-28T10:30; default: ever.")
    ] = None,
    output: OutputOption = "text",
    state: StateFlag = None,
    config: ConfigFlag = None,
) -> int:
    """Say which pod, node or service had an address, and when.

    \b
    Examples:
      sudo hullwatch k8s ip 10.244.3.17
      sudo hullwatch k8s ip 10.244.3.17 --at 2026-11-28T10:30
    """  # noqa: D301 - \b is the help formatter's mark, as an escape
    from hullwatch.api.asking import address_of, moment
    from hullwatch.cli.answer import wants_json, write_json, write_line, write_rows
    from hullwatch.cli.k8s_cluster import known_cluster
    from hullwatch.cli.store_options import date

    as_json = wants_json(output)
    asked = address_of(address)
    when = None if at is None else moment(at, 0)
    cluster = known_cluster(state, config)
    found = list(cluster.holdings(asked, when))
    for one in found if as_json else ():
        write_json(document(one))
    if as_json:
        return 0
    if not found:
        known = 0 if when is None else sum(1 for _ in cluster.holdings(asked))
        then = "" if when is None else f" at {date(when)}"
        more = f" It is known of {known} other time{'s' * (known != 1)}: leave --at out." if known else ""
        write_line(f"Nobody is known to have had {asked}{then}.{more}")
        return 0
    write_rows([("FROM", "TO", "KIND", "WHO", "NODE"), *(row(one) for one in found)])
    return 0


def row(one: Holding) -> tuple[str, ...]:
    """Return a time that somebody had an address as a line of a table."""
    from hullwatch.cli.store_options import date

    end = date(one.ended) if one.ended else "now"
    if one.ended and one.confirmed < one.ended:
        end = f"between {date(one.confirmed)} and {date(one.ended)}" if one.confirmed else f"before {end}"
    return date(one.began), end, one.kind, "/".join(filter(None, (one.namespace, one.name))), one.node


def document(one: Holding) -> dict[str, Any]:
    """Return it for programs: times as text in UTC; ``to`` is null while it lasts."""
    from hullwatch.formats.falco import times

    return {
        "address": one.address,
        "kind": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "uid": one.uid,
        "node": one.node,
        "from": times(one.began)[1],
        "to": times(one.ended)[1] if one.ended else None,
        "to_at_the_earliest": times(one.confirmed)[1] if one.confirmed else None,
    }
