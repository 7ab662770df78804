"""What is open to the outside and what lies behind it: a table of objects and what is found."""

from __future__ import annotations

from typing import Any

import pytest

from hullwatch.posture.audit_state import AuditState
from hullwatch.posture.connections import Connection, classify
from hullwatch.posture.exposure import Exposure, find_exposure
from hullwatch.posture.rights import Rights
from hullwatch.posture.risks import find_risks
from tests.posture.exposed import made
from tests.posture.made import binding, cases, cluster, real_log, role, rule

CASES = cases("exposure")
NODE_PORT = {"service": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "nodePort": 30080}]}}


def exposed(*objects: Any, connections: tuple[Connection, ...] = ()) -> list[Exposure]:
    inventory = cluster(*objects)
    return find_exposure(inventory, find_risks(Rights(inventory)), connections)


@pytest.mark.parametrize("case", CASES, ids=[one["case"] for one in CASES])
def test_what_is_open_is_found_with_what_lies_behind(case: dict[str, Any]) -> None:
    objects: list[Any] = [made(one) for one in case["objects"]]
    for number, (whom, verbs, resources, group, names, where) in enumerate(case.get("grants", ())):
        given = rule(verbs, resources, group, names)
        objects += [role(f"r{number}", given), binding(f"b{number}", f"r{number}", whom, namespace=where)]
    found = exposed(*objects)
    told = [
        [one.severity, one.opening.way, list(one.opening.ports), [each.workload.words for each in one.backends]]
        for one in found
    ]
    assert sorted(told) == sorted(case["found"])
    said = [sentence for one in found for sentence in (*one.reasons, *one.remarks)]
    for sentence in case.get("says", ()):
        assert sentence in said


def test_a_database_that_a_sensor_saw_a_pod_reach_is_behind_the_opening() -> None:
    seen = (
        Connection("shop", "web-5d8f-x", "10.0.0.9", 5432, "postgres-0.db.svc.cluster.local"),
        Connection("shop", "other", "10.0.0.9", 6379),
        Connection("shop", "web-5d8f-x", "192.0.2.1", 443),
    )
    (found,) = exposed(made(NODE_PORT), made("pod"), connections=seen)
    assert found.severity == "high"
    assert [one.what for one in found.backends[0].reached] == ["PostgreSQL"]


@pytest.mark.parametrize(
    ("name", "port", "what"),
    [
        ("", 8200, "Vault"),
        ("vault.internal.example", 443, "Vault"),
        ("db1.abc.eu-west-1.rds.amazonaws.com", 5439, "Amazon RDS"),
        ("redis-master.cache.svc", 16379, "Redis"),
        ("mysql3.example", 3307, "MySQL"),
        ("www.example.com", 443, None),
        ("redistribution.example.com", 443, None),
        ("", 443, None),
    ],
)
def test_databases_and_vaults_are_known_by_name_or_port(name: str, port: int, what: str | None) -> None:
    found = classify(Connection("shop", "web", "192.0.2.1", port, name))
    assert (found.what if found else None) == what


@pytest.mark.parametrize(
    ("spec", "leaves"),
    [
        ({"containers": [{"securityContext": {"privileged": True}}]}, True),
        ({"initContainers": [{"securityContext": {"privileged": True}}]}, True),
        ({"containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}, True),
        ({"containers": [{"securityContext": {"capabilities": {"add": ["CAP_SYS_PTRACE"]}}}]}, False),
        ({"hostPID": True, "containers": [{"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}}]}, True),
        ({"hostNetwork": True}, False),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, False),
        (
            {"volumes": [{"name": "v", "hostPath": {"path": "/"}}], "containers": [{"volumeMounts": [{"name": "v"}]}]},
            True,
        ),
        (
            {
                "volumes": [{"name": "v", "hostPath": {"path": "/var/log"}}],
                "containers": [{"volumeMounts": [{"name": "v", "readOnly": True}]}],
            },
            False,
        ),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/run/containerd/containerd.sock"}}]}, True),
        (
            {
                "volumes": [{"name": "v", "hostPath": {"path": "/data"}}],
                "containers": [{"volumeMounts": [{"name": "v"}]}],
            },
            False,
        ),
    ],
)
def test_a_pod_leaves_its_container_when_root_in_it_is_root_on_the_node(spec: dict[str, Any], *, leaves: bool) -> None:
    opened = next(one for one in exposed(made(NODE_PORT), made({"pod": spec})) if one.opening.way == "NodePort")
    assert opened.backends[0].leaves_container is leaves


def test_the_token_of_the_own_account_is_no_secret_that_a_pod_is_given() -> None:
    mounts = [{"name": "t", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}, {"name": "c"}]
    volumes = [{"name": "t", "secret": {"secretName": "web-token-x"}}, {"name": "c", "secret": {"secretName": "c"}}]
    (found,) = exposed(made(NODE_PORT), made({"pod": {"containers": [{"volumeMounts": mounts}], "volumes": volumes}}))
    assert found.backends[0].secrets == ("c",)


def test_secrets_are_found_wherever_a_pod_is_given_them() -> None:
    spec = {
        "containers": [
            {"env": [{"valueFrom": {"secretKeyRef": {"name": "a"}}}], "envFrom": [{"secretRef": {"name": "b"}}]}
        ],
        "volumes": [
            {"secret": {"secretName": "c"}},
            {"projected": {"sources": [{"secret": {"name": "d"}}]}},
            {"csi": {"volumeAttributes": {"secretProviderClass": "e"}}},
        ],
    }
    (found,) = exposed(made(NODE_PORT), made({"pod": spec}))
    assert found.backends[0].secrets == ("b", "a", "c", "d", "provider:e")


@pytest.mark.parametrize(
    ("annotations", "internal"),
    [
        ({"service.beta.kubernetes.io/aws-load-balancer-internal": "true"}, True),
        ({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}, True),
        ({"networking.gke.io/load-balancer-type": "Internal"}, True),
        ({"service.beta.kubernetes.io/azure-load-balancer-internal": "false"}, False),
        ({}, False),
    ],
)
def test_a_load_balancer_of_the_clouds_own_network_is_told(annotations: dict[str, str], *, internal: bool) -> None:
    service = made({"service": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}})
    service["metadata"]["annotations"] = annotations
    (found,) = exposed(service, made("pod"))
    assert found.opening.internal is internal


def test_a_reference_grant_lets_a_route_into_another_namespace() -> None:
    gateway = made({"gateway": {"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}})
    route = made(
        {"route": {"parentRefs": [{"name": "web"}], "rules": [{"backendRefs": [{"name": "x", "namespace": "other"}]}]}}
    )
    grant = {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "g", "namespace": "other"},
        "spec": {"from": [{"kind": "HTTPRoute", "namespace": "shop"}], "to": [{"kind": "Service"}]},
    }
    found = exposed(gateway, route, grant)
    (opened,) = [one for one in found if one.opening.kind == "HTTPRoute"]
    assert opened.remarks == ("Service other/x is not there: whoever makes it gets the requests.",)


@pytest.mark.parametrize(
    ("allowed", "open_"),
    [
        (None, False),
        ({"from": "Same"}, False),
        ({"from": "All"}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}, True),
    ],
)
def test_a_gateway_of_another_namespace_decides_whose_routes_hang_on_it(allowed: Any, *, open_: bool) -> None:
    listener: dict[str, Any] = {"name": "http", "port": 80, "protocol": "HTTP"}
    if allowed is not None:
        listener["allowedRoutes"] = {"namespaces": allowed}
    gateway = made({"gateway": {"listeners": [listener]}})
    gateway["metadata"]["namespace"] = "infra"
    route = made({"route": {"parentRefs": [{"name": "web", "namespace": "infra"}], "rules": []}})
    assert any(one.opening.kind == "HTTPRoute" for one in exposed(gateway, route)) is open_


def test_the_real_log_has_the_pod_on_the_hosts_network() -> None:
    state = AuditState()
    state.follow(real_log())
    (found,) = find_exposure(state.inventory)
    assert (found.opening.words, found.opening.way, found.severity) == ("Pod kube-system/evil", "hostNetwork", "high")


@pytest.mark.parametrize("junk", [5, None, "x", [], [5], {"a": [5]}])
@pytest.mark.parametrize("kind", ["service", "ingress", "policy", "gateway", "route", "pod", "deployment", "endpoints"])
def test_wrong_types_break_nothing(junk: object, kind: str) -> None:
    exposed(
        made({kind: junk}),
        made(NODE_PORT),
        made("pod"),
        made({kind: {"rules": junk, "ports": junk, "listeners": junk}}),
    )
