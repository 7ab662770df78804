"""The addresses that an object has: what is asked for as "who had this address then"."""

from __future__ import annotations

from typing import NamedTuple

from hullwatch.enrich.kubernetes.plain import Plain, address, entries, moment, table, text

MOST = 32  # addresses of one object
_ENDED = frozenset({"Succeeded", "Failed"})
_OF_NODES = frozenset({"InternalIP", "ExternalIP"})


class Addresses(NamedTuple):
    """What has which addresses.

    Attributes:
        kind: Pod, Node or Service.
        namespace: empty for a node.
        name: of it.
        uid: of it.
        node: that a pod runs on.
        addresses: in their shortest form; none when it has none any more.
        since: when it began to have them at the earliest, ns since the epoch; 0 where it does not say.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    node: str
    addresses: tuple[str, ...]
    since: int


def addresses_of(found: Plain) -> Addresses | None:
    """Return the addresses of an object; None for a kind that has none of its own.

    A pod on its node's network has its node's address, which is the node's: it has none. Nor has one that has ended.
    """
    kind = text(found, "kind")
    if kind == "Pod":
        listed, since = _of_pod(found)
    elif kind == "Node":
        told = entries(found, "status", "addresses")
        listed = [table(one).get("address") for one in told if text(one, "type") in _OF_NODES]
        since = moment(text(found, "metadata", "creationTimestamp"))
    elif kind == "Service":
        spec = table(found, "spec")
        balancer = entries(found, "status", "loadBalancer", "ingress")
        listed = [*entries(spec, "clusterIPs"), spec.get("clusterIP"), *entries(spec, "externalIPs")]
        listed += [table(one).get("ip") for one in balancer]
        since = moment(text(found, "metadata", "creationTimestamp"))
    else:
        return None
    metadata = table(found, "metadata")
    return Addresses(
        kind,
        text(metadata, "namespace"),
        text(metadata, "name"),
        text(metadata, "uid"),
        text(found, "spec", "nodeName") if kind == "Pod" else "",
        tuple(dict.fromkeys(one for one in map(address, listed[:MOST]) if one)),
        since,
    )


def _of_pod(found: Plain) -> tuple[list[object], int]:
    status = table(found, "status")
    if table(found, "spec").get("hostNetwork") is True or text(status, "phase") in _ENDED:
        return [], 0
    listed = [table(one).get("ip") for one in entries(status, "podIPs")]
    return [status.get("podIP"), *listed], moment(text(status, "startTime"))
