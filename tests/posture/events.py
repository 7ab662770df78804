"""Events of an audit log as tests write them down."""

from __future__ import annotations

from typing import Any

from hullwatch.posture.inventory import KINDS, kind_key
from hullwatch.posture.resources import built_in

_RESOURCES = {kind_key(one.kind, f"{one.group}/v1"): one for found in built_in().values() for one in found}


def wrote(
    verb: str, plain: dict[str, Any], by: str = "admin", level: str = "RequestResponse", **more: Any
) -> dict[str, Any]:
    """Somebody creates, updates, patches or deletes an object, and the API server answers with it."""
    kind = kind_key(plain["kind"], plain["apiVersion"])
    resource = _RESOURCES[kind]
    metadata = plain["metadata"]
    reference = {"resource": resource.name, "apiGroup": resource.group, "name": metadata["name"]}
    if KINDS[kind]:
        reference["namespace"] = metadata.get("namespace", "default")
    bodies: dict[str, Any] = {}
    if level in {"Request", "RequestResponse"} and verb != "delete":
        bodies["requestObject"] = plain
    if level == "RequestResponse" and verb != "delete":
        bodies["responseObject"] = plain
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": f"{verb}-{metadata['name']}",
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": f"/{resource.name}",
        "user": {"username": by, "groups": ["system:authenticated"]},
        "sourceIPs": ["192.0.2.7"],
        "userAgent": "kubectl/v1.32",
        "objectRef": reference,
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-21T21:35:05.000000Z",
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **bodies,
    } | more
