"""Which container a control group belongs to, as far as the stream has told; bounded, and kept a while when removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CGROUPS_KEPT = 65_536
GONE_KEPT = 4096  # of containers: for who tells later whose records there were

Cgroup = tuple[int, int]  # hierarchy and number


class KnownCgroups:
    """Maps control groups to the 64-digit id of their container; empty text for the host's."""

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[Cgroup, str] = {}
        self._gone: dict[Cgroup, str] = {}  # of containers, removed lately

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._known)

    def get(self, hierarchy: int, number: int) -> str | None:
        """Return the container of a group that is there; None for one that nobody has told of."""
        return self._known.get((hierarchy, number))

    def was(self, hierarchy: int, number: int) -> str:
        """Return the container that a group belongs to, or did until lately; else empty."""
        cgroup = hierarchy, number
        return self._known.get(cgroup) or self._gone.get(cgroup, "")

    def put(self, cgroup: Cgroup, full_id: str) -> Cgroup | None:
        """Note whose a group is; return one that had to be forgotten for it."""
        oldest = None
        if len(self._known) >= CGROUPS_KEPT:
            oldest = next(iter(self._known))
            del self._known[oldest]
        self._known[cgroup] = full_id
        return oldest

    def removed(self, cgroup: Cgroup) -> None:
        """Note that a group is no more."""
        full_id = self._known.pop(cgroup, "")
        if full_id:
            self._gone[cgroup] = full_id
            if len(self._gone) > GONE_KEPT:
                del self._gone[next(iter(self._gone))]

    def clear(self) -> None:
        """Forget those that are there: who could tell of their end has gone."""
        self._known.clear()

    def saved(self) -> Iterator[tuple[int, int, str]]:
        """Return all that are there: hierarchy, number, container."""
        return ((*cgroup, full_id) for cgroup, full_id in self._known.items())

    def restore(self, saved: Iterable[tuple[int, int, str]]) -> None:
        """Know these and no others."""
        self._known = {(hierarchy, number): full_id for hierarchy, number, full_id in [*saved][-CGROUPS_KEPT:]}
