"""Telling people what the file of what is ordinary has, without all of it in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.baseline.known import Learnt, LearntHours, LearntValue, cluster_of
from hullwatch.store.baseline_file import hours_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.baseline.cluster import Span
    from hullwatch.baseline.known import LearntCluster
    from hullwatch.store.baseline_file import BaselineFile, Decision

AT_ONCE = 2000  # rows
_NEWEST = (1 << 63) - 1


def about(file: BaselineFile, span: Span) -> Learnt:
    """Return how much was learnt.

    Args:
        file: where that is.
        span: how long things are learnt.
    """
    read = file.database.read
    found: list[LearntCluster] = []
    for name, cluster in sorted(file.clusters(span).items()):
        rows = read("SELECT kind, count(*), max(last) FROM seen WHERE cluster = ? GROUP BY kind", (name,))
        values = {str(kind): (int(number), int(last)) for kind, number, last in rows}
        people = int(read("SELECT count(*) FROM hours WHERE cluster = ?", (name,))[0][0])
        found.append(cluster_of(cluster, values, people))
    accepted = "SELECT DISTINCT kind, value FROM decisions WHERE verb = 'accept' AND undone = 0"
    return Learnt(found, int(read(f"SELECT count(*) FROM ({accepted})")[0][0]))  # noqa: S608 - our own


def values(file: BaselineFile, kind: str, limit: int) -> Iterator[LearntValue]:
    """Yield values of a kind, the newest first."""
    sql = (
        "SELECT cluster, value, count, first, last, origin, note FROM seen "
        "WHERE kind = ? AND (first < ? OR (first = ? AND (cluster, value) > (?, ?))) "
        "ORDER BY first DESC, cluster, value LIMIT ?"
    )
    first, after = _NEWEST, ("", "")
    while limit > 0 and (rows := file.database.read(sql, (kind, first, first, *after, min(limit, AT_ONCE)))):
        for cluster, value, count, since, last, origin, note in rows:
            yield LearntValue(
                cluster=cluster, kind=kind, value=value, count=count, first=since, last=last, new=bool(origin),
                note=note,
            )  # fmt: skip
        limit -= len(rows)
        first, after = rows[-1][3], (rows[-1][0], rows[-1][1])


def hours(file: BaselineFile, limit: int) -> Iterator[LearntHours]:
    """Yield the hours of people, by their names."""
    after = "", ""
    sql = "SELECT cluster, user, body FROM hours WHERE (cluster, user) > (?, ?) ORDER BY cluster, user LIMIT ?"
    while limit > 0 and (rows := file.database.read(sql, (*after, min(limit, AT_ONCE)))):
        for cluster, user, body in rows:
            found = hours_of(bytes(body))
            yield LearntHours(cluster, user, found.days, found.counts)
        limit -= len(rows)
        after = rows[-1][0], rows[-1][1]


def decisions(file: BaselineFile, limit: int) -> Iterator[Decision]:
    """Yield what people have decided, the last one first."""
    before = _NEWEST
    while limit > 0 and (found := file.decisions_before(before, min(limit, AT_ONCE))):
        yield from found
        limit -= len(found)
        before = found[-1].number


def known(file: BaselineFile, kind: str, value: str) -> int:
    """Return how many values that are known a value stands for, which may end with ``*``."""
    if value.endswith("*"):
        sql, asked = "substr(value, 1, ?) = ?", (len(value) - 1, value[:-1])
    else:
        sql, asked = "value = ?", (value,)
    return int(file.database.read(f"SELECT count(*) FROM seen WHERE kind = ? AND {sql}", (kind, *asked))[0][0])  # noqa: S608
