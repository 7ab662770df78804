"""What opens something of a cluster to the outside, one by one: services, ingresses, gateways, ports of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.inventory import GATEWAY, NETWORKING
from hullwatch.posture.plain import at, items, labels, table, tables, text, texts
from hullwatch.posture.workloads import TEMPLATES, Workload, pod_of_template, ports_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.posture.plain import Plain
    from hullwatch.posture.workloads import Pod

# Annotations by which clouds make a load balancer that only their own network reaches, and the values that mean it.
_INTERNAL = {
    "service.beta.kubernetes.io/aws-load-balancer-internal": {"true", "0.0.0.0/0"},
    "service.beta.kubernetes.io/azure-load-balancer-internal": {"true"},
    "service.beta.kubernetes.io/openstack-internal-load-balancer": {"true"},
    "networking.gke.io/load-balancer-type": {"internal"},
    "cloud.google.com/load-balancer-type": {"internal"},
    "service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type": {"private"},
}
_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"
OUTSIDE = "LoadBalancer beyond the cloud's own network"
EVERYWHERE = {"0.0.0.0/0", "::/0"}
_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
ROUTE_KINDS = tuple(f"{kind}.{GATEWAY}" for kind in _ROUTES)


class Target(NamedTuple):
    """A service behind an opening, and its port as written; empty for all of its ports."""

    namespace: str
    service: str
    port: str


class Opening(NamedTuple):
    """One way in.

    Attributes:
        kind: of the object that opens it.
        namespace: of that object.
        name: of that object.
        way: NodePort, LoadBalancer, external IP, ExternalName, Ingress, Gateway, HTTPRoute, ..., hostPort, hostNetwork.
        ports: such as ``TCP 30080``; empty when nothing tells.
        addresses: where it is reached, as far as that is known.
        hosts: names that it answers to; empty for all.
        ranges: that it is limited to; empty for everywhere.
        encrypted: whether all of it needs TLS; None where that is the program's business.
        internal: whether only the cloud's own network reaches it.
        targets: the services behind it; none for ports of a pod itself.
        outwards: the name outside that it leads to, for ExternalName.
    """

    kind: str
    namespace: str
    name: str
    way: str
    ports: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    encrypted: bool | None = None
    internal: bool = False
    targets: tuple[Target, ...] = ()
    outwards: str = ""

    @property
    def words(self) -> str:
        """How people read the object."""
        return f"{self.kind} {self.namespace}/{self.name}"

    def parts(self) -> set[str]:
        """Return all that is open, piece by piece: what comes to it when it is widened."""
        found = {f"{self.way} {port}" for port in self.ports} or {self.way}
        if self.way in {"Ingress", "Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute"}:
            found |= {f"{self.way} for {host}" for host in self.hosts or ("every name",)}
        if self.way == "LoadBalancer":
            found |= {f"LoadBalancer from {one}" for one in self.ranges or ("everywhere",)}
            found |= set() if self.internal else {OUTSIDE}
        if self.way not in {"NodePort", "LoadBalancer", "external IP"}:  # a service's own are itself
            found |= {f"{self.way} to {one.namespace}/{one.service} {one.port}".rstrip() for one in self.targets}
        if self.way in {"external IP", "Gateway"}:
            found |= {f"{self.way} at {address}" for address in self.addresses}
        if self.encrypted is False:
            found.add(f"{self.way} without TLS")
        return found | ({f"{self.way} to {self.outwards}"} if self.outwards else set())


def of_service(namespace: str, name: str, plain: Plain) -> Iterator[Opening]:
    """Return what a service opens; a node port of a load balancer is one of its own."""
    spec = table(plain.get("spec"))
    kind = text(spec.get("type"))
    ports = tables(spec.get("ports"))
    target = (Target(namespace, name, ""),)
    own = tuple(f"{text(one.get('protocol')) or 'TCP'} {one.get('port')}" for one in ports)
    if kind == "ExternalName":
        yield Opening("Service", namespace, name, kind, own, outwards=text(spec.get("externalName")))
    if kind == "LoadBalancer":
        given = tables(at(plain, "status", "loadBalancer", "ingress"))
        addresses = tuple(text(one.get("ip")) or text(one.get("hostname")) for one in given)
        ranges = tuple(one for one in texts(spec.get("loadBalancerSourceRanges")) if one.strip())
        ranges = () if EVERYWHERE & {one.strip() for one in ranges} else ranges
        internal = _is_internal(labels(at(plain, "metadata", "annotations")))
        yield Opening(
            "Service", namespace, name, kind, own, addresses, ranges=ranges, internal=internal, targets=target
        )
    node_ports = [one for one in ports if isinstance(one.get("nodePort"), int) and one["nodePort"] != 0]
    if kind == "NodePort" or (kind == "LoadBalancer" and node_ports):
        opened = tuple(f"{text(one.get('protocol')) or 'TCP'} {one['nodePort']}" for one in node_ports)
        yield Opening("Service", namespace, name, "NodePort", opened, targets=target)
    external = texts(spec.get("externalIPs"))
    if external:
        yield Opening("Service", namespace, name, "external IP", own, external, targets=target)


def _is_internal(annotations: dict[str, str]) -> bool:
    if any(annotations.get(key, "").lower() in values for key, values in _INTERNAL.items()):
        return True
    return annotations.get(_SCHEME) == "internal"


def of_ingress(namespace: str, name: str, plain: Plain) -> Iterator[Opening]:
    """Return what an ingress opens; a host that no ``tls`` names is served without."""
    spec = table(plain.get("spec"))
    targets: list[Target] = []
    hosts: list[str] = []
    default = spec.get("defaultBackend") or spec.get("backend")
    if default:
        targets.append(_backend(namespace, default))
    for rule in tables(spec.get("rules")):
        hosts.append(text(rule.get("host")))
        targets += [_backend(namespace, path.get("backend")) for path in tables(at(rule, "http", "paths"))]
    certified = {host for one in tables(spec.get("tls")) for host in texts(one.get("hosts")) or ("",)}
    every = not hosts or "" in hosts or bool(default)
    named = () if every else tuple(dict.fromkeys(hosts))
    encrypted = "" in certified or (bool(named) and all(_covered(host, certified) for host in named))
    given = tables(at(plain, "status", "loadBalancer", "ingress"))
    addresses = tuple(text(one.get("ip")) or text(one.get("hostname")) for one in given)
    ports = ("TCP 443",) if encrypted else ("TCP 80", "TCP 443") if certified else ("TCP 80",)
    found = tuple(dict.fromkeys(one for one in targets if one.service))
    yield Opening("Ingress", namespace, name, "Ingress", ports, addresses, named, encrypted=encrypted, targets=found)


def _covered(host: str, certified: set[str]) -> bool:
    return host in certified or f"*.{host.partition('.')[2]}" in certified


def _backend(namespace: str, written: object) -> Target:
    service = table(at(written, "service"))
    if service:
        port = at(service, "port", "name") or at(service, "port", "number") or ""
        return Target(namespace, text(service.get("name")), str(port)[:64])
    return Target(namespace, text(at(written, "serviceName")), str(at(written, "servicePort") or "")[:64])


def of_gateway(namespace: str, name: str, plain: Plain) -> Iterator[Opening]:
    """Return what a gateway's listeners open; what lies behind is the business of its routes."""
    listeners = tables(at(plain, "spec", "listeners"))
    ports = tuple(dict.fromkeys(f"{text(one.get('protocol')) or 'TCP'} {one.get('port')}" for one in listeners))
    hosts = tuple(dict.fromkeys(text(one.get("hostname")) for one in listeners))
    given = [*tables(at(plain, "status", "addresses")), *tables(at(plain, "spec", "addresses"))]
    encrypted = bool(listeners) and all(text(one.get("protocol")) in {"HTTPS", "TLS"} for one in listeners)
    yield Opening(
        "Gateway",
        namespace,
        name,
        "Gateway",
        ports,
        tuple(dict.fromkeys(text(one.get("value")) for one in given)),
        () if "" in hosts else hosts,
        encrypted=encrypted,
    )


def of_route(kind: str, namespace: str, name: str, plain: Plain) -> Iterator[Opening]:
    """Return what a route leads to; the gateways that it hangs on decide whether it is open."""
    targets: list[Target] = []
    for rule in tables(at(plain, "spec", "rules")):
        for one in tables(rule.get("backendRefs")):
            if (text(one.get("kind")) or "Service") == "Service" and not text(one.get("group")):
                where = text(one.get("namespace")) or namespace
                targets.append(Target(where, text(one.get("name")), str(one.get("port") or "")[:64]))
    hosts = texts(at(plain, "spec", "hostnames"))
    yield Opening(kind, namespace, name, kind, hosts=hosts, targets=tuple(dict.fromkeys(targets)))


def of_pod(pod: Pod) -> Iterator[Opening]:
    """Return the ports of the host that a pod opens; on the host's network it may open any other as well."""
    workload, ports = pod.workload, ports_of(pod)
    base = (workload.kind, workload.namespace, workload.name)
    if pod.spec.get("hostNetwork") is True:
        opened = tuple(dict.fromkeys(f"{protocol} {number}" for _, protocol, number, _ in ports))
        yield Opening(*base, "hostNetwork", opened)
        return
    host = tuple(dict.fromkeys(f"{protocol} {opened}" for _, protocol, _, opened in ports if opened))
    if host:
        yield Opening(*base, "hostPort", host)


def of_object(kind: str, namespace: str, name: str, plain: Plain) -> list[Opening]:
    """Return what an object of a kind of ``KINDS`` opens by itself."""
    if kind == "Service":
        return list(of_service(namespace, name, plain))
    if kind == f"Ingress.{NETWORKING}":
        return list(of_ingress(namespace, name, plain))
    if kind == f"Gateway.{GATEWAY}":
        return list(of_gateway(namespace, name, plain))
    if kind in ROUTE_KINDS:
        return list(of_route(kind.partition(".")[0], namespace, name, plain))
    where = TEMPLATES.get(kind)
    if kind == "Pod" or where is not None:
        template = plain if where is None else at(plain, *where)
        return list(of_pod(pod_of_template(Workload(kind.partition(".")[0], namespace, name), template)))
    return []


def parents(plain: Plain, namespace: str) -> list[tuple[str, str, str]]:
    """Return the gateways that a route hangs on: namespace, name, and the listener, empty for all of them."""
    found: list[tuple[str, str, str]] = []
    for one in items(at(plain, "spec", "parentRefs")):
        plain_one = table(one)
        if (text(plain_one.get("kind")) or "Gateway") == "Gateway":
            where = text(plain_one.get("namespace")) or namespace
            found.append((where, text(plain_one.get("name")), text(plain_one.get("sectionName"))))
    return found
