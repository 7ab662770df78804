"""Fields of services, config maps and network policies that a call to the Kubernetes API brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.audit_event import at, objects, text, texts
from hullwatch.fields.field import FieldType, Multiplicity, field
from hullwatch.fields.json_patch import requested

if TYPE_CHECKING:
    from hullwatch.fields.audit_event import AuditEvent

Texts = tuple[str, ...] | None


@field("ka.req.configmap.name")
def configmap_name(event: AuditEvent) -> str | None:
    """Name of the object that the call is about, where that is a config map."""
    return text(at(event.audit, "objectRef", "name"))


@field("ka.req.configmap.obj")
def configmap_obj(event: AuditEvent) -> str | None:
    """Content of a config map, as JSON."""
    return text(at(requested(event), "data"))


@field("ka.req.service.type")
def service_type(event: AuditEvent) -> str | None:
    """Kind of a service: ClusterIP, NodePort, LoadBalancer or ExternalName."""
    return text(at(requested(event), "spec", "type"))


@field("ka.req.service.ports")
def service_ports(event: AuditEvent, argument: str | None = None) -> Texts:
    """Ports of a service."""
    found = [one.get("port") for one in objects(at(requested(event), "spec", "ports"))]
    return texts(found if argument is None else found[int(argument) :][:1])


@field("ka.req.service.node_ports", FieldType.CHARBUF, Multiplicity.LIST)
def service_node_ports(event: AuditEvent) -> Texts:
    """Ports that a service opens on every node."""
    return texts([one.get("nodePort") for one in objects(at(requested(event), "spec", "ports"))])


@field("ka.req.service.external_ips", FieldType.CHARBUF, Multiplicity.LIST)
def service_external_ips(event: AuditEvent) -> Texts:
    """Addresses outside of the cluster that a service takes."""
    return texts(at(requested(event), "spec", "externalIPs"))


@field("ka.req.networkpolicy.allows_all", FieldType.BOOL)
def networkpolicy_allows_all(event: AuditEvent) -> bool | None:
    """Whether a network policy lets everything in or out: one of its rules is empty."""
    if at(event.audit, "objectRef", "resource") != "networkpolicies":
        return None
    spec = at(requested(event), "spec")
    if spec.__class__ is not dict:
        return None
    rules = [*objects(spec.get("ingress")), *objects(spec.get("egress"))]
    return any(not any(one.get(key) for key in ("from", "to", "ports")) for one in rules)
