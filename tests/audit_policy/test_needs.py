"""What rules need of the audit log, which of them are blind, and the policy that gives them all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.audit_policy.blind import BlindSpots, look
from hullwatch.audit_policy.calls import Call
from hullwatch.audit_policy.generate import generate
from hullwatch.audit_policy.needs import Level, Needs, needs_of
from hullwatch.audit_policy.policy import AuditPolicy
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.pack import builtin_files

SOURCES = frozenset({"k8s_audit"})


def needs(*conditions: str) -> Needs:
    rules = "".join(
        f"- rule: r{number}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n  source: k8s_audit\n"
        for number, condition in enumerate(conditions)
    )
    return needs_of(load([RulesFile("rules", rules.encode())], sources=SOURCES).rules)


def levels(condition: str) -> dict[str, str]:
    """Return the levels that a rule needs, by verb and resource."""
    return {f"{call.verb} {call.about}": need.level.word for call, need in needs(condition)["r0"].items()}


PODS = "ka.target.resource = pods and not ka.target.subresource exists"
PORTS = "jevt.value[/responseObject/spec/type] = NodePort and not ka.target.subresource exists"
ON_HOST = f"ka.verb in (create, update) and {PODS} and ka.req.pod.host_network = true"
BOUND = {"create rolebindings": "Request", "create clusterrolebindings": "Request"}
NEEDED: list[tuple[str, dict[str, str]]] = [
    ("ka.verb = list and ka.target.resource = secrets", {"list secrets": "Metadata"}),
    (ON_HOST, {"create pods": "Request", "update pods": "Request"}),
    (f"ka.verb = create and ka.target.resource = services and {PORTS}", {"create services": "RequestResponse"}),
    ("ka.verb = create and ka.req.binding.role = x", BOUND),
    ("ka.verb = get and ka.target.resource = pods and ka.req.role.rules exists", {}),
    (
        "ka.exposure.change = widened and ka.target.resource = services and ka.verb in (create, patch)",
        {"create services": "Request", "patch services": "RequestResponse"},
    ),
    ("ka.verb = delete and ka.target.resource = widgets", {"delete widgets": "Metadata"}),
    ("ka.verb = delete and ka.target.resource = widgets and ka.verb = get", {}),
]


@pytest.mark.parametrize(("condition", "expected"), NEEDED)
def test_a_rule_needs_as_much_as_its_fields_read_of_the_calls_that_it_is_about(
    condition: str, expected: dict[str, str]
) -> None:
    assert levels(condition) == expected


EXEC = "ka.target.resource = pods and ka.target.subresource = exec and ka.verb = get and ka.stage = ResponseStarted"


def test_a_rule_is_blind_where_the_policy_keeps_less_or_leaves_its_stage_out() -> None:
    found = needs("ka.verb = create and ka.req.binding.role = x", EXEC)
    text = b"kind: Policy\nomitStages: [ResponseStarted]\nrules: [{level: Metadata}]"
    first, second = look(found, AuditPolicy(text, "policy"))
    assert (first.state, second.state) == ("blind", "blind")
    assert first.gaps[0].sentence == (
        "create of rolebindings, clusterrolebindings: rule 1 of the policy logs Metadata, Request is needed for "
        "ka.req.binding.role"
    )
    assert "leaves out the stages ResponseStarted" in second.gaps[0].sentence


def test_a_rule_that_sees_the_calls_of_some_is_blind_for_a_part() -> None:
    text = b"kind: Policy\nrules: [{level: Request, namespaces: [a]}, {level: Metadata}]"
    (sight,) = look(needs("ka.verb = create and ka.req.binding.role = x"), AuditPolicy(text, "policy"))
    assert sight.state == "partly"


def test_the_policy_that_is_made_gives_the_pack_what_it_needs_and_no_secret() -> None:
    found = needs_of(load(builtin_files("k8s_audit"), sources=SOURCES).rules)
    policy = AuditPolicy(generate(found).encode(), "policy")
    states = {sight.rule: sight.state for sight in look(found, policy)}
    assert "blind" not in states.values(), states
    assert [rule for rule, state in states.items() if state == "withheld"] == ["Token without an end made"]
    (secret,) = policy.logged(Call("create", "", "secrets"))
    assert secret.level <= Level.METADATA


CHECKS = st.sampled_from(
    [
        *("ka.verb = create", "ka.verb in (get, list)", "ka.verb = patch", "ka.stage = ResponseStarted"),
        *("ka.target.resource = pods", "ka.target.resource in (roles, widgets)", "ka.user.name = x"),
        *("ka.target.subresource = exec", "not ka.target.subresource exists", "ka.req.pod.host_network = true"),
        *("ka.req.role.rules exists", "not ka.req.service.type = NodePort"),
        *("jevt.value[/responseObject/a] = b", "jevt.value[/requestObject/a] exists"),
    ]
)
CONDITIONS = st.lists(st.lists(CHECKS, min_size=1, max_size=3).map(" and ".join), min_size=1, max_size=3).map(
    lambda parts: " or ".join(f"({part})" for part in parts)
)


@settings(max_examples=10)
@given(st.lists(CONDITIONS, min_size=1, max_size=3))
def test_a_policy_that_is_made_for_any_rules_leaves_none_of_them_blind(conditions: list[str]) -> None:
    found = needs(*conditions)
    text = generate(found, with_secrets=True)
    for sight in look(found, AuditPolicy(text.encode(), "policy")):
        assert sight.gaps == (), (text, sight)


def test_events_that_have_less_than_a_rule_needs_are_noticed_once() -> None:
    spots = BlindSpots(needs("ka.verb = create and ka.req.binding.role = x"))
    event: dict[str, Any] = {"verb": "create", "level": "Metadata", "objectRef": {"resource": "rolebindings"}}
    changes: list[tuple[str, Any]] = [("level", "Request"), ("objectRef", 5), ("verb", []), ("verb", "get")]
    for name, value in changes:
        spots.look({**event, name: value})
    assert spots.take() == {}
    spots.look(event)
    assert spots.take() == {"r0": "create rolebindings is logged at Metadata, Request is needed"}
    spots.look(event)
    spots.look({**event, "objectRef": {"resource": "clusterrolebindings"}})
    assert spots.take() == {}
