"""What was learnt of clusters as tables, and as objects for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hullwatch.baseline.baseline import Baseline
    from hullwatch.baseline.cluster import ClusterBaseline


def _state(cluster: ClusterBaseline) -> str:
    from hullwatch.baseline.cluster import minute

    return f"guarding since {minute(cluster.learnt)}" if cluster.learnt else f"learning until {minute(cluster.ends())}"


def _time(moment: int) -> str | None:
    from hullwatch.formats.falco import times

    return times(moment)[1] if moment else None


def write_kinds(learnt: Baseline, *, as_json: bool) -> None:
    """Write for each cluster how much is known of each kind."""
    from hullwatch.baseline.cluster import minute
    from hullwatch.cli.answer import write_json, write_line, write_rows

    for name, cluster in sorted(learnt.clusters.items()):
        counts = {kind: len(values) for kind, values in cluster.kinds.items()}
        if as_json:
            write_json(_cluster(cluster) | {"values": counts, "people": len(cluster.hours)})
            continue
        write_line(f"Cluster {name or '(no name)'}: since {minute(cluster.began)}, {_state(cluster)}.")
        write_rows([("KIND", "VALUES", "LAST"), *_rows(cluster)])
        write_line(f"{len(cluster.hours):,} people's hours are known.")
        for reason, number in cluster.forgotten.items():
            write_line(f"{number:,} values were forgotten: {reason}.")
    if not as_json and len(learnt.accepted):
        write_line(f"{len(learnt.accepted):,} values are accepted: 'hullwatch k8s baseline decisions' lists them.")


def _cluster(cluster: ClusterBaseline) -> dict[str, Any]:
    return {
        "cluster": cluster.name,
        "since": _time(cluster.began),
        "now": _time(cluster.now),
        "state": "guarding" if cluster.learnt else "learning",
        "until" if not cluster.learnt else "learnt": _time(cluster.learnt or cluster.ends()),
        "forgotten": cluster.forgotten,
    }


def _rows(cluster: ClusterBaseline) -> list[tuple[str, str, str]]:
    from hullwatch.baseline.cluster import minute

    found: list[tuple[str, str, str]] = []
    for kind, values in cluster.kinds.items():
        if kind not in {"hour", "byhand"}:  # of which no values are kept
            last = max((seen.last for _, seen in values.items()), default=0)
            found.append((kind, f"{len(values):,}", minute(last)))
    return found


def write_values(learnt: Baseline, kind: str, number: int, *, as_json: bool) -> None:
    """Write the values of a kind, the newest first."""
    from hullwatch.baseline.cluster import minute
    from hullwatch.cli.answer import write_json, write_rows

    if kind == "hour":
        _write_hours(learnt, as_json=as_json)
        return
    found = [
        (seen.first, cluster.name, value, seen)
        for cluster in learnt.clusters.values()
        for value, seen in cluster.kinds[kind].items()
    ]
    found.sort(key=lambda one: (-one[0], one[1], one[2]))
    shown = found[:number] if number else found
    for first, cluster, value, seen in shown if as_json else ():
        more = {"of": seen.note} if kind == "managed" else {"why": seen.note} if seen.note else {}
        document: dict[str, Any] = {"cluster": cluster, "kind": kind, "value": value, "count": seen.count}
        write_json(document | {"first": _time(first), "last": _time(seen.last), "new": bool(seen.origin)} | more)
    if not as_json:
        rows = [
            (minute(first), minute(seen.last), f"{seen.count:,}", "new" if seen.origin else "", cluster, value)
            for first, cluster, value, seen in shown
        ]
        write_rows([("FIRST", "LAST", "TIMES", "TOLD", "CLUSTER", "VALUE"), *rows])
        _tell_rest(len(found) - len(shown))


def _tell_rest(number: int) -> None:
    from hullwatch.outputs.standard_error import say

    if number > 0:
        say(f"{number:,} more: -n 0 shows all.")


def _write_hours(learnt: Baseline, *, as_json: bool) -> None:
    """Write the hours in which people call, by the hour of the day (UTC)."""
    from hullwatch.cli.answer import write_json, write_rows

    rows: list[tuple[str, ...]] = []
    for cluster in learnt.clusters.values():
        for user, hours in sorted(cluster.hours.items()):
            if as_json:
                write_json({"cluster": cluster.name, "user": user, "days": hours.days, "hours": hours.counts})
            days = [sum(hours.counts[day * 24 : day * 24 + 24]) for day in range(7)]
            rows.append((user, f"{sum(days):,}", str(hours.days), *(f"{one:,}" for one in days), hours.usual()))
    if not as_json:
        write_rows([("USER", "CALLS", "DAYS", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN", "USUAL (UTC)"), *rows])
