from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.enrich.kubernetes.exec_request import exec_request
from hullwatch.enrich.kubernetes.from_audit import changes_of
from hullwatch.enrich.kubernetes.plain import table, text
from hullwatch.enrich.kubernetes.resources import RESOURCES
from hullwatch.posture.audit_state import AuditState
from hullwatch.posture.inventory import kind_key
from tests.enrich.kubernetes.test_trimming import JSON
from tests.kubernetes_api import pod

SAMPLE = Path(__file__).parents[2] / "data" / "kubernetes" / "audit.jsonl.gz"
EXEC = {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web"}


def event(verb: str = "create", **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "kind": "Event", "stage": "ResponseComplete", "verb": verb, "responseStatus": {"code": 201},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1"},
        "stageTimestamp": "2026-11-28T10:00:05Z",
    }  # fmt: skip
    return values | more


def answer(**more: Any) -> dict[str, Any]:
    return {"kind": "Pod", "apiVersion": "v1", **pod("web", **more)}


def test_what_was_written_is_what_the_answer_says() -> None:
    (change,) = changes_of(event("patch", responseObject=answer(ip="10.0.0.9")))
    assert (change.resource.kind, change.gone, change.at) == ("Pod", False, 1_795_860_005_000_000_000)
    assert text(change.found, "status", "podIP") == "10.0.0.9"


def test_what_was_created_is_known_from_the_request_too_and_its_name_from_the_path() -> None:
    asked: dict[str, Any] = {"kind": "Pod", "metadata": {"labels": {"a": "b"}}, "spec": {}}
    (change,) = changes_of(event(requestObject=asked))
    assert (text(change.found, "metadata", "name"), text(change.found, "metadata", "namespace")) == ("web", "shop")
    assert changes_of(event("patch", requestObject={"spec": {"x": 1}})) == []  # a patch is no whole object


def test_a_refusal_and_another_resource_of_the_same_name_change_nothing() -> None:
    assert changes_of(event(responseObject=answer(), responseStatus={"code": 403})) == []
    assert changes_of(event(responseObject=answer(), stage="RequestReceived")) == []
    metrics = {"resource": "pods", "namespace": "shop", "name": "web", "apiGroup": "metrics.k8s.io"}
    assert changes_of(event(responseObject=answer(), objectRef=metrics)) == []


def test_what_was_read_whole_is_known_and_of_what_is_shown_in_part_nothing() -> None:
    (change,) = changes_of(event("get", responseObject=answer()))
    assert (change.gone, text(change.found, "kind"), text(change.found, "metadata", "name")) == (False, "Pod", "web")
    one: dict[str, Any] = {key: value for key, value in answer().items() if key not in {"kind", "apiVersion"}}
    shown: dict[str, Any] = {
        "kind": "PodList",
        "items": [one, {"metadata": {}}, 5, one | {"metadata": {"name": "other"}}],
    }
    found = changes_of(event("list", responseObject=shown))
    assert [text(one.found, "metadata", "name") for one in found] == ["web", "other"]
    assert {text(one.found, "kind") for one in found} == {"Pod"}
    parts: list[dict[str, Any]] = [{"kind": "Table", "rows": []}, shown | {"kind": "PartialObjectMetadataList"}]
    for part in parts:
        assert changes_of(event("list", responseObject=part)) == changes_of(event("get", responseObject=part)) == []
    status = {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1", "subresource": "status"}
    assert changes_of(event("get", responseObject=answer(), objectRef=status)) == []


def test_a_deletion_with_time_to_end_is_none_yet() -> None:
    ending = answer()
    ending["metadata"] |= {"deletionTimestamp": "2026-11-28T10:00:35Z", "deletionGracePeriodSeconds": 30}
    assert [one.gone for one in changes_of(event("delete", responseObject=ending))] == [False]
    ending["metadata"]["deletionGracePeriodSeconds"] = 0
    assert [one.gone for one in changes_of(event("delete", responseObject=ending))] == [True]
    ending["metadata"]["finalizers"] = ["example.org/wait"]
    assert [one.gone for one in changes_of(event("delete", responseObject=ending))] == [False]
    status = {"kind": "Status", "status": "Success"}
    (change,) = changes_of(event("delete", responseObject=status))
    assert (change.gone, text(change.found, "metadata", "name")) == (True, "web")


def test_the_request_of_an_exec_is_read_from_its_uri() -> None:
    uri = "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&command=cat+%2Fetc%2Fshadow&container=c&tty=true"
    found = exec_request(
        event(
            "get", objectRef=EXEC, requestURI=uri, stage="ResponseStarted", responseStatus={"code": 101},
            auditID="a1", user={"username": "alice", "groups": ["dev", 5]}, sourceIPs=["198.51.100.7", "10.0.0.1"],
            requestReceivedTimestamp="2026-11-28T10:00:04.5Z", impersonatedUser={"username": "root"},
        )
    )  # fmt: skip
    assert found is not None
    assert (found.user, found.impersonated, found.groups, found.source) == ("alice", "root", ("dev",), "198.51.100.7")
    assert (found.namespace, found.pod, found.container, found.tty) == ("shop", "web", "c", True)
    assert found.command == ("sh", "-c", "cat /etc/shadow")
    assert found.at == 1_795_860_004_500_000_000


def test_an_exec_that_was_refused_is_no_session() -> None:
    refused = event("create", objectRef=EXEC, responseStatus={"code": 403}, auditID="a", user={"username": "m"})
    refused["requestReceivedTimestamp"] = "2026-11-28T10:00:04Z"
    assert exec_request(refused) is None
    assert exec_request(refused | {"responseStatus": {"code": 101}}) is not None


@given(st.dictionaries(st.sampled_from(["objectRef", "user", "requestURI", "responseObject", "sourceIPs"]), JSON))
def test_whatever_an_event_is_made_of_it_is_read(found: dict[str, Any]) -> None:
    hostile = event("create", **found)
    changes_of(hostile)
    hostile["objectRef"] = table(hostile["objectRef"]) | {"resource": "pods", "subresource": "exec"}
    hostile |= {"auditID": "a", "requestReceivedTimestamp": "2026-11-28T10:00:04Z", "responseStatus": {"code": 101}}
    exec_request(hostile)


def test_requests_to_attach_and_to_forward_a_port_say_when_they_began_and_ended() -> None:
    for kind in ("attach", "portforward"):
        asked = event(
            "create", objectRef=EXEC | {"subresource": kind}, responseStatus={"code": 101}, auditID="a",
            user={"username": "alice"}, requestReceivedTimestamp="2026-11-28T10:00:04Z",
        )  # fmt: skip
        found = exec_request(asked)
        assert found is not None
        assert (found.kind, found.command, found.ended - found.at) == (kind, (), 1_000_000_000)
        begun = exec_request(asked | {"stage": "ResponseStarted"})
        assert begun is not None
        assert begun.ended == 0


def test_what_was_only_tried_is_not_there() -> None:
    tried = event(responseObject=answer(), requestURI="/api/v1/namespaces/shop/pods?dryRun=All&fieldManager=kubectl")
    assert changes_of(tried) == []
    assert changes_of(tried | {"requestURI": "/api/v1/namespaces/shop/pods?fieldManager=kubectl"}) != []


def test_what_somebody_deletes_is_gone_when_its_last_finalizer_is_taken_off() -> None:
    ending = {"name": "web", "namespace": "shop", "uid": "u", "deletionTimestamp": "2026-11-28T10:00:00Z"}
    held = {"kind": "Service", "apiVersion": "v1", "metadata": ending | {"finalizers": ["service/lb"]}}
    reference = {"resource": "services", "namespace": "shop", "name": "web", "apiVersion": "v1"}
    let_go: dict[str, Any] = held | {"metadata": ending}
    for verb, found, gone in (("delete", held, False), ("patch", held, False), ("patch", let_go, True)):
        (change,) = changes_of(event(verb, objectRef=reference, responseObject=found))
        assert change.gone is gone
    (read,) = changes_of(event("get", objectRef=reference, responseObject=let_go))
    assert not read.gone


def test_the_log_of_a_real_cluster_shows_the_same_objects_to_all_who_follow_it_and_its_first_rights() -> None:
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines()
    known: set[tuple[str, str, str]] = set()
    others = AuditState()
    for found in map(msgspec.json.Decoder().decode, lines):
        others.take(found)
        for change in changes_of(found):
            metadata = table(change.found, "metadata")
            key = change.resource.kind, text(metadata, "namespace"), text(metadata, "name")
            (known.discard if change.gone else known.add)(key)
    kinds = {one.kind: kind_key(one.kind, one.version) for one in RESOURCES}
    for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Service", "Deployment", "ServiceAccount"):
        assert {one for one in known if one[0] == kind} == {
            (kind, *place) for place in others.inventory.of(kinds[kind])
        }, kind
    assert ("ClusterRole", "", "cluster-admin") in known
