"""Alerts for events of the Kubernetes API: their id, where they come from, and what they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from hullwatch.alerts.audit import fields_of, identity, origin_of
from hullwatch.alerts.belonging import keys_of, why
from hullwatch.alerts.fingerprint import fingerprint
from hullwatch.alerts.maker import AlertMaker
from hullwatch.alerts.mask import Masker
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.formats.notification import notification
from hullwatch.formats.sample import sample_placement
from hullwatch.formats.text import text
from hullwatch.rules.audit_cases import completed
from hullwatch.rules.loader import SOURCES, RulesFile, load

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert

RULES = b"""
- rule: Called
  desc: d
  condition: ka.verb exists
  output: called (user=%ka.user.name uri=%ka.uri obj=%jevt.value[/requestObject])
  priority: INFO
  source: k8s_audit
- rule: Called three times
  desc: d
  condition: ka.verb = list
  threshold: {count: 3, within: 1m}
  by: ka.user.name
  output: listed
  priority: INFO
  source: k8s_audit
"""
RULE_SET = load([RulesFile("a.yaml", RULES)], sources=SOURCES)


def call(number: int = 1, **more: Any) -> dict[str, Any]:
    reference = {"resource": "pods", "namespace": "shop", "name": "web-7d4b9c6f5d-x2x9z", "uid": "u1"}
    return completed({"verb": "get", "user": {"username": "alice"}, "objectRef": reference, **more}, number)


def alerts(*calls: dict[str, Any]) -> list[Alert]:
    judge = AuditJudge(RULE_SET, Counters())
    maker = AlertMaker(Masker(), "node1", {}, with_origin=True)
    for one in calls:
        for match in judge.matches(one):
            maker.take(match)
    return maker.made()


def test_an_alert_has_the_time_of_its_event_and_says_who_did_what() -> None:
    (alert,) = alerts(call(stageTimestamp="2026-11-28T10:00:00.5Z"))
    assert alert.time == 1_795_860_000_500_000_000
    assert alert.source == "k8s_audit"
    assert alert.output_fields["ka.user.name"] == "alice"
    assert "container.id" not in alert.output_fields
    assert "| pods shop/web-7d4b9c6f5d-x2x9z | called (user=alice" in text(alert)
    assert "Where: the cluster, pods shop/web" in notification(alert, sample_placement()).text


def test_an_id_is_the_same_whenever_the_same_stage_of_a_call_is_judged_by_the_same_rule() -> None:
    event = AuditEvent(call(1))
    assert identity(event, "Called") == identity(AuditEvent(call(1, user={"username": "bob"})), "Called")
    others = {identity(AuditEvent(call(2)), "Called"), identity(event, "Other")}
    others.add(identity(AuditEvent(call(1, stage="ResponseStarted")), "Called"))
    assert len({identity(event, "Called"), *others}) == 4
    without = [identity(AuditEvent(call(1, auditID=None, user={"username": name})), "R") for name in ("a", "b", "a")]
    assert without[0] == without[2] != without[1]


def test_pods_of_one_workload_and_calls_of_one_user_are_one_issue() -> None:
    def print_of(**more: Any) -> str:
        return fingerprint(alerts(call(**more))[0]).fingerprint

    other = {"resource": "pods", "namespace": "shop", "name": "web-7d4b9c6f5d-bbbb4"}
    assert print_of() == print_of(objectRef=other, requestURI="/other")
    assert print_of() != print_of(objectRef={**other, "namespace": "bank"})
    assert print_of() != print_of(user={"username": "bob"})


def test_calls_belong_together_by_pod_object_and_the_person_behind_them() -> None:
    (alert,) = alerts(call())
    assert keys_of(alert) == ("pod:u1", "object:shop/Pod/web", "caller:alice")
    assert why(alert, "caller:alice", 2) == "the same user of the cluster as step 2: alice"
    assert why(alert, "object:shop/Pod/web", 1) == "the same object of the cluster as step 1: shop/Pod/web"


@pytest.mark.parametrize(
    ("user", "login"),
    [
        ("alice", "alice"),
        ("system:anonymous", "system:anonymous"),
        ("system:serviceaccount:shop:web", "system:serviceaccount:shop:web"),
        ("system:serviceaccount:kube-system:replicaset-controller", ""),
        ("system:node:one", ""),
        ("system:kube-scheduler", ""),
    ],
)
def test_the_cluster_s_own_parts_tie_nothing_together(user: str, login: str) -> None:
    assert origin_of(AuditEvent(call(user={"username": user}))).login == login


def test_a_pod_is_known_by_what_made_it_and_a_cluster_s_object_by_its_name() -> None:
    owned = {"metadata": {"ownerReferences": [{"kind": "DaemonSet", "name": "agent"}]}}
    assert origin_of(AuditEvent(call(requestObject=owned))).workload == "shop/DaemonSet/agent"
    role = {"resource": "clusterroles", "name": "wild"}
    assert origin_of(AuditEvent(call(objectRef=role))).workload == "clusterroles/wild"
    assert origin_of(AuditEvent(call(objectRef=None))).workload == "cluster"


def test_secrets_in_an_event_are_masked_and_earlier_events_are_shown() -> None:
    made = alerts(*(call(number, verb="list", requestObject={"password": "hunter2"}) for number in (1, 2, 3)))
    assert "hunter2" not in "".join(alert.message for alert in made)
    (counted,) = [alert for alert in made if alert.rule == "Called three times"]
    assert [one["ka.user.name"] for one in counted.evidence] == ["alice", "alice"]


def test_a_list_in_an_alert_is_cut() -> None:
    fields = fields_of(AuditEvent(call()), {"ka.user.groups": [str(number) for number in range(5000)]})
    groups = cast("list[str]", fields["ka.user.groups"])
    assert (len(groups), groups[0], groups[-2]) == (101, "0", "99")


WRONG: list[Any] = [5, [], {}, None, [[{}]], "\ud800"]


@pytest.mark.parametrize("value", WRONG)
def test_an_alert_is_made_whatever_stands_where(value: Any) -> None:
    for name in ("objectRef", "user", "requestObject", "requestURI", "auditID", "sourceIPs", "annotations"):
        (alert,) = alerts(call(**{name: value}))
        assert alert.id
        assert fingerprint(alert).title
        assert keys_of(alert) is not None
        text(alert)


def test_a_call_about_all_objects_of_a_kind_is_about_the_kind() -> None:
    every = {"resource": "pods", "namespace": "shop"}
    assert origin_of(AuditEvent(call(verb="list", objectRef=every))).workload == "shop/pods"
