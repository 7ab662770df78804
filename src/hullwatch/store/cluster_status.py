"""What the process that follows a Kubernetes cluster tells of itself, in a file for ``doctor`` and metrics."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import msgspec

from hullwatch.store.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hullwatch.enrich.kubernetes.reflector import Reflector
    from hullwatch.store.cluster import Cluster

STATUS = "cluster.json"  # in the state directory
EVERY = 5.0  # seconds


class FollowedStatus(msgspec.Struct, frozen=True):
    """How one kind of object is followed.

    Attributes:
        objects: that are known.
        alive: when it was known to be true last, ns since the epoch; 0 for never.
        lists: that were asked for and came whole.
        missing: the right that is missing: list or watch; empty for none.
        problem: what keeps it from being followed, as a sentence; empty for nothing.
        counts: what went wrong, by reason.
    """

    objects: int = 0
    alive: int = 0
    lists: int = 0
    missing: str = ""
    problem: str = ""
    counts: dict[str, int] = {}


class ClusterStatus(msgspec.Struct, frozen=True):
    """All of it; times in ns since the epoch.

    Attributes:
        pid: of the instance.
        started: when the process began.
        updated: when this was written.
        api: host and port.
        node: whose pods are followed; empty for all.
        resources: by their names; none that the cluster has not and need not have.
    """

    pid: int
    started: int
    updated: int
    api: str = ""
    node: str = ""
    resources: dict[str, FollowedStatus] = {}


class StatusWriter:
    """Writes it now and then.

    Args:
        state: the state directory.
        cluster: what is known.
        reflectors: those who follow.
        api: host and port.
        node: whose pods are followed; empty for all.
        clock: seconds that do not go back.
    """

    def __init__(
        self,
        state: Path,
        cluster: Cluster,
        reflectors: Sequence[Reflector],
        *,
        api: str,
        node: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write nothing yet."""
        self._path = state / STATUS
        self._cluster = cluster
        self._reflectors = reflectors
        self._api = api
        self._node = node
        self._clock = clock
        self._started = time.time_ns()
        self._due = 0.0

    def tick(self) -> None:
        """Write when it is time; to be called in the thread that has the cluster's file."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + EVERY
        with contextlib.suppress(OSError, StoreError):
            new = self._path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(self.status()))
            new.replace(self._path)

    def status(self) -> ClusterStatus:
        """Return how it goes."""
        known, problems = self._cluster.counts(), self._cluster.problems()
        resources = {
            one.resource.name: FollowedStatus(
                known.get(one.resource.kind, 0),
                self._cluster.alive_at(one.resource.kind),
                one.lists,
                one.missing,
                problems.get(one.resource.kind, ""),
                one.counts.copy(),
            )
            for one in self._reflectors
            if not one.absent
        }
        return ClusterStatus(os.getppid(), self._started, time.time_ns(), self._api, self._node, resources)
