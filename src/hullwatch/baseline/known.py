"""What was learnt of clusters, as it is told to people: how much, which values, whose hours."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol

import msgspec

from hullwatch.baseline.cluster import ALL_KINDS
from hullwatch.baseline.hours import Hours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hullwatch.baseline.baseline import Baseline
    from hullwatch.baseline.cluster import ClusterBaseline


class LearntCluster(msgspec.Struct, frozen=True, kw_only=True):
    """How much was learnt of a cluster; times in ns since the epoch, by its events.

    Attributes:
        name: of it; empty where events do not say it.
        began: when it was first heard of.
        now: when last.
        learnt: when learning ended; 0 while it goes on.
        ends: when learning ends, as far as that is known now.
        values: how many, by their kind.
        last: when one of a kind was last seen, by that.
        people: of how many the hours are known.
        forgotten: how many values were forgotten, by the reason.
    """

    name: str
    began: int
    now: int
    learnt: int
    ends: int
    values: dict[str, int]
    last: dict[str, int]
    people: int
    forgotten: dict[str, int]


class Learnt(msgspec.Struct, frozen=True):
    """How much was learnt of all clusters, and how many values people have accepted."""

    clusters: list[LearntCluster]
    accepted: int

    def number(self, kind: str) -> int:
        """Return how many values of a kind are known; of hours, how many people."""
        return sum(one.people if kind == "hour" else one.values.get(kind, 0) for one in self.clusters)


class LearntValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value; times in ns since the epoch, by the events.

    Attributes:
        new: whether it was told as new.
        note: why, or what looks after an object.
    """

    cluster: str
    kind: str
    value: str
    count: int
    first: int
    last: int
    new: bool
    note: str


class LearntHours(msgspec.Struct, frozen=True):
    """In which hours of the week somebody calls: how often in each, Monday 00:00 UTC first, and on how many days."""

    cluster: str
    user: str
    days: int
    counts: list[int]

    def usual(self) -> str:
        """Return the hours of the day, UTC, in which nearly all calls were."""
        hours = Hours(0)
        hours.counts = self.counts
        return hours.usual()


class KnownBaseline(Protocol):
    """Tells what was learnt: by the file, by the instance that runs, or by what is in memory."""

    def about(self) -> Learnt:
        """Return how much was learnt."""
        ...

    def values(self, kind: str, limit: int) -> Iterator[LearntValue]:
        """Yield values of a kind, the newest first."""
        ...

    def hours(self, limit: int) -> Iterator[LearntHours]:
        """Yield the hours of people, by their names."""
        ...


def cluster_of(cluster: ClusterBaseline, values: Mapping[str, tuple[int, int]], people: int) -> LearntCluster:
    """Return a cluster as it is told.

    Args:
        cluster: of which the times and what was forgotten are known.
        values: by their kind, how many there are, and when one was last seen.
        people: of how many the hours are known.
    """
    return LearntCluster(
        name=cluster.name,
        began=cluster.began,
        now=cluster.now,
        learnt=cluster.learnt,
        ends=cluster.ends(),
        values={kind: values.get(kind, (0, 0))[0] for kind in ALL_KINDS},
        last={kind: values.get(kind, (0, 0))[1] for kind in ALL_KINDS},
        people=people,
        forgotten=cluster.forgotten,
    )


class BaselineInMemory:
    """Tells what a baseline has learnt that was kept nowhere; see ``KnownBaseline``."""

    def __init__(self, learnt: Baseline) -> None:
        """Take it, with all noted that was seen."""
        self._learnt = learnt

    def about(self) -> Learnt:
        """Return how much was learnt."""
        found: list[LearntCluster] = []
        for _, cluster in sorted(self._learnt.clusters.items()):
            values = {
                kind: (len(values), max((seen.last for _, seen in values.items()), default=0))
                for kind, values in cluster.kinds.items()
            }
            found.append(cluster_of(cluster, values, len(cluster.hours)))
        return Learnt(found, len(self._learnt.accepted))

    def values(self, kind: str, limit: int) -> Iterator[LearntValue]:
        """Yield values of a kind, the newest first."""
        found = [
            (-seen.first, cluster.name, value, seen)
            for cluster in self._learnt.clusters.values()
            for value, seen in cluster.kinds[kind].items()
        ]
        found.sort(key=lambda one: one[:3])
        for _, cluster, value, seen in islice(found, limit):
            yield LearntValue(
                cluster=cluster, kind=kind, value=value, count=seen.count, first=seen.first, last=seen.last,
                new=bool(seen.origin), note=seen.note,
            )  # fmt: skip

    def hours(self, limit: int) -> Iterator[LearntHours]:
        """Yield the hours of people."""
        clusters = sorted(self._learnt.clusters.items())
        every = ((name, user, hours) for name, one in clusters for user, hours in sorted(one.hours.items()))
        for name, user, hours in islice(every, limit):
            yield LearntHours(name, user, hours.days, hours.counts)
