"""What is open to the outside, what lies behind it, and how bad that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.behind import Behind
from hullwatch.posture.inventory import GATEWAY, NETWORKING
from hullwatch.posture.openings import ROUTE_KINDS, Opening, of_object, of_pod
from hullwatch.posture.plain import at, joined, tables, text
from hullwatch.posture.severity import SEVERITIES, worse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hullwatch.posture.behind import Backend
    from hullwatch.posture.connections import Connection
    from hullwatch.posture.data_stores import DataStores
    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.peers import Holder
    from hullwatch.posture.risks import Finding

_FROM_PODS = {"Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"}  # a controller's pod asks


class Exposure(NamedTuple):
    """An opening and what lies behind it.

    Attributes:
        opening: the way in.
        backends: the workloads that get its requests.
        severity: how bad it is.
        reasons: why, in sentences.
        remarks: what leads nowhere or out of the cluster, in sentences.
        through: the gateways that a route hangs on.
    """

    opening: Opening
    backends: tuple[Backend, ...]
    severity: str
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    through: tuple[str, ...] = ()


def find_exposure(
    inventory: Inventory,
    findings: Iterable[Finding] = (),
    connections: Iterable[Connection] = (),
    stores: DataStores | None = None,
    holders: Callable[[str, int], Iterable[Holder]] | None = None,
) -> list[Exposure]:
    """Return everything that is open to the outside, the worst first.

    Args:
        inventory: of the cluster.
        findings: the dangerous rights of its subjects.
        connections: that sensors have seen its pods make.
        stores: recognises databases and vaults; None for those that are shipped.
        holders: who had an address at a time (ns since the epoch); None where only the present is known.
    """
    behind = Behind(inventory, findings, connections, stores, holders)
    nodes = _node_addresses(inventory)
    found = [_exposure(opening, through, behind) for opening, through in _openings(inventory, behind, nodes)]
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.opening))


def _openings(
    inventory: Inventory, behind: Behind, nodes: tuple[str, ...]
) -> Iterator[tuple[Opening, tuple[str, ...]]]:
    for kind in ("Service", f"Ingress.{NETWORKING}", f"Gateway.{GATEWAY}"):
        for (namespace, name), plain in inventory.of(kind).items():
            for opening in of_object(kind, namespace, name, plain):
                yield _with_nodes(opening, nodes), ()
    for kind in ROUTE_KINDS:
        for (namespace, name), plain in inventory.of(kind).items():
            through = behind.attached(plain, namespace)
            if through:  # what hangs on no gateway is not open
                gateways = tuple(dict.fromkeys(f"{where}/{gateway}" for where, gateway, _ in through))
                for opening in of_object(kind, namespace, name, plain):
                    yield _of_listeners(opening, through, inventory), gateways
    for opening in dict.fromkeys(opening for pod in behind.workloads.pods for opening in of_pod(pod)):
        yield _with_nodes(opening, nodes), ()


def _with_nodes(opening: Opening, nodes: tuple[str, ...]) -> Opening:
    return opening._replace(addresses=nodes) if opening.way in {"NodePort", "hostPort", "hostNetwork"} else opening


def _of_listeners(opening: Opening, through: list[tuple[str, str, str]], inventory: Inventory) -> Opening:
    """Return a route's opening with the ports and certificates of the listeners that it hangs on."""
    ports: dict[str, None] = {}
    encrypted = True
    for namespace, name, section in through:
        gateway = inventory.get(f"Gateway.{GATEWAY}", namespace, name)
        for one in tables(at(gateway, "spec", "listeners")):
            if text(one.get("name")) == section:
                ports[f"{text(one.get('protocol')) or 'TCP'} {one.get('port')}"] = None
                encrypted &= text(one.get("protocol")) in {"HTTPS", "TLS"}
    return opening._replace(ports=tuple(ports), encrypted=encrypted)


def _node_addresses(inventory: Inventory) -> tuple[str, ...]:
    """Return the addresses by which nodes are reached from outside; none when they have none of their own."""
    found: dict[str, None] = {}
    for plain in inventory.of("Node").values():
        for one in tables(at(plain, "status", "addresses")):
            if text(one.get("type")) in {"ExternalIP", "ExternalDNS"}:
                found[text(one.get("address"))] = None
    return tuple(found)[:100]


def _exposure(opening: Opening, through: tuple[str, ...], behind: Behind) -> Exposure:
    backends, remarks = behind.of(opening)
    severity, reasons = _judge(opening, backends)
    return Exposure(opening, tuple(backends), severity, tuple(reasons), tuple(remarks), through)


def _judge(opening: Opening, backends: list[Backend]) -> tuple[str, list[str]]:
    """Return how bad it is and why: what somebody has who takes the program over, and what stands before it."""
    if opening.way == "ExternalName":
        return "info", [f"The name leads out of the cluster, to {opening.outwards}."]
    if not backends and opening.way != "Gateway":
        return "info", ["Nothing is behind it."]
    found: list[tuple[str, str]] = [("low", "")]
    if opening.encrypted is False:
        found.append(("low", "It is reached without TLS."))
    if opening.way == "hostNetwork":
        found.append(("medium", "On the host's network its programs may open any port; network policies do not hold."))
    for one in backends:
        found += _of_backend(one, opening)
    severity = max((severity for severity, _ in found), key=SEVERITIES.index)
    if opening.way == "hostNetwork" and not opening.ports:
        severity = worse(severity, -1)
        found.append(("low", "It names no port: whether it listens, its manifest does not tell."))
    closed = [_is_kept_out(opening, one) for one in backends]
    if closed and all(closed):
        severity = worse(severity, -1)
        found.append(("low", "Network policies keep what comes from outside away."))
    elif opening.internal:
        severity = worse(severity, -1)
        found.append(("low", "Only the cloud's own network reaches it."))
    elif opening.ranges:
        found.append(("low", f"Only {joined(opening.ranges)} reach it."))
    reasons = [reason for _, reason in sorted(found, key=lambda one: -SEVERITIES.index(one[0])) if reason]
    return severity, list(dict.fromkeys(reasons))


def _of_backend(one: Backend, opening: Opening) -> Iterator[tuple[str, str]]:
    name = one.workload.words
    if one.risks and one.token:
        worst = one.risks[0]
        # Everywhere or in its namespace: the finding's own severity has that in it.
        can = joined((finding.about.title for finding in one.risks), 3)
        yield worst.severity, f"{name} runs as {one.account.words}, which can {can}."
    elif one.risks:
        yield "medium", f"{name} runs as {one.account.words}, which has dangerous rights, without its token."
    if one.leaves_container:
        yield "critical", f"Root in {name} is root on its node: {joined(one.powers)}."
    elif one.powers:
        yield "medium", f"{name} is near its host: {joined(one.powers)}."
    if one.reached:
        yield "high", f"{name} reaches {joined(to.words for to in one.reached)}."
    if one.secrets:
        yield "medium", f"{name} is given the secrets {joined(one.secrets)}."
    if not one.restriction.policies and opening.way != "hostNetwork":
        yield "low", f"No network policy restricts what reaches {name}."


def _is_kept_out(opening: Opening, backend: Backend) -> bool:
    if opening.way == "hostNetwork":
        return False
    allowed = backend.restriction
    return not allowed.from_pods if opening.way in _FROM_PODS else allowed.outside == "none"
