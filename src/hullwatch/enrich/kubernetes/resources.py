"""The kinds of objects that are looked at, and where the Kubernetes API has them.

Source: Kubernetes' API reference, version 1.32. Secrets and config maps are not among them: their contents are nobody
else's business, and a service account that may not read them cannot give them away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Resource(NamedTuple):
    """A kind of object: its name in objects, its name in paths, and its group and version (``v1``, ``apps/v1``).

    An optional one is of an extension that a cluster need not have.
    """

    kind: str
    name: str
    version: str
    namespaced: bool = True
    optional: bool = False

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.version.rpartition("/")[0]

    @property
    def path(self) -> str:
        """Where the API lists all of them."""
        return f"/{'apis' if self.group else 'api'}/{self.version}/{self.name}"


RESOURCES = (
    Resource("Pod", "pods", "v1"),
    Resource("Namespace", "namespaces", "v1", namespaced=False),
    Resource("Node", "nodes", "v1", namespaced=False),
    Resource("Service", "services", "v1"),
    Resource("ServiceAccount", "serviceaccounts", "v1"),
    Resource("ReplicationController", "replicationcontrollers", "v1"),
    Resource("Deployment", "deployments", "apps/v1"),
    Resource("ReplicaSet", "replicasets", "apps/v1"),
    Resource("DaemonSet", "daemonsets", "apps/v1"),
    Resource("StatefulSet", "statefulsets", "apps/v1"),
    Resource("Job", "jobs", "batch/v1"),
    Resource("CronJob", "cronjobs", "batch/v1"),
    Resource("EndpointSlice", "endpointslices", "discovery.k8s.io/v1"),
    Resource("Ingress", "ingresses", "networking.k8s.io/v1"),
    Resource("NetworkPolicy", "networkpolicies", "networking.k8s.io/v1"),
    Resource("Role", "roles", "rbac.authorization.k8s.io/v1"),
    Resource("RoleBinding", "rolebindings", "rbac.authorization.k8s.io/v1"),
    Resource("ClusterRole", "clusterroles", "rbac.authorization.k8s.io/v1", namespaced=False),
    Resource("ClusterRoleBinding", "clusterrolebindings", "rbac.authorization.k8s.io/v1", namespaced=False),
    Resource("Gateway", "gateways", "gateway.networking.k8s.io/v1", optional=True),
    Resource("HTTPRoute", "httproutes", "gateway.networking.k8s.io/v1", optional=True),
    Resource("GRPCRoute", "grpcroutes", "gateway.networking.k8s.io/v1", optional=True),
    Resource("TLSRoute", "tlsroutes", "gateway.networking.k8s.io/v1alpha2", optional=True),
    Resource("TCPRoute", "tcproutes", "gateway.networking.k8s.io/v1alpha2", optional=True),
    Resource("ReferenceGrant", "referencegrants", "gateway.networking.k8s.io/v1beta1", optional=True),
)
BY_NAME = {one.name: one for one in RESOURCES}
BY_KIND = {one.kind: one for one in RESOURCES}
OF_A_NODE = ("pods", "namespaces")
"""What somebody needs who looks at one node only."""


def named(names: Iterable[str], node: str) -> list[Resource]:
    """Return the resources of some names; without names all, or those of a node where there is one."""
    wanted = list(names) or (list(OF_A_NODE) if node else list(BY_NAME))
    return [BY_NAME[name] for name in wanted]
