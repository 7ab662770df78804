"""Events of a cluster that is made up, for what is learnt of them."""

from __future__ import annotations

import itertools
from typing import Any

from hullwatch.rules.audit_cases import completed

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
MONDAY = 1_763_337_600 * SECOND  # 2025-11-17T00:00:00Z
_numbers = itertools.count(1)


def call(
    moment: int, user: str | dict[str, Any] = "alice", verb: str = "get", resource: str = "pods", **more: Any
) -> dict[str, Any]:
    """Return a call at a time, ns since the epoch."""
    written: dict[str, Any] = {
        "verb": verb,
        "user": {"username": user} if isinstance(user, str) else user,
        "userAgent": "kubectl/v1.32.4 (linux/amd64)",
        "sourceIPs": ["10.1.1.5"],
        "objectRef": {"resource": resource, "namespace": "shop", "name": "web"},
    }
    return completed(written | more, next(_numbers), moment)


def deployment(moment: int, image: str = "registry.example/web:1", **more: Any) -> dict[str, Any]:
    """Return a call that writes a deployment."""
    spec = {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}
    whole = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    return call(moment, verb="create", resource="deployments", **({"requestObject": whole} | more))
