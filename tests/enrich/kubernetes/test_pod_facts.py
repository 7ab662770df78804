from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.enrich.kubernetes.pod_facts import owners_of, pod_facts
from tests.kubernetes_api import pod

if TYPE_CHECKING:
    from collections.abc import Callable


def find(known: dict[tuple[str, str], dict[str, Any]]) -> Callable[[str, str, str], dict[str, Any] | None]:
    def found(kind: str, _: str, name: str) -> dict[str, Any] | None:
        return known.get((kind, name))

    return found


def owned(kind: str, name: str) -> dict[str, Any]:
    return {"metadata": {"ownerReferences": [{"kind": kind, "name": name, "controller": True}]}}


def test_the_workload_on_top_is_found_by_owner_references() -> None:
    made = pod("web-1", owner=("ReplicaSet", "odd-name"), ip="10.0.0.1", account="shop-web", node="node-7")
    facts = pod_facts(
        made,
        {"metadata": {"labels": {"team": "shop"}}},
        find({("ReplicaSet", "odd-name"): owned("Rollout", "web"), ("Rollout", "web"): {"metadata": {}}}),
    )
    assert (facts.owner_kind, facts.owner_name, facts.replica_set) == ("Rollout", "web", "odd-name")
    assert (facts.node, facts.service_account, facts.address) == ("node-7", "shop-web", "10.0.0.1")
    assert facts.namespace_labels == {"team": "shop"}


def test_where_what_is_between_is_not_known_names_tell() -> None:
    deployed = pod("web-5d9c-x", owner=("ReplicaSet", "web-5d9c"), labels={"pod-template-hash": "5d9c"})
    assert owners_of(deployed, find({})) == [("ReplicaSet", "web-5d9c"), ("Deployment", "web")]
    timed = pod("nightly-29374560-x", owner=("Job", "nightly-29374560"))
    assert owners_of(timed, find({})) == [("Job", "nightly-29374560"), ("CronJob", "nightly")]
    assert owners_of(pod("once-x", owner=("Job", "once")), find({})) == [("Job", "once")]


def test_owners_in_a_circle_end() -> None:
    circle = {("A", "a"): owned("B", "b"), ("B", "b"): owned("A", "a")}
    assert len(owners_of(pod("p", owner=("A", "a")), find(circle))) == 4


def test_a_pod_alone_has_no_owner_and_one_on_the_node_s_network_no_address() -> None:
    facts = pod_facts(pod("p", ip="192.0.2.1", host_network=True), {}, find({}))
    assert (facts.owner_kind, facts.address) == ("", "")
