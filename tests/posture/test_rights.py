"""Who may do what: documented cases, an evaluator of its own, and what a real API server decided."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.posture import roles
from hullwatch.posture.audit_event import actor, is_allowed, request_of
from hullwatch.posture.audit_state import AuditState
from hullwatch.posture.policy_rule import PolicyRule, read_rule
from hullwatch.posture.resources import Request
from hullwatch.posture.rights import Rights
from hullwatch.posture.subject import Subject
from tests.posture.made import binding, cases, cluster, granted, real_log, request, role, rule

AUTHORISER = cases("authoriser")


@pytest.mark.parametrize("case", AUTHORISER, ids=[one["case"] for one in AUTHORISER])
def test_the_authoriser_is_followed_in(case: dict[str, Any]) -> None:
    namespace = case.get("in", "")
    own = namespace and not case.get("cluster_role")
    made = role("r", *case["rules"], namespace=namespace if own else "")
    bound = binding("b", "r", "alice", namespace=namespace, kind="Role" if own else "")
    rights = Rights(cluster(made, bound))
    answers = [rights.allows("alice", ("system:authenticated",), request(*ask[:4])) for ask in case["asks"]]
    assert answers == [ask[4] for ask in case["asks"]]


@pytest.mark.parametrize("case", cases("subjects"))
def test_a_binding_is_for_those_whom_it_names(case: list[Any]) -> None:
    written, user, groups, meant = case
    bound = binding("b", "r", namespace="shop") | {"subjects": [written]}
    rights = Rights(cluster(role("r", rule("get", "pods")), bound))
    assert rights.allows(user, groups, request("get", "pods", "p", "shop")) is meant


def test_a_service_account_without_a_namespace_is_nobody_for_the_whole_cluster() -> None:
    bound = binding("b", "r") | {"subjects": [{"kind": "ServiceAccount", "name": "web"}]}
    assert Rights(cluster(role("r", rule("get", "pods")), bound)).subjects() == []


def test_members_of_the_masters_may_do_everything_without_any_role() -> None:
    rights = Rights(cluster())
    assert rights.allows("admin", ("system:masters",), request("get", "/anything"))
    assert [one.subject.name for one in rights.who_can(request("list", "secrets"), namespaced=True)] == [
        "system:masters"
    ]


# ---- against an evaluator that is written another way: all that a rule gives, written out, one by one

_VERBS, _GROUPS, _NAMES = ("get", "list", "create"), ("", "apps"), ("a", "b")
_RESOURCES = ("pods", "pods/log", "pods/scale", "deployments", "deployments/scale")


def written_out(one: PolicyRule) -> set[tuple[str, str, str, str]]:
    """Everything that a rule allows of the small world above: verb, group, resource, name."""
    verbs = _VERBS if "*" in one.verbs else one.verbs
    groups = _GROUPS if "*" in one.groups else one.groups
    resources: set[str] = set()
    for pattern in one.resources:
        if pattern == "*":
            resources.update(_RESOURCES)
        elif pattern.startswith("*/"):
            resources.update(known for known in _RESOURCES if known.split("/")[1:] == [pattern[2:]])
        else:
            resources.add(pattern)
    names = one.names or ("", *_NAMES)
    return {
        (verb, group, resource, name) for verb in verbs for group in groups for resource in resources for name in names
    }


def some(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=2)


def made_rule(verbs: list[str], groups: list[str], resources: list[str], names: list[str]) -> PolicyRule:
    return read_rule({"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names})


RULES = st.builds(
    made_rule,
    some("*", *_VERBS),
    some("*", *_GROUPS),
    some("*", "*/scale", "*/log", "pods/*", *_RESOURCES),
    some(*_NAMES),
)


@given(RULES)
@settings(max_examples=300, deadline=None)
def test_a_rule_allows_what_it_gives_when_it_is_written_out(one: PolicyRule) -> None:
    given_by_it = written_out(one)
    for verb in _VERBS:
        for group in _GROUPS:
            for resource in _RESOURCES:
                base, _, subresource = resource.partition("/")
                for name in ("", *_NAMES):
                    asked = Request(verb, group, base, subresource, "default", name)
                    assert one.allows(asked) is ((verb, group, resource, name) in given_by_it)


@given(
    st.lists(st.tuples(RULES, st.sampled_from(["", "one", "two"]), st.sampled_from(["alice", "group:dev"])), max_size=5)
)
@settings(max_examples=100, deadline=None)
def test_who_can_names_exactly_those_whom_the_authoriser_lets_in(grants: list[tuple[PolicyRule, str, str]]) -> None:
    objects: list[object] = []
    for number, (one, namespace, whom) in enumerate(grants):
        rules = {"verbs": one.verbs, "apiGroups": one.groups, "resources": one.resources, "resourceNames": one.names}
        objects += [
            role(f"r{number}", {key: list(value) for key, value in rules.items()}),
            binding(f"b{number}", f"r{number}", whom, namespace=namespace),
        ]
    rights = Rights(cluster(*objects))
    for verb in _VERBS:
        for namespace in ("one", "two"):
            asked = Request(verb, "", "pods", "", namespace, "" if verb != "get" else "a")
            answers = [one for one in rights.who_can(asked, namespaced=True) if one.grant is not None]
            named = {one.subject.name for one in answers if not one.names}
            assert ("alice" in named) is rights.allows("alice", (), asked)
            assert ("dev" in named) is rights.allows("bob", ("dev",), asked)


# ---- against a real API server


def test_what_a_real_api_server_decided_is_decided_here() -> None:
    events = real_log()
    state = AuditState()
    state.follow(events)
    rights = Rights(state.inventory)
    assert rights.problems == []
    compared: Counter[str] = Counter()
    for event in events:
        by = actor(event)
        user, groups = (by.as_user, by.as_groups) if by.as_user else (by.user, by.groups)
        if user.startswith("system:node:"):
            continue  # the node authoriser's business
        asked = request_of(event)
        assert rights.allows(user, groups, asked) is is_allowed(event), (user, asked)
        reason = str(event["annotations"]["authorization.k8s.io/reason"])  # type: ignore[index]
        through = re.match(r'RBAC: allowed by (\w+) "([^"/]+)', reason)
        if through is None:
            compared["other"] += 1
            continue
        compared["by a binding"] += 1
        found = {(one.binding.words.split()[0], one.binding.name) for one, _ in rights.allowing(user, groups, asked)}
        assert through.groups() in found, asked
    assert compared["by a binding"] > 100
    assert compared["other"] > 20


# ---- aggregation


def collects(name: str, label: str, **more: Any) -> dict[str, object]:
    selectors = {"clusterRoleSelectors": [{"matchLabels": {label: "yes"}}]}
    return role(name, aggregationRule=selectors, **more)


def labelled(name: str, label: str, *rules: Any) -> dict[str, object]:
    return role(name, *rules, metadata={"labels": {label: "yes"}})


def test_an_aggregated_role_has_the_rules_of_those_that_it_collects_also_through_others() -> None:
    view = collects("view", "v") | {"metadata": {"name": "view", "labels": {"e": "yes"}}}
    edit = collects("edit", "e")
    made = cluster(edit, view, labelled("pods", "v", rule("get", "pods")), binding("b", "edit", "alice"))
    assert Rights(made).allows("alice", (), request("get", "pods", "p", "x"))


def test_roles_that_collect_each_other_all_have_the_rules_of_all_and_that_is_told() -> None:
    one = collects("one", "two") | {"metadata": {"name": "one", "labels": {"one": "yes"}}}
    two = collects("two", "one") | {"metadata": {"name": "two", "labels": {"two": "yes"}}}
    one["rules"] = [rule("get", "secrets")]
    rights = Rights(cluster(one, two, binding("b", "two", "alice")))
    assert rights.allows("alice", (), request("get", "secrets", "s", "x"))
    assert any("collects itself" in sentence for sentence in rights.problems)


@pytest.mark.parametrize(
    ("selector", "collected"),
    [
        ({}, True),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "Nonsense"}]}, False),
        ({"matchLabels": {"team": "a"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}, False),
    ],
)
def test_roles_are_collected_by_any_selector(selector: dict[str, object], *, collected: bool) -> None:
    made = role("all", aggregationRule={"clusterRoleSelectors": [selector]})
    part = role("part", rule("get", "pods"), metadata={"labels": {"team": "a"}})
    rights = Rights(cluster(made, part, binding("b", "all", "alice")))
    assert rights.allows("alice", (), request("get", "pods", "p", "x")) is collected


# ---- bindings that lead nowhere, and who may do something


def test_a_binding_to_a_missing_role_gives_nothing_and_is_told() -> None:
    rights = Rights(cluster(binding("b", "gone", "alice", namespace="shop", kind="Role")))
    assert not rights.allows("alice", (), request("get", "pods", "p", "shop"))
    (sentence,) = rights.problems
    assert sentence.startswith("RoleBinding shop/b is for Role gone, which is not there")
    assert "User alice" in sentence


def test_a_binding_of_the_cluster_to_a_role_of_a_namespace_gives_nothing() -> None:
    rights = Rights(cluster(role("r", rule("get", "pods"), namespace="shop"), binding("b", "r", "alice", kind="Role")))
    assert not rights.allows("alice", (), request("get", "pods", "p", "shop"))
    assert len(rights.problems) == 1


def test_who_can_tells_where_and_to_which_names() -> None:
    everywhere = granted("alice", rule("get", "secrets"))
    there = granted("sa:shop/web", rule("get list", "secrets", names="db tls"), namespace="shop")
    rights = Rights(cluster(everywhere, there))
    asked = request("get", "secrets")
    found = {(one.subject, one.namespace, one.names) for one in rights.who_can(asked, namespaced=True) if one.grant}
    web = Subject("ServiceAccount", "web", "shop")
    assert found == {(Subject("User", "alice"), "", ()), (web, "shop", ("db", "tls"))}
    other = list(rights.who_can(request("get", "secrets", "-", "other"), namespaced=True))
    assert web not in {one.subject for one in other}
    named = list(rights.who_can(request("get", "secrets", "db", "shop"), namespaced=True))
    assert web in {one.subject for one in named}


def test_who_can_leaves_out_whom_names_rule_out_and_bindings_of_namespaces_for_the_clusters_resources() -> None:
    limited = granted("alice", rule("create", "pods", names="x"))
    inside = granted("bob", rule("create", "nodes"), namespace="shop")
    rights = Rights(cluster(limited, inside))
    for asked, namespaced in ((request("create", "pods"), True), (request("create", "nodes"), False)):
        assert [one.grant for one in rights.who_can(asked, namespaced=namespaced)] == [None]


def test_who_can_see_a_namespace_by_a_binding_in_it() -> None:
    rights = Rights(cluster(granted("alice", rule("get list", "namespaces"), namespace="shop")))
    (answer,) = [one for one in rights.who_can(request("get", "namespaces"), namespaced=False) if one.grant]
    assert answer.names == ("shop",)
    assert [one.grant for one in rights.who_can(request("list", "namespaces"), namespaced=False)] == [None]


def test_a_subject_has_what_its_groups_have() -> None:
    rights = Rights(
        cluster(
            granted("group:system:serviceaccounts:shop", rule("get", "pods")),
            granted("group:system:authenticated", rule("get", "services")),
            granted("group:dev", rule("get", "secrets")),
        )
    )
    web = rights.of(Subject("ServiceAccount", "web", "shop"))
    assert [grant.subject.name for grant in web] == ["system:serviceaccounts:shop", "system:authenticated"]
    assert len(rights.of(Subject("User", "alice"), ("dev",))) == 2
    assert rights.of(Subject("User", "system:anonymous")) == []


# ---- input that is wrong


@pytest.mark.parametrize("junk", [5, None, "x", [], [5, None], {"a": 1}, [[["x"]]], [{"kind": 5, "name": []}]])
@pytest.mark.parametrize("key", ["rules", "subjects", "roleRef", "metadata", "aggregationRule", "items"])
def test_wrong_types_give_nothing_and_break_nothing(junk: object, key: str) -> None:
    rights = Rights(cluster(role("r", rule("get", "pods")) | {key: junk}, binding("b", "r", "alice") | {key: junk}))
    list(rights.who_can(request("get", "pods"), namespaced=True))
    assert rights.allows("bob", (), request("get", "pods", "p", "x")) is False


def test_a_name_of_a_megabyte_is_cut_and_stays_another_than_its_neighbour() -> None:
    long = "a" * 1_000_000
    rights = Rights(cluster(role("r", rule("get", "pods")), binding("b", "r", long + "x", long + "y")))
    first, second = (subject.name for subject in rights.subjects())
    assert len(first) < 1100
    assert first != second


def test_roles_that_all_collect_each_other_end_within_a_bound_and_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "MOST_COLLECTED", 500)
    every: dict[str, object] = {"clusterRoleSelectors": [{}]}
    made = [role(f"r{number}", rule("get", f"things{number}"), aggregationRule=every) for number in range(100)]
    found = Rights(cluster(made))
    assert any("so many rules" in sentence for sentence in found.problems)
    assert sum(len(one.rules) for one in found.roles.values()) < 1000


def test_labels_that_are_too_many_to_compare_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "MOST_COMPARED", 10)
    made = [labelled(f"r{number}", "v", rule("get", "pods")) for number in range(20)]
    found = Rights(cluster(made, collects("all", "v")))
    assert any("too many to be compared" in sentence for sentence in found.problems)
