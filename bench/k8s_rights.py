"""Rights and exposure of a large cluster that is made up: 5,000 roles, 20,000 bindings, 50,000 pods, 2,000 services."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.benchmark import Value, benchmark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.benchmark import Run, Sample
    from hullwatch.posture.plain import Plain

RBAC = "rbac.authorization.k8s.io/v1"
NAMESPACES = 500
_RESOURCES = ("pods", "configmaps", "services", "secrets", "pods/log", "endpoints", "events", "persistentvolumeclaims")
_VERBS = (["get", "list", "watch"], ["get"], ["create", "update", "patch", "delete"], ["get", "list"])
_STEPS = (
    Value("k8s.rbac.load", "s", "objects of 50,000 pods, 5,000 roles and 20,000 bindings to rights"),
    Value("k8s.rbac.who_can", "s", "who may list secrets there"),
    Value("k8s.rbac.risks", "s", "all dangerous rights there"),
    Value("k8s.rbac.paths", "s", "all shortest ways to all rights there"),
    Value("k8s.rbac.exposure", "s", "2,000 services of it and what lies behind them"),
)


def cluster(scale: float = 1.0) -> Iterator[Plain]:
    """Return the objects of a made-up cluster; the same scale always gives the same ones."""
    namespaces = max(2, int(NAMESPACES * scale))
    for number in range(int(5_000 * scale)):
        yield _role(number, namespaces)
    for number in range(int(20_000 * scale)):
        yield _binding(number, int(5_000 * scale), namespaces)
    for number in range(int(50_000 * scale)):
        yield _pod(number, namespaces)
    for number in range(int(2_000 * scale)):
        yield _service(number, namespaces)


def _role(number: int, namespaces: int) -> Plain:
    inside = number % 5 != 0
    metadata = {"name": f"role-{number}"} | ({"namespace": f"team-{number % namespaces}"} if inside else {})
    rules = [
        {
            "apiGroups": [""],
            "resources": [_RESOURCES[(number + place) % len(_RESOURCES)], _RESOURCES[number * place % len(_RESOURCES)]],
            "verbs": _VERBS[(number + place) % len(_VERBS)],
        }
        for place in range(1 + number % 6)
    ]
    rules.append({"apiGroups": [f"team{number % 50}.example"], "resources": [f"things{number}"], "verbs": ["get"]})
    return {"apiVersion": RBAC, "kind": "Role" if inside else "ClusterRole", "metadata": metadata, "rules": rules}


def _binding(number: int, roles: int, namespaces: int) -> Plain:
    role = number * 7 % roles
    inside = role % 5 != 0 or number % 3 != 0
    namespace = f"team-{role % namespaces}" if role % 5 else f"team-{number % namespaces}"
    metadata = {"name": f"binding-{number}"} | ({"namespace": namespace} if inside else {})
    account = {"kind": "ServiceAccount", "name": f"account-{number % 20}", "namespace": f"team-{number % namespaces}"}
    return {
        "apiVersion": RBAC,
        "kind": "RoleBinding" if inside else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"kind": "Role" if role % 5 else "ClusterRole", "name": f"role-{role}"},
        "subjects": [account, {"kind": "User", "name": f"user-{number % 3000}"}],
    }


def _pod(number: int, namespaces: int) -> Plain:
    app, namespace = f"app-{number % 40}", f"team-{number % namespaces}"
    container = {
        "name": "main",
        "image": f"registry.example/{app}:1",
        "ports": [{"containerPort": 8080}],
        "envFrom": [{"secretRef": {"name": app}}],
    }
    privileged = {"securityContext": {"privileged": number % 500 == 0}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{app}-{number}",
            "namespace": namespace,
            "labels": {"app": app, "pod-template-hash": "6d5f9"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{app}-6d5f9", "controller": True}],
        },
        "spec": {
            "serviceAccountName": f"account-{number % 20}",
            "nodeName": f"node-{number % 1000}",
            "containers": [container | privileged],
        },
    }


def _service(number: int, namespaces: int) -> Plain:
    spec = {
        "type": ("NodePort", "LoadBalancer", "ClusterIP")[number % 3],
        "selector": {"app": f"app-{number % 40}"},
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30000 + number % 2768}],
    }
    metadata = {"name": f"service-{number}", "namespace": f"team-{number % namespaces}"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


@benchmark(*_STEPS, runs=2, limit=6.0)
def rights_of_a_large_cluster(run: Run) -> Iterator[Sample]:
    """Measure each step of what the verbs of ``hullwatch k8s`` do, by CPU time."""
    from hullwatch.posture.exposure import find_exposure
    from hullwatch.posture.inventory import Inventory
    from hullwatch.posture.paths import ADMIN, Paths
    from hullwatch.posture.resources import Request
    from hullwatch.posture.rights import Rights
    from hullwatch.posture.risks import find_risks

    objects = list(cluster(0.02 if run.quick else 1.0))
    while True:
        sample: Sample = {}
        begin = time.process_time()
        inventory = Inventory(objects)
        rights = Rights(inventory)
        sample["k8s.rbac.load"], begin = time.process_time() - begin, time.process_time()
        list(rights.who_can(Request("list", "", "secrets"), namespaced=True))
        sample["k8s.rbac.who_can"], begin = time.process_time() - begin, time.process_time()
        findings = find_risks(rights, inventory)
        sample["k8s.rbac.risks"], begin = time.process_time() - begin, time.process_time()
        paths = Paths(rights, findings, inventory, {})
        paths.ways(ADMIN)
        sample["k8s.rbac.paths"], begin = time.process_time() - begin, time.process_time()
        find_exposure(inventory, findings)
        sample["k8s.rbac.exposure"] = time.process_time() - begin
        yield sample
