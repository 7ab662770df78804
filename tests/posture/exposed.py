"""Objects that open something, from the short form of the cases."""

from __future__ import annotations

from typing import Any

LABELS = {"app": "web", "pod-template-hash": "5d8f"}
OWNER = [{"kind": "ReplicaSet", "apiVersion": "apps/v1", "name": "web-5d8f", "controller": True}]
KINDS = {
    "service": ("v1", "Service"),
    "ingress": ("networking.k8s.io/v1", "Ingress"),
    "policy": ("networking.k8s.io/v1", "NetworkPolicy"),
    "gateway": ("gateway.networking.k8s.io/v1", "Gateway"),
    "route": ("gateway.networking.k8s.io/v1", "HTTPRoute"),
}


def made(short: Any) -> dict[str, Any]:
    """An object ``web`` in the namespace ``shop``: ``pod``, or ``{service: SPEC}`` and the like."""
    kind, spec = (short, {"containers": [{"name": "c"}]}) if isinstance(short, str) else next(iter(short.items()))
    metadata: dict[str, Any] = {"name": "web", "namespace": "shop"}
    if kind == "pod":
        metadata |= {"name": "web-5d8f-x", "labels": LABELS, "ownerReferences": OWNER}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    if kind == "deployment":
        template = {"metadata": {"labels": LABELS}, "spec": spec}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}}
    if kind == "endpoints":
        return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": spec}
    version, name = KINDS[kind]
    return {"apiVersion": version, "kind": name, "metadata": metadata, "spec": spec}
