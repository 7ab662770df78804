"""Fields of the pod that a container belongs to (``k8s.*``), from the labels that Kubernetes gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.enrich.container import SHORT_ID
from hullwatch.fields.field import FieldType, field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


LABEL_PREFIX = "io.kubernetes."


@field("k8s.pod.name")
def pod_name(event: Event) -> str | None:
    """Name of the pod; absent outside a pod."""
    return event.container.pod_name or event.container.labels.get(LABEL_PREFIX + "pod.name")


@field("k8s.ns.name")
def namespace_name(event: Event) -> str | None:
    """Namespace of the pod; absent outside a pod."""
    return event.container.pod_namespace or event.container.labels.get(LABEL_PREFIX + "pod.namespace")


@field("k8s.pod.uid")
def pod_uid(event: Event) -> str | None:
    """Unique id of the pod, known by its control group too; absent outside a pod."""
    return event.container.pod_uid or event.container.labels.get(LABEL_PREFIX + "pod.uid")


@field("k8s.pod.id")
def pod_id(event: Event) -> str | None:
    """The same as k8s.pod.uid, by its old name."""
    return pod_uid(event)


@field("k8s.pod.sandbox_id")
def sandbox_id(event: Event) -> str | None:
    """First 12 digits of the id of the pod's sandbox; absent outside a pod."""
    return event.container.pod_sandbox_id[:SHORT_ID] or None


@field("k8s.pod.full_sandbox_id")
def full_sandbox_id(event: Event) -> str | None:
    """The whole id of the pod's sandbox; absent outside a pod."""
    return event.container.pod_sandbox_id or None


@field("k8s.pod.label")
def pod_label(event: Event, argument: str) -> str | None:
    """A label of the pod; absent when it has none of that name."""
    return event.container.pod_labels.get(argument)


@field("k8s.pod.labels")
def pod_labels(event: Event) -> str | None:
    """All labels of the pod, comma-separated: key:value; absent without any."""
    return ", ".join(f"{key}:{value}" for key, value in event.container.pod_labels.items()) or None


@field("k8s.owner.kind")
def owner_kind(event: Event) -> str | None:
    """Kind of the workload that made the pod, such as Deployment or Job; absent where its labels do not tell."""
    return event.container.owner_kind or None


@field("k8s.owner.name")
def owner_name(event: Event) -> str | None:
    """Name of the workload that made the pod; absent where its labels do not tell."""
    return event.container.owner_name or None


@field("k8s.deployment.name")
def deployment_name(event: Event) -> str | None:
    """Name of the deployment that made the pod; absent for other pods."""
    return event.container.owner_name if event.container.owner_kind == "Deployment" else None


@field("k8s.rs.name")
def replica_set_name(event: Event) -> str | None:
    """Name of the replica set of a deployment's pod; absent for other pods."""
    if event.container.replica_set:
        return event.container.replica_set
    template = event.container.pod_labels.get("pod-template-hash")
    return f"{event.container.owner_name}-{template}" if template and event.container.owner_name else None


@field("k8s.rc.name")
def replication_controller_name(event: Event) -> str | None:
    """Name of the replication controller that made the pod; known from the cluster's state only."""
    return event.container.replication_controller or None


@field("k8s.ns.label")
def namespace_label(event: Event, argument: str) -> str | None:
    """A label of the pod's namespace; known from the cluster's state only."""
    return event.container.namespace_labels.get(argument)


@field("k8s.ns.labels")
def namespace_labels(event: Event) -> str | None:
    """All labels of the namespace, comma-separated: key:value; known from the cluster's state only."""
    return ", ".join(f"{key}:{value}" for key, value in event.container.namespace_labels.items()) or None


@field("k8s.node.name", FieldType.CHARBUF)
def node_name(event: Event) -> str | None:
    """Name of the node that the pod runs on; known from the cluster's state only."""
    return event.container.node or None


@field("k8s.serviceaccount.name", FieldType.CHARBUF)
def service_account_name(event: Event) -> str | None:
    """Name of the pod's service account; known from the cluster's state only."""
    return event.container.service_account or None


@field("k8s.pod.ip")
def pod_ip(event: Event) -> str | None:
    """Address of the pod; absent where it has none of its own."""
    return event.container.pod_ip or None
