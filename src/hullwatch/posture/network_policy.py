"""What network policies let in to a pod, and out of it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.inventory import NETWORKING
from hullwatch.posture.plain import at, table, tables, text, texts
from hullwatch.posture.selectors import Selector
from hullwatch.posture.workloads import ports_of

if TYPE_CHECKING:
    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.plain import Plain
    from hullwatch.posture.workloads import Pod


class Restriction(NamedTuple):
    """What policies say about a pod.

    Attributes:
        policies: that choose it for what comes in, by name.
        outside: whether anything outside the cluster may come in on the asked ports: "all", "some" or "none".
        from_pods: whether pods may: ingress controllers and gateways are pods.
        ranges: that may come in when ``outside`` is "some".
        outgoing: whether a policy restricts what goes out.
    """

    policies: tuple[str, ...]
    outside: str
    from_pods: bool
    ranges: tuple[str, ...]
    outgoing: bool


class NetworkPolicies:
    """The network policies of an inventory. Those of plug-ins (Cilium, Calico) are not among them."""

    def __init__(self, inventory: Inventory) -> None:
        """Read them."""
        self._of: dict[str, list[tuple[str, Selector, Plain]]] = {}
        for (namespace, name), plain in inventory.of(f"NetworkPolicy.{NETWORKING}").items():
            spec = table(plain.get("spec"))
            self._of.setdefault(namespace, []).append((name, Selector(spec.get("podSelector")), spec))

    def about(self, pod: Pod, ports: frozenset[tuple[str, int]] = frozenset()) -> Restriction:
        """Return what they let in to ports (protocol and number) of a pod; without ports, to any."""
        chosen = [
            (name, spec) for name, selector, spec in self._of.get(pod.namespace, ()) if selector.holds(pod.labels)
        ]
        incoming = [(name, spec) for name, spec in chosen if "Ingress" in _types(spec)]
        outgoing = any("Egress" in _types(spec) for _, spec in chosen)
        if not incoming:
            return Restriction((), "all", from_pods=True, ranges=(), outgoing=outgoing)
        everywhere = from_pods = False
        ranges: list[str] = []
        for rule in (rule for _, spec in incoming for rule in tables(spec.get("ingress"))):
            if not _opens(rule, ports, pod):
                continue
            peers = tables(rule.get("from"))
            everywhere |= not peers
            from_pods |= not peers or any("podSelector" in peer or "namespaceSelector" in peer for peer in peers)
            ranges += [text(at(peer, "ipBlock", "cidr")) for peer in peers if "ipBlock" in peer]
        everywhere |= any(_is_everywhere(one) for one in ranges)
        names = tuple(name for name, _ in incoming)
        outside = "all" if everywhere else "some" if ranges else "none"
        return Restriction(names, outside, from_pods, tuple(dict.fromkeys(ranges)), outgoing)


def _types(spec: Plain) -> tuple[str, ...]:
    written = texts(spec.get("policyTypes"))
    if written:
        return written
    return ("Ingress", "Egress") if spec.get("egress") is not None else ("Ingress",)


def _opens(rule: Plain, ports: frozenset[tuple[str, int]], pod: Pod) -> bool:
    """Whether a rule is for any of these ports."""
    written = tables(rule.get("ports"))
    if not written or not ports:
        return True
    named = {(name, protocol): number for name, protocol, number, _ in ports_of(pod)}
    for one in written:
        protocol, port = text(one.get("protocol")) or "TCP", one.get("port")
        if isinstance(port, str):
            port = named.get((port, protocol))
        end = one.get("endPort")
        for asked_protocol, number in ports:
            if protocol != asked_protocol:
                continue
            if port is None and one.get("port") is None:
                return True
            if isinstance(port, int) and port <= number <= (end if isinstance(end, int) else port):
                return True
    return False


def _is_everywhere(cidr: str) -> bool:
    try:
        return ipaddress.ip_network(cidr, strict=False).prefixlen <= 1
    except ValueError:
        return False
