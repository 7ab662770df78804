"""Connections that sensors have seen pods make, and which of them go to a database, a cache or a vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.data_stores import data_stores
from hullwatch.posture.workloads import Workload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.posture.data_stores import DataStores
    from hullwatch.posture.peers import Peers


class Connection(NamedTuple):
    """A connection that a pod made.

    Attributes:
        namespace: of the pod.
        pod: its name.
        address: of the other end.
        port: of the other end.
        name: of the other end, if one is known.
        at: when it was made last, ns since the epoch; 0 where that is not known.
        kind: of the workload that the pod belongs to, where it is known.
        workload: its name.
    """

    namespace: str
    pod: str
    address: str
    port: int
    name: str = ""
    at: int = 0
    kind: str = ""
    workload: str = ""


class Reached(NamedTuple):
    """A database, cache or vault.

    Attributes:
        what: what it is.
        where: name or address, and port.
        kind: ``database``, ``cache`` or ``vault``.
        by: what it is known by: ``image``, ``name`` or ``port``.
        behind: the workload, Service or node that had the address then; empty where that is not known.
    """

    what: str
    where: str
    kind: str = ""
    by: str = ""
    behind: str = ""

    @property
    def words(self) -> str:
        """How people read it."""
        return f"{self.what} ({self.where}{f', {self.behind}' if self.behind else ''})"


def classify(connection: Connection, stores: DataStores | None = None, peers: Peers | None = None) -> Reached | None:
    """Return the database, cache or vault that a connection goes to; None for another one.

    Args:
        connection: that was made.
        stores: recognises them; None for those that are shipped.
        peers: knows who had an address; None where nobody does.
    """
    peer = None if peers is None else peers.of(connection.address, connection.at)
    names = [one for one in (connection.name, *(peer.names if peer is not None else ())) if one]
    images = peer.images if peer is not None else ()
    found = (stores or data_stores()).recognise(connection.port, names, images)
    if found is None:
        return None
    name = connection.name.lower().rstrip(".")
    where = f"[{connection.address}]" if ":" in connection.address else connection.address
    return Reached(
        found.store.name,
        f"{name or where}:{connection.port}",
        found.store.kind,
        found.by,
        peer.words if peer is not None else "",
    )


class ReachedBy:
    """The databases, caches and vaults that pods and workloads reach.

    Args:
        connections: that were seen.
        stores: recognises them.
        peers: knows who had an address.
    """

    def __init__(
        self, connections: Iterable[Connection], stores: DataStores | None = None, peers: Peers | None = None
    ) -> None:
        """Sort them by who connects."""
        self._by_pod: dict[tuple[str, str], dict[Reached, None]] = {}
        self._by_workload: dict[Workload, dict[Reached, None]] = {}
        for one in connections:
            reached = classify(one, stores, peers)
            if reached is None:
                continue
            self._by_pod.setdefault((one.namespace, one.pod), {})[reached] = None
            if one.kind:
                workload = Workload(one.kind, one.namespace, one.workload)
                self._by_workload.setdefault(workload, {})[reached] = None

    def of(self, workload: Workload, pods: Iterable[str]) -> tuple[Reached, ...]:
        """Return those that a workload reaches: it itself, whichever pods it had then, and pods by their names."""
        found = dict(self._by_workload.get(workload, {}))
        for pod in pods:
            found |= self._by_pod.get((workload.namespace, pod), {})
        return tuple(found)
