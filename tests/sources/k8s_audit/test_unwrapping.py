"""Whatever audit events are wrapped in comes out as the same events, and what is none is counted."""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.sources.k8s_audit import counts as reasons
from hullwatch.sources.k8s_audit.counts import OTHER_SERVICE, IntakeCounts
from hullwatch.sources.k8s_audit.documents import documents
from hullwatch.sources.k8s_audit.payload import unpack
from hullwatch.sources.k8s_audit.unwrapping import unwrap
from hullwatch.sources.unpacking import TooMuchError
from tests.sources.k8s_audit import wrapped

EVENTS = [wrapped.event(number) for number in range(3)]


def lines(values: list[Any]) -> bytes:
    return "\n".join(wrapped.text(one) for one in values).encode()


def encode(value: Any) -> bytes:
    return wrapped.text(value).encode()


WRAPPERS: dict[str, tuple[bytes, str, str]] = {
    "lines": (lines(EVENTS), "native", ""),
    "EventList": (encode(wrapped.event_list(EVENTS)), "native", ""),
    "array": (encode(EVENTS), "native", ""),
    "indented": (json.dumps(EVENTS, indent=2).encode(), "native", ""),
    "gzip": (gzip.compress(lines(EVENTS[:2])) + gzip.compress(b"\n" + lines(EVENTS[2:])), "native", ""),
    "the output of a container, Docker": (
        lines([{"log": wrapped.text(one) + "\n", "stream": "stdout", "time": "t"} for one in EVENTS]),
        "native",
        "",
    ),
    "the output of a container, CRI": (
        b"\n".join(b"2026-11-21T21:36:00.5+01:00 stdout F " + encode(one) for one in EVENTS),
        "native",
        "",
    ),
    "EKS, subscription": (encode(wrapped.subscription(EVENTS)), "eks", wrapped.CLUSTER),
    "EKS, Lambda": (
        encode({"awslogs": {"data": wrapped.packed(wrapped.subscription(EVENTS))}}),
        "eks",
        wrapped.CLUSTER,
    ),
    "EKS, Kinesis": (encode(wrapped.kinesis(EVENTS)), "eks", wrapped.CLUSTER),
    "EKS, record of Kinesis": (gzip.compress(encode(wrapped.subscription(EVENTS))), "eks", wrapped.CLUSTER),
    "EKS, Firehose": (encode(wrapped.firehose(EVENTS)), "eks", wrapped.CLUSTER),
    "EKS, files of Firehose": (
        b"".join(encode(wrapped.subscription([one])) for one in EVENTS),
        "eks",
        wrapped.CLUSTER,
    ),
    "EKS, FilterLogEvents": (encode(wrapped.filtered(EVENTS)), "eks", ""),
    "EKS, export": (b"\n".join(b"2026-11-21T21:36:00.000Z " + encode(one) for one in EVENTS), "native", ""),
    "AKS, Event Hub": (encode(wrapped.event_hub(EVENTS)), "aks", wrapped.CLUSTER),
    "AKS, objects": (encode(wrapped.event_hub(EVENTS, as_object=True)), "aks", wrapped.CLUSTER),
    "AKS, admin": (encode(wrapped.event_hub(EVENTS, category="kube-audit-admin")), "aks", wrapped.CLUSTER),
    "AKS, storage": (lines(wrapped.event_hub(EVENTS)["records"]), "aks", wrapped.CLUSTER),
    "AKS, AzureDiagnostics": (lines(wrapped.diagnostics(EVENTS)), "aks", wrapped.CLUSTER),
    "AKS, AKSAudit": (lines(wrapped.audit_rows(EVENTS)), "aks", wrapped.CLUSTER),
    "AKS, AKSAudit as texts": (encode(wrapped.audit_rows(EVENTS, as_text=True)), "aks", wrapped.CLUSTER),
    "AKS, query": (encode(wrapped.query_answer(EVENTS)), "aks", wrapped.CLUSTER),
}


def read(data: bytes, counts: IntakeCounts) -> list[tuple[dict[str, Any], str, str]]:
    return [(event, o.wrapper, o.cluster) for event, o in unwrap(documents(io.BytesIO(data), counts), counts)]


@pytest.mark.parametrize("name", WRAPPERS)
def test_every_wrapper_gives_the_events_unchanged_with_where_they_came_from(name: str) -> None:
    data, wrapper, cluster = WRAPPERS[name]
    counts = IntakeCounts()
    assert read(data, counts) == [(event, wrapper, cluster) for event in EVENTS]
    assert counts == IntakeCounts(events={wrapper: 3})


def test_what_comes_in_a_body_is_unwrapped_as_what_comes_in_a_file() -> None:
    for name, (data, _, _) in WRAPPERS.items():
        counts = IntakeCounts()
        assert [event for event, _ in unwrap([data], counts)] == EVENTS, name
        assert not counts.left_out


LEFT_OUT: dict[str, tuple[bytes, str]] = {
    "a control message": (encode({"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "x"}]}), reasons.CONTROL),
    "another stream": (encode(wrapped.subscription(EVENTS[:1], stream="authenticator-1")), reasons.OTHER_STREAM),
    "another category": (encode(wrapped.event_hub(EVENTS[:1], category="guard")), reasons.OTHER_CATEGORY),
    "klog in a record": (
        encode(
            {
                "records": [
                    {
                        **wrapped.event_hub(EVENTS[:1])["records"][0],
                        "properties": {"log": "I1121 21:36:00.1 1 x.go:1] {hi"},
                    }
                ]
            }
        ),
        reasons.KLOG,
    ),
    "a line of klog": (b"E1121 21:36:00.123456       1 controller.go:1] failed {}", reasons.KLOG),
    "text": (b"hello", reasons.NOT_JSON),
    "half an event": (encode(EVENTS[0])[:200], reasons.TRUNCATED),
    "another object": (b'{"kind":"Pod"}', reasons.NO_EVENT),
    "a number": (b"17", reasons.NO_EVENT),
    "no time": (encode({"kind": "Event", "auditID": "x"}), reasons.NO_TIME),
    "an event of the core API": (b'{"kind":"Event","apiVersion":"v1","reason":"Pulled"}', reasons.NO_EVENT),
    "no base64": (encode({"awslogs": {"data": "*"}}), reasons.DAMAGED),
    "half of gzip": (
        encode({"awslogs": {"data": wrapped.packed(EVENTS)[:40]}}),
        reasons.DAMAGED,
    ),
    "a deep wrapper": (b"[" * 30 + b"]" * 30, reasons.TOO_DEEP),
    "too deep to be read": (b"[" * 100_000, reasons.NOT_JSON),
    "a container's log": (encode({"log": "x", "kubernetes": {"pod_name": "p"}}), reasons.CONTAINER_LOG),
    "an event that a container wrote, merged": (
        encode(EVENTS[0] | {"kubernetes": {"pod_name": "p"}, "stream": "stdout"}),
        reasons.CONTAINER_LOG,
    ),
    "an event that a container wrote, in CloudWatch": (
        encode(wrapped.subscription(EVENTS[:1]) | {"logGroup": "/aws/containerinsights/c/application"}),
        reasons.CONTAINER_LOG,
    ),
    "an event that a container wrote, in Azure": (
        encode({"records": [{"LogMessage": EVENTS[0], "PodName": "p", "kind": "Event", "verb": "get"}]}),
        reasons.CONTAINER_LOG,
    ),
    "an event that a container wrote, in Google's cloud": (
        encode({"logName": "l", "resource": {"type": "k8s_container"}, "jsonPayload": EVENTS[0], "entries": EVENTS}),
        reasons.CONTAINER_LOG,
    ),
    "another service": (encode(wrapped.cloudtrail() | {"eventSource": "s3.amazonaws.com"}), reasons.OTHER_SERVICE),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_no_event_is_counted_with_its_reason_and_what_follows_is_read(name: str) -> None:
    data, reason = LEFT_OUT[name]
    counts = IntakeCounts()
    found = [event for event, _ in unwrap([data, encode(EVENTS[1])], counts)]
    assert found == EVENTS[1:2]
    assert counts.left_out == {reason: 1}


def test_events_that_the_carrier_has_cut_are_named() -> None:
    cut = wrapped.text(EVENTS[1])[:200] + "[Truncated...]"
    counts = IntakeCounts()
    payload = wrapped.subscription([], messages=[wrapped.text(EVENTS[0]), cut, wrapped.text(EVENTS[2])])
    assert [event for event, _ in unwrap([encode(payload), cut.encode()], counts)] == [EVENTS[0], EVENTS[2]]
    assert counts.left_out == {reasons.TRUNCATED: 2}
    assert counts.truncated == [EVENTS[1]["auditID"]] * 2


def test_a_first_line_that_is_broken_costs_no_other_line() -> None:
    counts = IntakeCounts()
    assert len(read(b'{"kind":\n' + lines(EVENTS), counts)) == 3
    assert counts.left_out == {reasons.TRUNCATED: 1}


def test_a_damaged_file_is_read_as_far_as_it_goes() -> None:
    packed = gzip.compress(lines(EVENTS * 500), 0)
    counts = IntakeCounts()
    assert len(read(packed[: len(packed) // 2], counts)) > 100
    assert counts.left_out[reasons.DAMAGED] == 1


def test_a_line_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.sources.k8s_audit.documents.LONGEST_LINE", 1000)
    long = wrapped.event(requestObject="x" * 5000)
    counts = IntakeCounts()
    assert [event for event, _, _ in read(lines([*EVENTS, long, *EVENTS]), counts)] == EVENTS * 2
    assert counts.left_out == {reasons.TOO_LARGE: 1}


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(TooMuchError, match="more than 9999 bytes"):
        unpack(gzip.compress(b"\0" * 10_000), 9_999)
    assert unpack(gzip.compress(b"\0" * 10_000), 10_000) == b"\0" * 10_000


def test_a_document_of_many_bombs_is_unpacked_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.sources.k8s_audit.unwrapping.MOST_ROOM", 2_500)
    bombs = encode({"records": [{"data": wrapped.packed(" " * 1000)}] * 3})
    counts = IntakeCounts(room=2_500)
    assert not list(unwrap([bombs, bombs], counts))
    assert counts.left_out[reasons.TOO_LARGE] == 2


def gke(event: dict[str, Any]) -> dict[str, Any]:
    counts = IntakeCounts()
    ((found, origin),) = unwrap([encode(wrapped.pushed(event))], counts)
    assert origin == ("gke", wrapped.CLUSTER)
    return found


def test_an_entry_of_google_becomes_a_native_event() -> None:
    found = gke(EVENTS[0])
    assert found["objectRef"] == EVENTS[0]["objectRef"]
    for key in (
        "auditID",
        "stage",
        "verb",
        "sourceIPs",
        "userAgent",
        "responseStatus",
        "stageTimestamp",
        "annotations",
    ):
        assert found[key] == EVENTS[0][key], key
    assert found["user"] == {"username": "admin", "groups": ["system:authenticated"]}
    assert found["requestURI"] == "/api/v1/namespaces/shop/pods/ok/exec"
    assert found["hullwatch"]["cluster"] == wrapped.CLUSTER


@pytest.mark.parametrize(
    ("about", "uri"),
    [
        ({"resource": "clusterroles", "name": "wild", "apiGroup": "rbac.authorization.k8s.io", "apiVersion": "v1"},
         "/apis/rbac.authorization.k8s.io/v1/clusterroles/wild"),
        ({"resource": "namespaces", "namespace": "shop", "name": "shop", "apiVersion": "v1"},
         "/api/v1/namespaces/shop"),
        ({"resource": "pods", "namespace": "shop", "apiVersion": "v1"}, "/api/v1/namespaces/shop/pods"),
        ({"resource": "secrets", "apiVersion": "v1"}, "/api/v1/secrets"),
        ({"resource": "leases", "namespace": "x", "name": "y", "apiGroup": "coordination.k8s.io",
          "apiVersion": "v1beta1"},
         "/apis/coordination.k8s.io/v1beta1/namespaces/x/leases/y"),
    ],
)  # fmt: skip
def test_names_of_google_are_taken_apart(about: dict[str, str], uri: str) -> None:
    found = gke(wrapped.event(objectRef=about, verb="create"))
    assert found["objectRef"] == about
    assert found["requestURI"] == uri
    assert found["verb"] == "create"


def test_a_request_of_google_for_what_is_no_resource_has_its_path() -> None:
    event = wrapped.event(requestURI="/readyz?verbose")
    del event["objectRef"]
    found = gke(event)
    assert (found["requestURI"], found["verb"]) == ("/readyz", "get")
    assert "objectRef" not in found


STATUS: list[tuple[dict[str, Any], int]] = [
    ({}, 200),
    ({"verb": "create", "objectRef": {"resource": "pods", "apiVersion": "v1"}}, 201),
    ({"responseStatus": {"code": 403}}, 403),
    ({"responseStatus": {"code": 404}}, 404),
    ({"annotations": {"authorization.k8s.io/decision": "forbid"}}, 403),
    ({"responseObject": {"kind": "Status", "code": 422}}, 422),
    ({"responseObject": {"kind": "Widget", "code": 422}}, 200),
]


@pytest.mark.parametrize(("changes", "code"), STATUS)
def test_the_status_that_google_does_not_tell_is_found_from_the_rest(changes: dict[str, Any], code: int) -> None:
    pod = {"resource": "pods", "namespace": "shop", "name": "ok", "apiVersion": "v1"}
    assert gke(wrapped.event() | {"objectRef": pod} | changes)["responseStatus"]["code"] == code


def test_a_request_that_google_does_not_say_was_granted_was_refused() -> None:
    entry = wrapped.log_entry(EVENTS[0])
    entry["labels"] = {}
    del entry["protoPayload"]["authorizationInfo"][0]["granted"]
    ((found, _),) = unwrap([encode(entry)], IntakeCounts())
    assert cast("Any", found)["responseStatus"]["code"] == 403


CLOUD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (wrapped.cloudtrail(resourcesVpcConfig={"endpointPublicAccess": True}),
     {"publicEndpoint": True, "openToAll": True}),
    (wrapped.cloudtrail(resourcesVpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": ["198.51.100.0/24"]}),
     {"publicEndpoint": True, "publicNetworks": ["198.51.100.0/24"], "openToAll": False}),
    (wrapped.cloudtrail(resourcesVpcConfig={"endpointPublicAccess": False}),
     {"publicEndpoint": False, "openToAll": False}),
    (wrapped.cloudtrail("CreateCluster"), {"publicEndpoint": True, "openToAll": True}),
    (wrapped.cloudtrail(logging={"clusterLogging": [{"types": ["api", "audit"], "enabled": False}]}),
     {"auditLogging": False}),
    (wrapped.google_activity("SetNetworkPolicy", networkPolicy={}), {"networkPolicy": False}),
    (wrapped.google_activity("SetNetworkPolicy", networkPolicy={"enabled": True}), {"networkPolicy": True}),
    (wrapped.google_activity("UpdateCluster", update={"desiredEnablePrivateEndpoint": False}),
     {"publicEndpoint": True, "openToAll": True}),
    (wrapped.google_activity("UpdateCluster", update={"desiredMasterAuthorizedNetworksConfig": {}}),
     {"publicNetworks": ["0.0.0.0/0"], "openToAll": True}),
    (wrapped.google_activity("CreateCluster", cluster={"privateClusterConfig": {"enablePrivateEndpoint": True}}),
     {"publicEndpoint": False, "openToAll": False}),
    (wrapped.azure_activity(apiServerAccessProfile={"enablePrivateCluster": False}),
     {"publicEndpoint": True, "openToAll": True}),
    (wrapped.azure_activity(apiServerAccessProfile={"authorizedIPRanges": ["198.51.100.1/32"]}),
     {"publicEndpoint": True, "publicNetworks": ["198.51.100.1/32"], "openToAll": False}),
    (wrapped.azure_activity(networkProfile={"networkPolicy": "none"}),
     {"publicEndpoint": True, "openToAll": True, "networkPolicy": False}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "change"), CLOUD)
def test_what_an_event_of_a_cloud_changes_is_said_in_the_same_words(
    event: dict[str, Any], change: dict[str, Any]
) -> None:
    ((found, origin),) = unwrap([encode(event)], IntakeCounts())
    assert origin == ("cloud", wrapped.CLUSTER)
    assert (found["kind"], found["change"], found["cluster"]) == ("CloudEvent", change, wrapped.CLUSTER)
    assert found["original"] == event
    assert found["sourceIPs"] == ["203.0.113.7"]
    assert "eve" in cast("Any", found)["user"]["username"]


def test_operations_on_clusters_of_azure_arc_are_events_of_the_cloud_and_those_on_other_resources_are_not() -> None:
    arc = "/subscriptions/0000/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/edge-1"
    name = "MICROSOFT.KUBERNETES/CONNECTEDCLUSTERS/LISTCLUSTERUSERCREDENTIAL/ACTION"
    record = wrapped.azure_activity() | {"operationName": name, "resourceId": arc, "resultType": "Success"}
    other = record | {"operationName": "Microsoft.KubernetesRuntime/loadBalancers/write"}
    counts = IntakeCounts()
    ((found, origin),) = unwrap([encode({"records": [record | {"properties": {}}, other]})], counts)
    assert origin == ("cloud", "edge-1")
    assert (found["eventName"], found["eventSource"], found["cluster"]) == (name, "Microsoft.Kubernetes", "edge-1")
    assert counts.left_out == {OTHER_SERVICE: 1}


OPEN = [
    (["0.0.0.0/0"], True),
    (["203.0.113.0/24", "::/0"], True),
    (["0.0.0.0/1", "128.0.0.0/1"], True),
    (["64.0.0.0/2", "128.0.0.0/2", "no network"], True),
    (["2000::/3"], True),
    (["64.0.0.0/2"] * 3, False),  # the same one
    (["2001:db8::/32", "10.0.0.0/8", " 198.51.100.7/24 "], False),
    (["x"], False),
]


@pytest.mark.parametrize(("networks", "everybody"), OPEN)
def test_networks_that_are_half_of_all_addresses_are_everybody(networks: list[str], *, everybody: bool) -> None:
    event = wrapped.cloudtrail(resourcesVpcConfig={"publicAccessCidrs": networks})
    ((found, _),) = unwrap([encode(event)], IntakeCounts())
    assert found["change"] == {"publicNetworks": networks, "openToAll": everybody}


def test_events_of_the_cloud_are_found_in_its_wrappers_too() -> None:
    record = wrapped.cloudtrail()
    group = wrapped.subscription([], "111122223333_CloudTrail_eu-central-1", [wrapped.text(record)])
    bridge = {"detail-type": "AWS API Call via CloudTrail", "source": "aws.eks", "detail": record}
    entry = wrapped.google_activity("SetNetworkPolicy", networkPolicy={})
    data = base64.b64encode(encode(entry)).decode()
    bodies = [
        {"Records": [record]},
        group,
        bridge,
        {"message": {"data": data}},
        {"records": [wrapped.azure_activity()]},
    ]
    counts = IntakeCounts()
    assert [event["kind"] for event, _ in unwrap(map(encode, bodies), counts)] == ["CloudEvent"] * 5
    assert not counts.left_out


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.sampled_from(["kube-audit", "Event"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["kind", "auditID", "stageTimestamp", "records", "Records", "data", "messageType", "logEvents", "message",
             "log", "stream", "category", "properties", "operationName", "protoPayload", "serviceName", "methodName",
             "labels", "resourceName", "request", "response", "status", "code", "update", "eventSource", "eventName",
             "eventVersion", "requestParameters", "tables", "columns", "rows", "Type", "User", "detail", "detail-type",
             "kinesis", "events"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_made_up_json_is_an_event_or_counted_and_nothing_breaks(value: Any) -> None:
    counts = IntakeCounts()
    found = list(unwrap([encode(value)], counts))
    assert len(found) == counts.total


@given(st.binary(max_size=300))
def test_made_up_bytes_break_nothing(data: bytes) -> None:
    counts = IntakeCounts()
    assert not read(data, counts)
