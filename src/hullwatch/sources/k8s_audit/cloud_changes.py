"""What an event of a cloud's own API changes about a cluster, in the same words for each cloud.

``publicEndpoint``: whether the API server answers on a public address. ``publicNetworks``: who may come there, as
networks. ``openToAll``: whether everybody may, as far as the event says. ``networkPolicy``: whether network policies
are enforced. ``auditLogging``: whether the audit log is written. What an event does not say is absent.
"""

from __future__ import annotations

import contextlib
import ipaddress
from typing import Any

import msgspec

from hullwatch.sources.k8s_audit.shapes import at, is_list, is_table, items, present, table, text, texts, truth

# Networks that hold so many addresses together are everybody: half of IPv4, or half of what IPv6 uses (2000::/3).
# Two halves are as open as the whole, and do not look like it.
_MANY = {4: 1 << 31, 6: 1 << 124}
_MOST_NETWORKS = 1000


def _change(
    public: bool | None,  # noqa: FBT001 - what the event says, three ways
    networks: list[str] | None,
    policy: bool | None = None,  # noqa: FBT001
    logging: bool | None = None,  # noqa: FBT001
) -> dict[str, object]:
    """Put the parts together; without a list of networks, whoever reaches a public address may come."""
    everybody: bool | None = None
    if public is not None or networks is not None:
        everybody = public is not False and (networks is None or _are_everybody(networks))
    return present(
        publicEndpoint=public, publicNetworks=networks, openToAll=everybody, networkPolicy=policy, auditLogging=logging
    )


def _are_everybody(networks: list[str]) -> bool:
    """Tell whether networks hold so many addresses that they are no limit; what is no network holds none."""
    found: dict[int, list[Any]] = {4: [], 6: []}
    for one in networks[:_MOST_NETWORKS]:
        with contextlib.suppress(ValueError):
            network = ipaddress.ip_network(one.strip(), strict=False)
            found[network.version].append(network)
    return any(
        sum(one.num_addresses for one in ipaddress.collapse_addresses(same)) >= _MANY[version]
        for version, same in found.items()
    )


def of_eks(record: dict[str, object]) -> dict[str, object]:
    """Return what a record of CloudTrail changes (CreateCluster, UpdateClusterConfig)."""
    asked = table(record.get("requestParameters"))
    answered = table(at(record, "responseElements", "cluster"))
    networks = table(asked.get("resourcesVpcConfig"))
    public = truth(networks.get("endpointPublicAccess"))
    allowed = networks.get("publicAccessCidrs")
    if record.get("eventName") == "CreateCluster":  # what is not asked for is what the answer says, else the default
        made = table(answered.get("resourcesVpcConfig"))
        public = truth(made.get("endpointPublicAccess")) if public is None else public
        public = True if public is None else public
        allowed = made.get("publicAccessCidrs") if allowed is None else allowed
    logging: bool | None = None
    for setting in items(at(asked, "logging", "clusterLogging")):
        if "audit" in texts(table(setting).get("types")):
            logging = truth(table(setting).get("enabled"))
    return _change(public, texts(allowed) if is_list(allowed) else None, None, logging)


def of_gke(payload: dict[str, object]) -> dict[str, object]:
    """Return what a call of the Google Kubernetes Engine API changes."""
    method = text(payload.get("methodName")).rpartition(".")[2]
    request = table(payload.get("request"))
    if method == "SetNetworkPolicy":
        return _change(None, None, at(request, "networkPolicy", "enabled") is True)  # false is left out in this JSON
    if method == "CreateCluster":
        cluster = table(request.get("cluster"))
        return _gke_access(
            private=at(cluster, "privateClusterConfig", "enablePrivateEndpoint"),
            endpoints=table(at(cluster, "controlPlaneEndpointsConfig", "ipEndpointsConfig")),
            allowed=cluster.get("masterAuthorizedNetworksConfig"),
            policy=at(cluster, "networkPolicy", "enabled") is True if "networkPolicy" in cluster else None,
            created=True,
        )
    update = table(request.get("update"))
    addon = at(update, "desiredAddonsConfig", "networkPolicyConfig")
    return _gke_access(
        private=update.get(
            "desiredEnablePrivateEndpoint", at(update, "desiredPrivateClusterConfig", "enablePrivateEndpoint")
        ),
        endpoints=table(at(update, "desiredControlPlaneEndpointsConfig", "ipEndpointsConfig")),
        allowed=update.get("desiredMasterAuthorizedNetworksConfig"),
        policy=table(addon).get("disabled") is not True if is_table(addon) else None,
        created=False,
    )


def _gke_access(
    *, private: object, endpoints: dict[str, object], allowed: object, policy: bool | None, created: bool
) -> dict[str, object]:
    public = truth(endpoints.get("enablePublicEndpoint"))
    if public is None and truth(private) is not None:
        public = not truth(private)
    if public is None and created:
        public = True  # the default
    allowed = endpoints.get("authorizedNetworksConfig", allowed)
    networks: list[str] | None = None
    if is_table(allowed):
        blocks = [text(table(one).get("cidrBlock")) for one in items(at(allowed, "cidrBlocks"))]
        networks = blocks if at(allowed, "enabled") is True else ["0.0.0.0/0"]
    return _change(public, networks, policy)


def of_aks(record: dict[str, object]) -> dict[str, object]:
    """Return what a record of Azure's activity log changes (managedClusters/write)."""
    written = at(record, "properties", "requestbody")
    properties = record.get("properties", record.get("Properties"))
    if written is None and isinstance(properties, str):
        written = table(_json(properties)).get("requestbody")
    body = table(_json(written) if isinstance(written, str) else written)
    asked = table(body.get("properties"))
    if not asked:
        return {}
    access = table(asked.get("apiServerAccessProfile"))
    private = truth(access.get("enablePrivateCluster"))
    ranges = access.get("authorizedIPRanges", access.get("authorizedIpRanges"))
    networks = texts(ranges) if is_list(ranges) and ranges else None
    network = table(asked.get("networkProfile"))
    policy = text(network.get("networkPolicy")) not in {"", "none"} if network else None
    return _change(not private, networks, policy)


def _json(value: str) -> object:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None
