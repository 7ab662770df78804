"""Openings that are added or widened, and their authors."""

from __future__ import annotations

from typing import Any

import pytest

from hullwatch.posture.exposure_changes import ExposureChange, exposure_changes
from tests.posture.events import wrote
from tests.posture.exposed import made
from tests.posture.made import cluster, real_log


def service(**spec: Any) -> dict[str, Any]:
    return made({"service": {"selector": {"app": "web"}, "ports": [{"port": 80, "nodePort": 30080}]} | spec})


def found(*events: dict[str, Any]) -> list[ExposureChange]:
    return list(exposure_changes(events))


INSIDE, OUTSIDE = service(type="ClusterIP"), service(type="NodePort")
LIMITED = service(type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/24"])
EVERYWHERE = service(type="LoadBalancer")
TWO_PORTS = service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}, {"port": 9, "nodePort": 30009}])
HOST_PORT = made({"deployment": {"containers": [{"ports": [{"containerPort": 1, "hostPort": 8080}]}]}})


def ingress(*hosts: str, tls: bool = True) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    spec: dict[str, Any] = {"rules": [{"host": host, "http": {"paths": [{"backend": backend}]}} for host in hosts]}
    return made({"ingress": spec | ({"tls": [{"hosts": list(hosts)}]} if tls else {})})


@pytest.mark.parametrize(
    ("before", "after", "change", "what"),
    [
        (None, OUTSIDE, "added", "NodePort TCP 30080"),
        (INSIDE, OUTSIDE, "added", "NodePort TCP 30080"),
        (
            OUTSIDE,
            service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}, {"port": 9, "nodePort": 30009}]),
            "widened",
            "NodePort TCP 30009",
        ),
        (LIMITED, EVERYWHERE, "widened", "LoadBalancer from everywhere"),
        (INSIDE, service(externalIPs=["198.51.100.7"]), "added", "external IP at 198.51.100.7"),
        (ingress("a.example"), ingress("a.example", "b.example"), "widened", "Ingress for b.example"),
        (ingress("a.example"), ingress("a.example", tls=False), "widened", "Ingress without TLS"),
        (made("deployment"), made({"deployment": {"hostNetwork": True}}), "added", "hostNetwork"),
        (
            None,
            made({"deployment": {"containers": [{"ports": [{"containerPort": 1, "hostPort": 8080}]}]}}),
            "added",
            "hostPort TCP 8080",
        ),
    ],
)
def test_what_is_added_or_widened_is_told(before: Any, after: Any, change: str, what: str) -> None:
    events = [] if before is None else [wrote("create", before)]
    *_, last = found(*events, wrote("create" if before is None else "update", after, by="mallory"))
    assert (last.change, last.by.user, last.severity) == (change, "mallory", "medium")
    assert what in last.what
    assert last.sentence.startswith("mallory opened")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OUTSIDE, OUTSIDE),
        (OUTSIDE, INSIDE),
        (EVERYWHERE, LIMITED),
        (LIMITED, service(type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.128/25"])),
        (ingress("a.example", "b.example"), ingress("a.example")),
        (ingress("*.example"), ingress("a.example")),
    ],
)
def test_what_stays_or_is_narrowed_is_not_told(before: Any, after: Any) -> None:
    assert len(found(wrote("create", before), wrote("update", after))) == 1


def test_a_name_that_leads_outside_and_a_load_balancer_of_the_own_network_are_low() -> None:
    name = made({"service": {"type": "ExternalName", "externalName": "db.example"}})
    inside = service(type="LoadBalancer", ports=[{"port": 80}])
    inside["metadata"] |= {"annotations": {"networking.gke.io/load-balancer-type": "Internal"}}
    assert [one.severity for one in found(wrote("create", name))] == ["low"]
    assert [one.severity for one in found(wrote("create", inside))] == ["low"]
    *_, wider = found(wrote("create", inside), wrote("update", service(type="LoadBalancer", ports=[{"port": 80}])))
    assert (wider.severity, wider.change) == ("medium", "widened")


def test_what_was_before_the_log_is_told_as_not_known_unless_it_is_handed_in() -> None:
    event = wrote("update", OUTSIDE)
    assert [one.change for one in found(event)] == ["unknown"]
    assert [one.change for one in exposure_changes([event], cluster(INSIDE))] == ["added"]
    assert list(exposure_changes([event], cluster(OUTSIDE))) == []


def test_a_node_port_that_was_given_when_the_service_was_made_is_not_opened_by_a_later_change() -> None:
    asked = service(type="LoadBalancer", ports=[{"port": 80}])  # a request does not tell the node port
    ports = [{"port": 80, "nodePort": 30080}, {"port": 22, "nodePort": 30022}]
    *_, wider = found(wrote("create", asked), wrote("patch", service(type="LoadBalancer", ports=ports)))
    assert wider.what == ("LoadBalancer TCP 22", "NodePort TCP 30022")
    without = service(type="LoadBalancer", ports=[{"port": 80}], allocateLoadBalancerNodePorts=False)
    *_, given = found(wrote("create", without), wrote("patch", service(type="LoadBalancer", ports=ports[:1])))
    assert given.what == ("NodePort TCP 30080",)
    inside = service(type="ClusterIP", ports=[{"port": 80}])
    *_, added = found(wrote("create", inside), wrote("patch", service(type="NodePort", ports=ports[:1])))
    assert added.what == ("NodePort TCP 30080",)


def test_a_level_that_does_not_tell_is_told() -> None:
    (change,) = found(wrote("update", OUTSIDE, level="Metadata"))
    assert change.what == ("the log has the level Metadata, which does not tell",)
    assert found(wrote("update", made("deployment"), level="Metadata")) == []  # opens nothing as a rule


def test_a_pod_of_a_workload_is_told_with_that_also_where_the_log_does_not_name_it() -> None:
    ours = made({"pod": {"hostNetwork": True}})
    nameless = ours | {"metadata": {**ours["metadata"], "name": None, "generateName": "web-5d8f-"}}
    event: dict[str, Any] = wrote("create", ours) | {"level": "Request", "requestObject": nameless}
    del event["responseObject"], event["objectRef"]["name"]
    assert found(event) == []
    event["requestObject"] = nameless | {"metadata": {"generateName": "web-"}}
    assert [one.change for one in found(event)] == ["unknown"]


def test_what_names_no_namespace_stands_in_that_of_the_request() -> None:
    event = wrote("create", service(type="NodePort", ports=[{"port": 80}]), level="Request")
    body = event["requestObject"]
    event["requestObject"] = body | {"metadata": {"name": "web"}}  # as kubectl run and expose send it
    assert [(one.namespace, one.name, one.change) for one in found(event)] == [("shop", "web", "added")]


def test_pods_that_a_workload_makes_are_told_once_with_the_workload() -> None:
    spec = {"hostNetwork": True}
    events = [wrote("create", made({"deployment": spec})), wrote("create", made({"pod": spec}), by="a-controller")]
    assert [one.kind for one in found(*events)] == ["Deployment"]


def test_a_network_policy_that_goes_or_lets_more_in_is_told_and_a_new_one_is_not() -> None:
    closed = made({"policy": {"podSelector": {}, "policyTypes": ["Ingress"]}})
    wider = made({"policy": {"podSelector": {}, "ingress": [{}]}})
    assert found(wrote("create", closed)) == []
    assert [one.change for one in found(wrote("create", closed), wrote("update", wider))] == ["widened"]
    assert [one.change for one in found(wrote("create", closed), wrote("delete", closed))] == ["widened"]


def test_trials_failures_and_status_are_not_told() -> None:
    assert found(wrote("create", OUTSIDE, requestURI="/services?dryRun=All")) == []
    assert found(wrote("create", OUTSIDE, responseStatus={"code": 403})) == []
    status = wrote("update", OUTSIDE)
    status["objectRef"]["subresource"] = "status"
    assert found(status) == []


def test_the_real_log_tells_who_put_a_pod_on_the_hosts_network() -> None:
    (change,) = found(*real_log())
    assert (change.by.user, change.kind, change.name, change.what) == ("admin", "Pod", "evil", ("hostNetwork",))
    assert change.by.addresses == ("127.0.0.1",)


@pytest.mark.parametrize("junk", [5, None, [], "x", [5]])
@pytest.mark.parametrize("key", ["objectRef", "responseObject", "requestObject", "user", "responseStatus", "level"])
def test_wrong_types_break_nothing(junk: object, key: str) -> None:
    found(wrote("create", INSIDE), wrote("update", OUTSIDE) | {key: junk})
