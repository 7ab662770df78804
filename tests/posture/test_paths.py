"""Ways to all rights: a table of clusters and the ways that are in them."""

from __future__ import annotations

from typing import Any

import pytest

from hullwatch.posture.audit_state import AuditState
from hullwatch.posture.paths import ADMIN, EVERY_SECRET, Paths, Place, steps_of
from hullwatch.posture.rights import Rights
from hullwatch.posture.risks import find_risks
from hullwatch.posture.usage import Usage
from tests.posture.made import binding, cases, cluster, granted, real_log, role, rule

CASES = cases("paths")


def paths(*objects: Any, groups: dict[str, tuple[str, ...]] | None = None) -> Paths:
    inventory = cluster(*objects)
    rights = Rights(inventory)
    return Paths(rights, find_risks(rights), inventory, groups or {})


def pod(workload: str, account: str, node: str, powers: str) -> dict[str, object]:
    namespace, _, name = workload.partition("/")
    container = {"name": "c", "securityContext": {"privileged": powers == "privileged"}}
    metadata = {
        "name": f"{name}-5d8f-x",
        "namespace": namespace,
        "labels": {"pod-template-hash": "5d8f"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": f"{name}-5d8f", "controller": True}],
    }
    spec = {"serviceAccountName": account, "nodeName": node, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def namespace(name: str, level: str) -> dict[str, object]:
    metadata = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": level}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


@pytest.mark.parametrize("case", CASES, ids=[one["case"] for one in CASES])
def test_the_ways_to_everything_are_found(case: dict[str, Any]) -> None:
    objects: list[object] = [pod(*one) for one in case.get("pods", ())]
    objects += [namespace(*one) for one in case.get("namespaces", {}).items()]
    for number, (whom, verbs, resources, *rest) in enumerate(case["grants"]):
        group, names, where = (*rest, *("", "", "")[len(rest) :])
        made = rule(verbs, resources, group, names)
        objects += [role(f"r{number}", made), binding(f"b{number}", f"r{number}", whom, namespace=where)]
    found = paths(*objects)
    ways = found.ways(ADMIN)
    starts = found.starts(ways)
    by_words = {start.words: [step.start.words for step in steps_of(ways, start)] for start in starts}
    for way in case.get("ways", ()):
        assert by_words.get(way[0]) == way
    for words in case.get("none", ()):
        assert words not in by_words


def test_who_reads_all_secrets_is_on_a_way_of_its_own_and_tokens_in_them_are_steps() -> None:
    token = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"}
    annotations = {"kubernetes.io/service-account.name": "root"}
    token |= {"metadata": {"name": "t", "namespace": "ops", "annotations": annotations}}
    reader = granted("alice", rule("list", "secrets"))
    alone = paths(reader)
    assert [start.words for start in alone.starts(alone.ways(EVERY_SECRET))] == ["User alice"]
    assert alone.starts(alone.ways(ADMIN)) == []
    with_token = paths(reader, granted("sa:ops/root", rule("*", "*", "*")), token)
    ways = with_token.ways(ADMIN)
    (alice,) = [start for start in with_token.starts(ways) if start.words == "User alice"]
    assert "secret ops/t holds its token" in [step.why for step in steps_of(ways, alice)]


def test_an_account_whose_token_is_not_mounted_is_reached_over_the_node_only() -> None:
    root = granted("sa:ops/root", rule("*", "*", "*"))
    exec_ = granted("alice", rule("create", "pods/exec"), namespace="ops")
    made = pod("ops/agent", "root", "n1", "")
    made["spec"]["automountServiceAccountToken"] = False  # type: ignore[index]
    found = paths(root, exec_, made)
    assert "User alice" not in [start.words for start in found.starts(found.ways(ADMIN))]


@pytest.mark.parametrize(("label", "reached"), [("node-role.kubernetes.io/control-plane", True), ("zone", False)])
def test_a_node_of_the_control_plane_is_everything(label: str, *, reached: bool) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {label: ""}}}
    found = paths(granted("group:oncall", rule("get", "nodes/proxy")), node)
    assert ("Group oncall" in [start.words for start in found.starts(found.ways(ADMIN))]) is reached


def test_groups_that_a_log_shows_users_in_count() -> None:
    found = paths(granted("group:ops", rule("*", "*", "*")), groups={"alice": ("ops",)})
    assert "User alice" in [start.words for start in found.starts(found.ways(ADMIN))]


def test_the_attack_of_a_real_log_is_on_a_way_and_acting_as_somebody_makes_nobody_a_member() -> None:
    state, usage = AuditState(), Usage()
    for event in real_log():
        state.take(event)
        usage.take(event)
    rights = Rights(state.inventory)
    groups = {name: tuple(use.groups) for name, use in usage.users.items()}
    found = Paths(rights, find_risks(rights), state.inventory, groups)
    starts = {start.words for start in found.starts(found.ways(ADMIN))}
    assert starts == {"User admin", "ServiceAccount shop/web"}  # not alice, whom admin acted as


def test_a_workload_of_a_made_up_kind_is_no_goal() -> None:
    made = pod("shop/web", "default", "n1", "")
    made["metadata"]["ownerReferences"] = [{"kind": "goal", "name": ADMIN, "controller": True}]  # type: ignore[index]
    assert Place("goal", ADMIN) not in paths(made).ways(ADMIN)
