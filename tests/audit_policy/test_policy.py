"""What an API server logs of a call, by its audit policy."""

from __future__ import annotations

import pytest

from hullwatch.audit_policy.calls import Call
from hullwatch.audit_policy.needs import Level
from hullwatch.audit_policy.policy import AuditPolicy
from hullwatch.errors import UsageError

POLICY = b"""
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:kube-proxy"], verbs: [watch]}
- {level: None, nonResourceURLs: ["/healthz*"]}
- {level: Request, resources: [{group: "", resources: [pods]}], namespaces: [kube-system]}
- {level: RequestResponse, resources: [{group: "", resources: [pods, "pods/*"]}], omitStages: [ResponseStarted]}
- {level: Metadata, resources: [{group: "", resources: [secrets], resourceNames: [db]}, {group: apps}]}
- {level: Request, resources: [{group: "batch", resources: ["*/status"]}]}
- {level: Metadata, resources: [{group: "rbac.authorization.k8s.io", resources: ["*"]}]}
"""
LOGGED: list[tuple[Call, list[tuple[Level, int, str]]]] = [
    (Call("create", "", "pods"), [(Level.REQUEST, 3, "namespaces kube-system"), (Level.REQUEST_RESPONSE, 4, "")]),
    (Call("watch", "", "pods", "exec"), [(Level.NONE, 1, "users system:kube-proxy"), (Level.REQUEST_RESPONSE, 4, "")]),
    (Call("get", "", "secrets"), [(Level.METADATA, 5, "names db"), (Level.NONE, 0, "")]),
    (Call("get", "apps", "deployments", "scale"), [(Level.METADATA, 5, "")]),
    (Call("get", "batch", "jobs"), [(Level.NONE, 0, "")]),
    (Call("get", "batch", "jobs", "status"), [(Level.REQUEST, 6, "")]),
    (Call("get", "rbac.authorization.k8s.io", "roles", "x"), [(Level.METADATA, 7, "")]),
    (Call("get", "", ""), [(Level.NONE, 0, "")]),
]


@pytest.mark.parametrize(("call", "expected"), LOGGED)
def test_the_first_rule_that_fits_says_how_much_is_logged(call: Call, expected: list[tuple[Level, int, str]]) -> None:
    found = AuditPolicy(POLICY, "policy").logged(call)
    assert [(one.level, one.rule, one.condition) for one in found] == expected
    assert all("RequestReceived" in one.stages for one in found)
    assert ("ResponseStarted" in found[-1].stages) == (found[-1].rule == 4)


WRONG: list[tuple[bytes, str]] = [
    (b"a: [", "policy:1: this is no YAML"),
    (b"root:x:0", "is no audit policy"),
    (b"kind: Pod\nrules: []", "its kind is 'Pod'"),
    (b"kind: Policy\nrules: [{level: Everything}]", "there is no level 'Everything'"),
    (b"kind: Policy\nrules: [{level: None, verbs: 5}]", "is no audit policy"),
    (b"kind: Policy", "is no audit policy"),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_what_is_no_policy_is_told_in_a_sentence(text: bytes, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        AuditPolicy(text, "policy")
    assert sentence in str(caught.value)
