"""The calls that there are: resources of the Kubernetes API with what is done to them, a row for each group.

The lists are those of the API reference of Kubernetes 1.32. A resource that stands in a rule's condition and not here
is added, and one that nobody knows stands for all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
OTHER = "resources of other kinds"  # no resource can be called so
_OF_GROUP: dict[str, str] = {
    "": (
        "pods services secrets configmaps serviceaccounts namespaces nodes persistentvolumes persistentvolumeclaims "
        "endpoints events replicationcontrollers limitranges resourcequotas podtemplates"
    ),
    "apps": "deployments daemonsets statefulsets replicasets controllerrevisions",
    "batch": "jobs cronjobs",
    "rbac.authorization.k8s.io": "roles clusterroles rolebindings clusterrolebindings",
    "networking.k8s.io": "networkpolicies ingresses ingressclasses",
    "gateway.networking.k8s.io": "gateways httproutes",
    "admissionregistration.k8s.io": (
        "validatingwebhookconfigurations mutatingwebhookconfigurations validatingadmissionpolicies "
        "validatingadmissionpolicybindings"
    ),
    "apiextensions.k8s.io": "customresourcedefinitions",
    "apiregistration.k8s.io": "apiservices",
    "certificates.k8s.io": "certificatesigningrequests",
    "authentication.k8s.io": "tokenreviews selfsubjectreviews",
    "authorization.k8s.io": (
        "subjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews localsubjectaccessreviews"
    ),
    "coordination.k8s.io": "leases",
    "discovery.k8s.io": "endpointslices",
    "events.k8s.io": "events",
    "policy": "poddisruptionbudgets",
    "storage.k8s.io": "storageclasses volumeattachments csidrivers",
    "autoscaling": "horizontalpodautoscalers",
}
_SUBRESOURCES: dict[tuple[str, str], str] = {
    ("", "pods"): "exec attach portforward log ephemeralcontainers eviction proxy binding status",
    ("", "services"): "proxy status",
    ("", "nodes"): "proxy status",
    ("", "serviceaccounts"): "token",
    ("", "namespaces"): "finalize",
    ("apps", "deployments"): "scale",
    ("certificates.k8s.io", "certificatesigningrequests"): "approval status",
}


# What they hold is secret: it does not belong into a log, whatever a rule would like to see of it.
_SECRET = frozenset({("", "secrets"), ("", "serviceaccounts/token"), ("authentication.k8s.io", "tokenreviews")})


class Call(NamedTuple):
    """What is done to which resource; without a resource, to a path such as ``/healthz``."""

    verb: str
    group: str
    resource: str
    subresource: str = ""

    @property
    def about(self) -> str:
        """The resource as a policy writes it: ``pods/exec``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def holds_secrets(self) -> bool:
        """Whether what is sent and answered does not belong into a log."""
        return (self.group, self.about) in _SECRET


def all_calls(more: Iterable[str] = ()) -> list[Call]:
    """Return every call.

    Args:
        more: names of resources that may not be in the lists; they are in a group of which nothing is known.
    """
    known: list[tuple[str, str, str]] = []
    for group, names in _OF_GROUP.items():
        for resource in names.split():
            subresources = _SUBRESOURCES.get((group, resource), "").split()
            known += [(group, resource, subresource) for subresource in ("", *subresources)]
    named = {resource for _, resource, _ in known}
    known += [(OTHER, resource, "") for resource in sorted({*more, OTHER} - named)]
    return [Call(verb, *one) for one in known for verb in VERBS] + [Call("get", "", "")]
