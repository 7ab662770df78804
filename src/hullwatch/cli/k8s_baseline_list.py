"""What was learnt of clusters as tables, and as objects for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hullwatch.baseline.known import KnownBaseline, Learnt, LearntCluster

_WITHOUT_VALUES = frozenset({"hour", "byhand"})  # kinds of which none are kept


def _state(cluster: LearntCluster) -> str:
    from hullwatch.baseline.cluster import minute

    return f"guarding since {minute(cluster.learnt)}" if cluster.learnt else f"learning until {minute(cluster.ends)}"


def _time(moment: int) -> str | None:
    from hullwatch.formats.falco import times

    return times(moment)[1] if moment else None


def write_kinds(learnt: Learnt, *, as_json: bool) -> None:
    """Write for each cluster how much is known of each kind."""
    from hullwatch.baseline.cluster import minute
    from hullwatch.cli.answer import write_json, write_line, write_rows

    for cluster in learnt.clusters:
        if as_json:
            write_json(_cluster(cluster) | {"values": cluster.values, "people": cluster.people})
            continue
        write_line(f"Cluster {cluster.name or '(no name)'}: since {minute(cluster.began)}, {_state(cluster)}.")
        rows = [
            (kind, f"{number:,}", minute(cluster.last.get(kind, 0)))
            for kind, number in cluster.values.items()
            if kind not in _WITHOUT_VALUES
        ]
        write_rows([("KIND", "VALUES", "LAST"), *rows])
        write_line(f"{cluster.people:,} people's hours are known.")
        for reason, number in cluster.forgotten.items():
            write_line(f"{number:,} values were forgotten: {reason}.")
    if not as_json and learnt.accepted:
        write_line(f"{learnt.accepted:,} values are accepted: 'hullwatch k8s baseline decisions' lists them.")


def _cluster(cluster: LearntCluster) -> dict[str, Any]:
    return {
        "cluster": cluster.name,
        "since": _time(cluster.began),
        "now": _time(cluster.now),
        "state": "guarding" if cluster.learnt else "learning",
        "until" if not cluster.learnt else "learnt": _time(cluster.learnt or cluster.ends),
        "forgotten": cluster.forgotten,
    }


def write_values(known: KnownBaseline, kind: str, limit: int, number: int, *, as_json: bool) -> None:
    """Write the values of a kind, the newest first.

    Args:
        known: tells of them.
        kind: of them.
        limit: how many at most.
        number: how many there are.
        as_json: write objects for programs.
    """
    from hullwatch.baseline.cluster import minute
    from hullwatch.cli.answer import write_json, write_rows

    rows: list[tuple[str, ...]] = []
    for one in known.values(kind, limit):
        if as_json:
            more = {"of": one.note} if kind == "managed" else {"why": one.note} if one.note else {}
            document: dict[str, Any] = {"cluster": one.cluster, "kind": kind, "value": one.value, "count": one.count}
            write_json(document | {"first": _time(one.first), "last": _time(one.last), "new": one.new} | more)
        else:
            told = "new" if one.new else ""
            rows.append((minute(one.first), minute(one.last), f"{one.count:,}", told, one.cluster, one.value))
    if not as_json:
        write_rows([("FIRST", "LAST", "TIMES", "TOLD", "CLUSTER", "VALUE"), *rows])
        _tell_rest(number - len(rows))


def _tell_rest(number: int) -> None:
    from hullwatch.outputs.standard_error import say

    if number > 0:
        say(f"{number:,} more: --limit 0 shows all.")


def write_hours(known: KnownBaseline, *, as_json: bool) -> None:
    """Write the hours in which people call, by the hour of the day (UTC)."""
    from hullwatch.cli.answer import write_json, write_rows
    from hullwatch.store.reading import FOREVER

    rows: list[tuple[str, ...]] = []
    for one in known.hours(FOREVER):
        if as_json:
            write_json({"cluster": one.cluster, "user": one.user, "days": one.days, "hours": one.counts})
        days = [sum(one.counts[day * 24 : day * 24 + 24]) for day in range(7)]
        rows.append((one.user, f"{sum(days):,}", str(one.days), *(f"{each:,}" for each in days), one.usual()))
    if not as_json:
        write_rows([("USER", "CALLS", "DAYS", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN", "USUAL (UTC)"), *rows])
