"""Who is behind an address that a pod connected to: the pod, Service or node that had it then."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.plain import at, labels, text, texts
from hullwatch.posture.selectors import includes
from hullwatch.posture.workloads import images_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.workloads import Pod, Workloads

_MOST = 10  # pods of a Service whose images are looked at


class Holder(NamedTuple):
    """What had an address: a Pod, Node or Service."""

    kind: str
    namespace: str
    name: str


class Peer(NamedTuple):
    """Who is behind an address.

    Attributes:
        words: how people call it.
        names: that it is recognised by.
        images: of its containers, as far as they are known.
    """

    words: str
    names: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


class Peers:
    """Knows them.

    Args:
        inventory: of the cluster, as it is now.
        workloads: of it.
        holders: who had an address at a time (ns since the epoch), as far as it was noted; None where nothing is.
    """

    def __init__(
        self,
        inventory: Inventory,
        workloads: Workloads,
        holders: Callable[[str, int], Iterable[Holder]] | None = None,
    ) -> None:
        """Sort what is there by its addresses."""
        self._inventory = inventory
        self._workloads = workloads
        self._holders = holders
        self._known: dict[tuple[str, int], Peer | None] = {}
        self._pods = {(pod.namespace, pod.name): pod for pod in workloads.pods if pod.name}
        self._now: dict[str, Holder] = {}
        for (namespace, name), plain in inventory.of("Service").items():
            spec = plain.get("spec")
            for address in (text(at(spec, "clusterIP")), *texts(at(spec, "clusterIPs"))):
                self._now[address] = Holder("Service", namespace, name)
        for pod in workloads.pods:
            if pod.address and pod.spec.get("hostNetwork") is not True:
                self._now[pod.address] = Holder("Pod", pod.namespace, pod.name)

    def of(self, address: str, when: int = 0) -> Peer | None:
        """Return who was behind an address; None where nobody is known to have had it.

        Args:
            address: in its shortest form.
            when: ns since the epoch; 0: now, for that is all that is known.
        """
        key = (address, when)
        if key not in self._known:
            self._known[key] = self._find(address, when)
        return self._known[key]

    def _find(self, address: str, when: int) -> Peer | None:
        found = list(self._holders(address, when)) if self._holders is not None and when else []
        if not found and address in self._now:
            found = [self._now[address]]
        for one in sorted(found, key=lambda holder: ("Pod", "Service", "Node").index(holder.kind)):
            return self._peer(one)
        return None

    def _peer(self, holder: Holder) -> Peer:
        called = (
            f"{holder.kind} {holder.namespace}/{holder.name}" if holder.namespace else f"{holder.kind} {holder.name}"
        )
        if holder.kind == "Pod":
            pod = self._pods.get((holder.namespace, holder.name))
            if pod is None:
                return Peer(called, (holder.name,))
            return Peer(pod.workload.words, (pod.workload.name, holder.name), images_of(pod))
        if holder.kind == "Service":
            pods = self._of_service(holder)
            workloads = dict.fromkeys(pod.workload.words for pod in pods)
            words = f"{called} ({', '.join(list(workloads)[:2])})" if workloads else called
            return Peer(words, (holder.name,), tuple(dict.fromkeys(one for pod in pods for one in images_of(pod))))
        return Peer(called)  # what listens on a node, its address does not tell

    def _of_service(self, holder: Holder) -> list[Pod]:
        selector = labels(at(self._inventory.get("Service", holder.namespace, holder.name), "spec", "selector"))
        if not selector:
            return []
        pods = self._workloads.of_namespace.get(holder.namespace, ())
        return [pod for pod in pods if includes(pod.labels, selector)][:_MOST]
