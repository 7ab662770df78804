"""Dangerous rights: a table of rights and what they are found to be."""

from __future__ import annotations

from typing import Any

import pytest

from hullwatch.posture.audit_state import AuditState
from hullwatch.posture.rights import Rights
from hullwatch.posture.risk_table import risks
from hullwatch.posture.risks import Finding, find_risks
from hullwatch.posture.severity import SEVERITIES, at_least, parse_severity, worse
from hullwatch.posture.shipped import shipped
from hullwatch.posture.subject import read_subject
from tests.posture.made import binding, cases, cluster, granted, real_log, role, rule, subject

CASES = cases("risks")


def findings(*objects: Any) -> list[Finding]:
    inventory = cluster(*objects)
    return find_risks(Rights(inventory), inventory)


@pytest.mark.parametrize("case", CASES, ids=[one["case"] for one in CASES])
def test_rights_are_the_risks_that_they_are(case: dict[str, Any]) -> None:
    objects: list[object] = []
    for number, (whom, verbs, resources, *rest) in enumerate(case["grants"]):
        group, names, namespace = (*rest, *("", "", "")[len(rest) :])
        made = rule(verbs, resources, group, names)
        objects += [
            role(f"r{number}", made),
            binding(f"b{number}", f"r{number}", whom, namespace=namespace or case.get("in", "")),
        ]
    first = read_subject(subject(case["grants"][0][0]), "")
    mine = [one for one in findings(*objects) if one.subject == first]
    assert sorted([one.severity, one.risk] for one in mine) == sorted(case["found"])
    assert [name for one in mine for name in one.names][:1] == case.get("only", [])[:1] or "only" not in case


def test_every_risk_of_the_table_can_be_explained_and_is_well_formed() -> None:
    for one in risks().values():
        for severity in (one.cluster, one.namespace):
            assert severity in {*SEVERITIES, "none"}
        if one.cluster != "none":
            assert one.title, one.id
            assert one.why.endswith("."), one.id
            assert one.attack.startswith("T1"), one.id
        assert all(part in risks() for part in one.all), one.id
        assert one.leads in {"", "admin", "accounts", "workloads", "pods", "nodes", "draw", "secrets"}, one.id


def test_the_attacks_of_a_real_log_are_found_and_what_comes_with_kubernetes_is_known() -> None:
    state = AuditState()
    state.follow(real_log())
    found = find_risks(Rights(state.inventory), state.inventory)
    told = [(one.severity, one.subject.words, one.risk, one.namespace) for one in found if not one.shipped]
    assert told == [
        ("critical", "ServiceAccount shop/web", "everything", ""),
        ("high", "User mallory", "pods-exec", "shop"),
        ("high", "User system:anonymous", "logs", ""),
        ("high", "User system:anonymous", "public", ""),
        ("medium", "User system:anonymous", "config-read", ""),
        ("low", "ClusterRole wild", "unbound", ""),
    ]
    assert sum(one.shipped for one in found) > 100


def test_a_shipped_binding_with_another_subject_or_a_wider_role_is_told() -> None:
    name = "system:basic-user"
    assert ("", name) in shipped()
    as_shipped = binding(name, name, "group:system:authenticated")
    harmless = role(name, rule("create", "selfsubjectaccessreviews", "authorization.k8s.io"))
    assert findings(harmless, as_shipped) == []
    wider = role(name, rule("get", "secrets"))
    assert {one.risk for one in findings(wider, as_shipped) if not one.shipped} == {"secrets-read"}
    other = binding(name, name, "group:system:authenticated", "group:system:unauthenticated")
    assert [one.subject.name for one in findings(harmless, other)] == ["system:unauthenticated"]


def test_identities_of_clouds_are_told() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}
    account = {"kind": "ServiceAccount", "apiVersion": "v1"}
    account |= {"metadata": {"name": "web", "namespace": "shop", "annotations": annotations}}
    (found,) = findings(account)
    assert (found.risk, found.what) == ("cloud-identity", ("eks.amazonaws.com/role-arn=arn:aws:iam::1:role/x",))


def test_a_dangerous_role_without_a_binding_is_told_unless_another_role_collects_it() -> None:
    part = role("part", rule("get", "secrets"), metadata={"labels": {"x": "y"}})
    assert [(one.risk, one.subject.words) for one in findings(part)] == [("unbound", "ClusterRole part")]
    whole = role("whole", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]})
    told = findings(part, whole, binding("b", "whole", "alice"))
    assert [(one.risk, one.subject.words) for one in told] == [("secrets-read", "User alice")]
    assert findings(role("harmless", rule("get", "pods"))) == []


def test_the_same_risk_through_two_bindings_is_one_finding_with_both() -> None:
    made = [*granted("alice", rule("get", "secrets")), binding("again", "of-alice", "alice")]
    (found,) = findings(*made)
    assert [grant.binding.name for grant in found.grants] == ["of-alice", "again"]


def test_severities_have_an_order_and_ends() -> None:
    assert worse("critical") == "critical"
    assert worse("low", -3) == "low"
    assert at_least("high", "medium")
    assert not at_least("low", "medium")
    assert parse_severity("HIGH") == "high"
