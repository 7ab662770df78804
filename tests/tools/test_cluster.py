"""What ``tools.cluster`` is made of, without a cluster: scenes, questions, and what is compared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

import hullwatch
from hullwatch.audit_policy.policy import AuditPolicy
from hullwatch.posture.inventory import Inventory
from hullwatch.posture.resources import Request
from hullwatch.posture.rights import Rights
from tools.cluster import levels, node, packages, questions, rights, scenes, state

PACK = Path(hullwatch.__file__).parent / "packs" / "rules" / "kubernetes"
RULE = re.compile(r"^- rule: (.+)$", re.MULTILINE)
POLICY = b"""
kind: Policy
rules:
- level: Request
  verbs: [create]
  resources: [{group: "", resources: [pods]}]
- level: Metadata
"""


def event(verb: str, level: str, **about: str) -> dict[str, Any]:
    return {"verb": verb, "level": level, "objectRef": about}


def made(seed: int) -> Rights:
    """Return the rights of made-up objects, as the API would give them back."""
    kinds = {"roles": "Role", "clusterroles": "ClusterRole", "rolebindings": "RoleBinding"}
    kinds |= {"clusterrolebindings": "ClusterRoleBinding", "namespaces": "Namespace"}
    found: list[object] = []
    for one in questions.objects(Random(seed), 60, 60):
        parts = one.path.split("/")
        body = json.loads(json.dumps(one.body))
        version = "/".join(parts[2:4]) if parts[1] == "apis" else "v1"
        body |= {"kind": kinds[parts[-1]], "apiVersion": version}
        if "namespaces" in parts[:-1]:
            body["metadata"]["namespace"] = parts[parts.index("namespaces") + 1]
        found.append(body)
    return Rights(Inventory(found))


def test_every_scene_is_for_a_rule_of_the_pack_and_says_what_is_done_once() -> None:
    rules = {rule for path in PACK.glob("*.yaml") for rule in RULE.findall(path.read_text("utf-8"))}
    played = scenes.scenes()
    assert {one.alert for one in played} <= rules
    assert len({one.does for one in played}) == len(played) > 50
    assert all(one.run or one.objects for one in played)


def test_rules_that_remember_are_known_by_their_threshold_or_sequence() -> None:
    assert {"Many kinds of objects read", "Workload changed after rights were widened"} <= scenes.remembering()
    assert "Privileged workload created" not in scenes.remembering()


def test_a_scene_is_found_when_its_rule_is_among_the_alerts() -> None:
    (scene,) = scenes.scenes(b"[{does: removes, run: kubectl delete, alert: Removed}]")
    assert scenes.Outcome(scene, ["Written", "Removed"], "").found
    assert not scenes.Outcome(scene, ["Written"], "").found


def test_what_people_deliver_in_ordinary_traffic_is_objects_of_the_api() -> None:
    delivered = list(yaml.safe_load_all((scenes.FILE.parent / "ordinary.yaml").read_text("utf-8")))
    assert len(delivered) > 10
    assert all(one["kind"] and one["apiVersion"] and "namespace" not in one["metadata"] for one in delivered)


def test_questions_are_allowed_and_refused_by_paths_names_namespaces_and_subresources_alike() -> None:
    known, random = made(3), Random(3)
    asked = [questions.question(random) for _ in range(1500)]
    allowed = [one for one in asked if known.allows(one.user, one.groups, one.request)]
    assert 100 < len(allowed) < 1000
    for part in ("path", "name", "namespace", "subresource"):
        assert any(getattr(one.request, part) for one in allowed), part
        assert any(not getattr(one.request, part) for one in allowed), part
    assert known.missing, "no binding is for a role that is missing"


@pytest.mark.parametrize("seed", [1, 2])
def test_who_can_names_everybody_who_is_allowed_and_nobody_else(seed: int) -> None:
    known, random = made(seed), Random(seed)
    for _ in range(600):
        asked = questions.question(random)
        assert rights.told(known, asked) == known.allows(asked.user, asked.groups, asked.request), asked


def test_a_review_asks_for_the_namespace_that_a_call_would_be_in() -> None:
    sent: list[Any] = []

    class Server:
        def create(self, path: str, body: object) -> dict[str, Any]:
            sent.append((path.rpartition("/")[2], body))
            return {"status": {"allowed": True}}

    asked = questions.Question("alice", ("dev",), Request("get", "", "namespaces", name="shop"))
    assert rights.decided(Server(), asked)  # pyright: ignore[reportArgumentType] - what a review asks of an Api
    ((path, body),) = sent
    assert path == "subjectaccessreviews"
    assert body["spec"]["user"] == "alice"
    assert body["spec"]["resourceAttributes"]["namespace"] == "shop"


def test_levels_that_are_not_those_of_the_policy_are_told() -> None:
    events = [
        event("create", "Request", resource="pods", namespace="shop"),
        event("get", "Metadata", resource="pods"),
        event("create", "Metadata", resource="pods"),
        {"verb": "get", "level": "Metadata", "requestURI": "/healthz"},
    ]
    assert levels.compare(AuditPolicy(POLICY, "policy"), events) == (
        3,
        ["create pods in core: Metadata, said was Request"],
    )


def test_objects_that_are_other_or_in_one_place_only_are_told() -> None:
    one = {("Pod", "shop", "web"): {"a": 1}, ("Node", "", "n"): {}, ("Pod", "shop", "same"): {}}
    other = {("Pod", "shop", "web"): {"a": 2}, ("Pod", "shop", "same"): {}}
    assert state.differences(one, other) == ["Node n", "Pod shop/web"]


def test_the_build_uses_its_own_go_and_asks_nothing_of_the_net(tmp_path: Path) -> None:
    environment = packages.build_environment(tmp_path)
    assert environment["PATH"].startswith(environment["GOROOT"])
    assert environment["GOPROXY"] == "off"
    assert {Path(environment[name]).is_relative_to(tmp_path) for name in ("HOME", "GOPATH", "GOCACHE")} == {True}


def test_a_pod_that_a_node_runs_has_an_address_of_its_own_or_its_nodes() -> None:
    containers = [{"name": "c", "image": "nginx"}]
    own = node.running({"spec": {"containers": containers}}, 258)
    host = node.running({"spec": {"containers": containers, "hostNetwork": True}}, 258)
    assert (own["podIP"], host["podIP"]) == ("10.244.1.2", node.ADDRESS)
    assert own["containerStatuses"][0]["ready"] is True
