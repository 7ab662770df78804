"""What lies behind an opening: the pods that get its requests, and what somebody has who takes one over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.connections import Connection, Reached, ReachedBy
from hullwatch.posture.inventory import GATEWAY
from hullwatch.posture.network_policy import NetworkPolicies, Restriction
from hullwatch.posture.openings import parents
from hullwatch.posture.peers import Peers
from hullwatch.posture.plain import at, labels, table, tables, text, texts
from hullwatch.posture.selectors import Selector, includes
from hullwatch.posture.severity import SEVERITIES
from hullwatch.posture.subject import Subject
from hullwatch.posture.workloads import Workload, Workloads, ports_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.posture.data_stores import DataStores
    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.openings import Opening, Target
    from hullwatch.posture.peers import Holder
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.risks import Finding
    from hullwatch.posture.workloads import Pod


class Backend(NamedTuple):
    """A workload behind an opening.

    Attributes:
        workload: which.
        pods: how many of its pods run; 0 when only its template is known.
        account: that they run as.
        token: whether the account's token is put into them.
        risks: the dangerous rights of that account, the worst first.
        secrets: that they are given.
        powers: what brings them near the host.
        leaves_container: whether root in one is root on its node.
        restriction: what network policies say.
        reached: databases, caches and vaults that they were seen to connect to.
    """

    workload: Workload
    pods: int
    account: Subject
    token: bool
    risks: tuple[Finding, ...]
    secrets: tuple[str, ...]
    powers: tuple[str, ...]
    leaves_container: bool
    restriction: Restriction
    reached: tuple[Reached, ...]


class Behind:
    """Finds what lies behind openings."""

    def __init__(
        self,
        inventory: Inventory,
        findings: Iterable[Finding] = (),
        connections: Iterable[Connection] = (),
        stores: DataStores | None = None,
        holders: Callable[[str, int], Iterable[Holder]] | None = None,
    ) -> None:
        """Join what is known.

        Args:
            inventory: of the cluster.
            findings: the dangerous rights of its subjects.
            connections: that sensors have seen pods make.
            stores: recognises databases and vaults; None for those that are shipped.
            holders: who had an address at a time; None where only the present is known.
        """
        self._inventory = inventory
        self.workloads = Workloads(inventory)
        self._policies = NetworkPolicies(inventory)
        self._risks: dict[Subject, list[Finding]] = {}
        for finding in findings:
            self._risks.setdefault(finding.subject, []).append(finding)
        self._reached = ReachedBy(connections, stores, Peers(inventory, self.workloads, holders))
        self._by_workload: dict[Workload, list[Pod]] = {}
        for pod in self.workloads.pods:
            self._by_workload.setdefault(pod.workload, []).append(pod)
        self._by_address = {pod.address: pod for pod in self.workloads.pods if pod.address and not _on_host(pod)}
        self._slices = self._slices_by_service()
        self._found: dict[tuple[str, str, tuple[Target, ...]], tuple[list[Backend], list[str]]] = {}

    def of(self, opening: Opening) -> tuple[list[Backend], list[str]]:
        """Return the workloads behind an opening, and sentences about what leads nowhere or out of the cluster."""
        if not opening.targets:
            own = self._by_workload.get(Workload(opening.kind, opening.namespace, opening.name), [])
            return self._backends([(pod, frozenset[tuple[str, int]]()) for pod in own]), []
        key = (opening.kind, opening.namespace, opening.targets)
        if key not in self._found:  # a load balancer and its node ports lead to the same
            self._found[key] = self._of_targets(opening)
        return self._found[key]

    def _of_targets(self, opening: Opening) -> tuple[list[Backend], list[str]]:
        chosen: list[tuple[Pod, frozenset[tuple[str, int]]]] = []
        remarks: list[str] = []
        for target in opening.targets:
            found, said = self._of_target(target, opening)
            chosen += found
            remarks += said
        return self._backends(chosen), remarks

    def _of_target(
        self, target: Target, opening: Opening
    ) -> tuple[list[tuple[Pod, frozenset[tuple[str, int]]]], list[str]]:
        name = f"{target.namespace}/{target.service}"
        service = self._inventory.get("Service", target.namespace, target.service)
        if target.namespace != opening.namespace and not self._may_refer(opening, target):
            return [], [f"Service {name} is in another namespace, and no ReferenceGrant there allows it."]
        if service is None:
            return [], [f"Service {name} is not there: whoever makes it gets the requests."]
        if text(at(service, "spec", "type")) == "ExternalName":
            return [], [f"Service {name} leads out of the cluster, to {text(at(service, 'spec', 'externalName'))}."]
        selector = labels(at(service, "spec", "selector"))
        if not selector:
            return self._of_endpoints(target)
        pods = [pod for pod in self.workloads.of_namespace.get(target.namespace, ()) if includes(pod.labels, selector)]
        if not pods:
            return [], [f"Service {name} chooses no pod."]
        return [(pod, _target_ports(service, target.port, pod)) for pod in pods], []

    def _slices_by_service(self) -> dict[tuple[str, str], list[str]]:
        """Return the addresses that endpoints give to services."""
        found: dict[tuple[str, str], list[str]] = {}
        for (namespace, _), plain in self._inventory.of("EndpointSlice.discovery.k8s.io").items():
            service = labels(at(plain, "metadata", "labels")).get("kubernetes.io/service-name", "")
            for one in tables(plain.get("endpoints")):
                found.setdefault((namespace, service), []).extend(texts(one.get("addresses")))
        for (namespace, name), plain in self._inventory.of("Endpoints").items():
            for subset in tables(plain.get("subsets")):
                given = (text(one.get("ip")) for one in tables(subset.get("addresses")))
                found.setdefault((namespace, name), []).extend(given)
        return found

    def _of_endpoints(self, target: Target) -> tuple[list[tuple[Pod, frozenset[tuple[str, int]]]], list[str]]:
        """Return the pods of a service that somebody gave addresses by hand."""
        addresses = dict.fromkeys(filter(None, self._slices.get((target.namespace, target.service), ())))
        pods = [self._by_address[one] for one in addresses if one in self._by_address]
        other = [one for one in addresses if one not in self._by_address]
        name = f"{target.namespace}/{target.service}"
        remarks = [f"Service {name} chooses no pods by labels."] if not addresses else []
        if other:
            remarks.append(f"Service {name} leads to addresses that are no pod's: {', '.join(other[:5])}.")
        strange = sorted({pod.namespace for pod in pods if pod.namespace != target.namespace})
        if strange:
            remarks.append(f"Service {name} leads by its endpoints into the namespace {', '.join(strange)}.")
        return [(pod, frozenset()) for pod in pods], remarks

    def _may_refer(self, opening: Opening, target: Target) -> bool:
        for (namespace, _), plain in self._inventory.of(f"ReferenceGrant.{GATEWAY}").items():
            if namespace != target.namespace:
                continue
            spec = table(plain.get("spec"))
            comes = any(
                one.get("kind") == opening.kind and one.get("namespace") == opening.namespace
                for one in tables(spec.get("from"))
            )
            goes = any(
                one.get("kind") == "Service" and text(one.get("name")) in {"", target.service}
                for one in tables(spec.get("to"))
            )
            if comes and goes:
                return True
        return False

    def _backends(self, chosen: list[tuple[Pod, frozenset[tuple[str, int]]]]) -> list[Backend]:
        groups: dict[tuple[Workload, str], list[tuple[Pod, frozenset[tuple[str, int]]]]] = {}
        for pod, ports in chosen:
            groups.setdefault((pod.workload, pod.account), []).append((pod, ports))
        return [self._backend(group) for group in groups.values()]

    def _backend(self, group: list[tuple[Pod, frozenset[tuple[str, int]]]]) -> Backend:
        pod, ports = group[0]
        pods = list({one.name: one for one, _ in group}.values())
        account = Subject("ServiceAccount", pod.account, pod.namespace)
        token = any(one.mounts_token(self._inventory) for one in pods)
        found = [*self._risks.get(account, ())]
        for name in account.groups():
            found += self._risks.get(Subject("Group", name), ())
        known = [one for one in found if not one.shipped]
        known.sort(key=lambda one: -SEVERITIES.index(one.severity))
        secrets = dict.fromkeys(secret for one in pods for secret in one.secrets())
        powers = dict.fromkeys(power for one in pods for power in one.powers())
        return Backend(
            pod.workload,
            sum(1 for one in pods if one.name),
            account,
            token,
            tuple(known),
            tuple(secrets),
            tuple(powers),
            any(one.leaves_container() for one in pods),
            self._policies.about(pod, ports),
            self._reached.of(pod.workload, [one.name for one in pods if one.name]),
        )

    def attached(self, plain: Plain, namespace: str) -> list[tuple[str, str, str]]:
        """Return the gateways that let a route hang on them: namespace, name and listener."""
        found: list[tuple[str, str, str]] = []
        for where, name, section in parents(plain, namespace):
            gateway = self._inventory.get(f"Gateway.{GATEWAY}", where, name)
            for listener in tables(at(gateway, "spec", "listeners")):
                own = text(listener.get("name"))
                if section in {"", own} and self._admits(listener, where, namespace):
                    found.append((where, name, own))
        return found

    def _admits(self, listener: Plain, gateway_namespace: str, namespace: str) -> bool:
        allowed = table(at(listener, "allowedRoutes", "namespaces"))
        kind = text(allowed.get("from")) or "Same"
        if kind == "Selector":
            of = {key: text(one) for key, one in self._inventory.namespace_labels(namespace).items()}
            return Selector(allowed.get("selector")).holds(of)
        return kind == "All" or (kind == "Same" and gateway_namespace == namespace)


def _on_host(pod: Pod) -> bool:
    return pod.spec.get("hostNetwork") is True  # its address is the node's, and that of others too


def _target_ports(service: Plain, wanted: str, pod: Pod) -> frozenset[tuple[str, int]]:
    """Return the ports of a pod that a service's ports lead to; all of them without a wanted one."""
    named = {(name, protocol): number for name, protocol, number, _ in ports_of(pod)}
    found: set[tuple[str, int]] = set()
    for one in tables(at(service, "spec", "ports")):
        if wanted and wanted not in {text(one.get("name")), str(one.get("port"))}:
            continue
        protocol = text(one.get("protocol")) or "TCP"
        target = one.get("targetPort") or one.get("port")
        if isinstance(target, str):
            target = named.get((target, protocol))
        if isinstance(target, int):
            found.add((protocol, target))
    return frozenset(found)
