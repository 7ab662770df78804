"""The objects of a cluster that posture looks at, by kind, namespace and name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from hullwatch.posture.plain import Plain, at, name_of, namespace_of, table, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RBAC, GATEWAY, NETWORKING = "rbac.authorization.k8s.io", "gateway.networking.k8s.io", "networking.k8s.io"
# Kind, with its group behind a dot, and whether it stands in a namespace. Everything else is passed over.
KINDS: dict[str, bool] = {
    f"Role.{RBAC}": True,
    f"ClusterRole.{RBAC}": False,
    f"RoleBinding.{RBAC}": True,
    f"ClusterRoleBinding.{RBAC}": False,
    "ServiceAccount": True,
    "Namespace": False,
    "Node": False,
    "Secret": True,
    "Pod": True,
    "ReplicationController": True,
    "Service": True,
    "Endpoints": True,
    "EndpointSlice.discovery.k8s.io": True,
    "Deployment.apps": True,
    "DaemonSet.apps": True,
    "StatefulSet.apps": True,
    "ReplicaSet.apps": True,
    "Job.batch": True,
    "CronJob.batch": True,
    f"Ingress.{NETWORKING}": True,
    f"NetworkPolicy.{NETWORKING}": True,
    f"GatewayClass.{GATEWAY}": False,
    f"Gateway.{GATEWAY}": True,
    f"HTTPRoute.{GATEWAY}": True,
    f"GRPCRoute.{GATEWAY}": True,
    f"TLSRoute.{GATEWAY}": True,
    f"TCPRoute.{GATEWAY}": True,
    f"UDPRoute.{GATEWAY}": True,
    f"ReferenceGrant.{GATEWAY}": True,
    "CustomResourceDefinition.apiextensions.k8s.io": False,
}
# Groups of before, whose kinds are read as if they were those of today.
_FORMER = {
    "extensions": {"Ingress": NETWORKING, "NetworkPolicy": NETWORKING, "Deployment": "apps", "DaemonSet": "apps"}
}
_DEEPEST = 8  # lists in lists
MOST_OBJECTS = 5_000_000  # a YAML file of a page can stand for more, by references to itself

Key = tuple[str, str]  # namespace and name


class Inventory:
    """Objects that were taken in; a later one replaces an earlier one of its kind, namespace and name.

    Attributes:
        passed_over: what was not taken, by its reason.
    """

    def __init__(self, objects: Iterable[object] = ()) -> None:
        """Take objects in: plain ones, and lists of them as ``kubectl get -o json`` prints them."""
        self._kinds: dict[str, dict[Key, Plain]] = {kind: {} for kind in KINDS}
        self.passed_over: Counter[str] = Counter()
        self._taken = 0
        for one in objects:
            self.take(one)

    def take(self, one: object, kind: str = "", version: str = "", depth: int = 0) -> None:
        """Take an object or a list of them in.

        Args:
            one: as the API or a manifest has it.
            kind: of what says none itself, as the items of an API's list do.
            version: the same for ``apiVersion``.
            depth: of the lists that it stands in.
        """
        plain = table(one)
        self._taken += 1
        if self._taken > MOST_OBJECTS:
            self.passed_over["more objects than are looked at"] += 1
            return
        kind, version = text(plain.get("kind")) or kind, text(plain.get("apiVersion")) or version
        if kind.endswith("List") and isinstance(plain.get("items"), list):
            self._take_list(plain, kind.removesuffix("List"), version, depth)
            return
        key = kind_key(kind, version)
        name = name_of(plain)
        if key not in KINDS:
            self.passed_over["kind that is not looked at" if kind else "no object: it has no kind"] += 1
        elif not name:
            self.passed_over["object without a name"] += 1
        else:
            namespace = (namespace_of(plain) or "default") if KINDS[key] else ""
            self._keep(key, (namespace, name), plain)

    def _keep(self, kind: str, place: Key, plain: Plain) -> None:
        self._kinds[kind][place] = plain

    def _take_list(self, plain: Plain, kind: str, version: str, depth: int) -> None:
        if depth >= _DEEPEST:
            self.passed_over["list in too many lists"] += 1
            return
        for one in cast("list[object]", plain["items"]):  # all of them: a cluster may have more than fit into an object
            if self._taken > MOST_OBJECTS:
                return
            self.take(one, kind, version, depth + 1)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object, if it is known."""
        self._kinds.get(kind, {}).pop((namespace, name), None)

    def of(self, kind: str) -> Mapping[Key, Plain]:
        """Return all objects of a kind of ``KINDS``."""
        return self._kinds[kind]

    def get(self, kind: str, namespace: str, name: str) -> Plain | None:
        """Return an object, or None."""
        return self._kinds[kind].get((namespace, name))

    def find(self, kind: str, namespace: str, name: str) -> Plain | None:
        """Return an object, also where it is known elsewhere only; here that is nowhere."""
        return self.get(kind, namespace, name)

    def __len__(self) -> int:
        """Return how many objects there are."""
        return sum(map(len, self._kinds.values()))

    def namespace_labels(self, namespace: str) -> Plain:
        """Return the labels of a namespace; its name is one of them, as the API adds it."""
        found = self.get("Namespace", "", namespace)
        return {"kubernetes.io/metadata.name": namespace} | table(at(found, "metadata", "labels"))


def kind_key(kind: str, version: str) -> str:
    """Return a kind as ``KINDS`` has it."""
    group = version.rpartition("/")[0]
    group = _FORMER.get(group, {}).get(kind, group)
    return f"{kind}.{group}" if group else kind
