"""What lies behind an opening that a run has just seen: workloads, and the databases and vaults that they reach."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol

from hullwatch.posture.inventory import Inventory
from hullwatch.posture.plain import at, labels, text
from hullwatch.posture.selectors import includes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hullwatch.posture.behind import Backend
    from hullwatch.posture.bounded import BoundedInventory
    from hullwatch.posture.connections import Connection
    from hullwatch.posture.data_stores import DataStores
    from hullwatch.posture.exposure_changes import ExposureChange
    from hullwatch.posture.peers import Holder
    from hullwatch.posture.plain import Plain

MOST_BEHIND = 2000  # objects of a namespace that are looked at for what lies behind an opening
MOST_HOLDERS = 100  # pods and services of other namespaces that are looked at for what they are
MOST_PODS = 10  # of one of these services


class Sightings(Protocol):
    """What sensors have seen workloads connect to.

    Attributes:
        stores: recognises databases and vaults.
    """

    stores: DataStores

    def connections(self, namespace: str) -> Sequence[Connection]:
        """Return what workloads of a namespace connected to; of many those to databases and the last ones."""
        ...

    def holders(self, address: str, when: int) -> Iterable[Holder]:
        """Return who had an address at a time, ns since the epoch."""
        ...


class Surroundings:
    """Knows what is near an opening.

    Args:
        inventory: what the log has shown of the cluster.
        of_namespace: yields more of a namespace's objects than that; None where nobody knows more.
        seen: what workloads connected to; None where nobody knows.
    """

    def __init__(
        self,
        inventory: BoundedInventory,
        of_namespace: Callable[[str], Iterable[Plain]] | None,
        seen: Sightings | None,
    ) -> None:
        """Take what is asked."""
        self._inventory = inventory
        self._of_namespace = of_namespace
        self._seen = seen

    def behind(self, change: ExposureChange) -> tuple[Backend, ...]:
        """Return the workloads behind an opening, as far as they are known now."""
        from hullwatch.posture.exposure import find_exposure

        near = Inventory(self._objects(change.namespace))
        if self._seen is None:
            found = find_exposure(near)
        else:
            connections = self._seen.connections(change.namespace)
            for one in self._at_other_ends(connections, change.namespace):
                near.take(one)
            found = find_exposure(near, (), connections, self._seen.stores, self._seen.holders)
        place = change.kind, change.namespace, change.name
        openings = (one for one in found if (one.opening.kind, one.opening.namespace, one.opening.name) == place)
        return tuple({one.workload: one for opening in openings for one in opening.backends}.values())

    def _objects(self, namespace: str) -> Iterator[Plain]:
        """Yield a namespace's objects, those that the log has shown last, for they are the newest."""
        if self._of_namespace is not None:
            yield from islice(self._of_namespace(namespace), MOST_BEHIND)
        yield from self._inventory.of_namespace(namespace, MOST_BEHIND)

    def _at_other_ends(self, connections: Iterable[Connection], namespace: str) -> Iterator[Plain]:
        """Yield pods and services of other namespaces that had the addresses: their images tell what they are."""
        assert self._seen is not None
        found = (holder for one in connections for holder in self._seen.holders(one.address, one.at))
        others = dict.fromkeys(one for one in found if one.kind != "Node" and one.namespace != namespace)
        for one in islice(others, MOST_HOLDERS):
            plain = self._inventory.find(one.kind, one.namespace, one.name)
            if plain is None:
                continue
            yield plain
            selector = labels(at(plain, "spec", "selector")) if one.kind == "Service" else {}
            if selector:
                yield from islice(self._chosen(one.namespace, selector), MOST_PODS)

    def _chosen(self, namespace: str, selector: dict[str, str]) -> Iterator[Plain]:
        for one in self._objects(namespace):
            if text(one.get("kind")) == "Pod" and includes(labels(at(one, "metadata", "labels")), selector):
                yield one
