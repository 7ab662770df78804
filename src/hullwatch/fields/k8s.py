"""Fields of the pod that a container belongs to (``k8s.*``), from the labels that Kubernetes gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


LABEL_PREFIX = "io.kubernetes."


@field("k8s.pod.name")
def pod_name(event: Event) -> str | None:
    """Name of the pod; absent outside a pod."""
    return event.container.labels.get(LABEL_PREFIX + "pod.name")


@field("k8s.ns.name")
def namespace_name(event: Event) -> str | None:
    """Namespace of the pod; absent outside a pod."""
    return event.container.labels.get(LABEL_PREFIX + "pod.namespace")


@field("k8s.pod.uid")
def pod_uid(event: Event) -> str | None:
    """Unique id of the pod; absent outside a pod."""
    return event.container.labels.get(LABEL_PREFIX + "pod.uid")
