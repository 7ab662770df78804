from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.enrich.kubernetes.plain import text
from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.enrich.kubernetes.trimming import trimmed
from hullwatch.store import cluster_tables
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import FILE, open_cluster
from hullwatch.store.database import NoStoreError, StoreError
from tests.kubernetes_api import pod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PODS, NAMESPACES, NODES, SERVICES = (BY_NAME[name] for name in ("pods", "namespaces", "nodes", "services"))
START = 1_795_860_000_000_000_000  # 2026-11-28T10:00:00Z, ns since the epoch
MINUTE = 60_000_000_000


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(open_cluster(tmp_path, make=True), most=1000)
    yield made
    made.close()


def put(cluster: Cluster, found: dict[str, Any], minute: int, resource: Any = PODS) -> bool:
    with cluster.batch():
        return cluster.put(resource, trimmed(found, resource.kind), START + minute * MINUTE)


def remove(cluster: Cluster, name: str, minute: int) -> None:
    with cluster.batch():
        cluster.remove(PODS, pod(name), START + minute * MINUTE)


def who(cluster: Cluster, address: str, minute: int) -> list[str]:
    return [one.name for one in cluster.addresses.at(address, START + minute * MINUTE)]


def test_who_had_an_address_then_is_remembered(cluster: Cluster) -> None:
    put(cluster, pod("first", ip="10.0.0.7"), 1)
    remove(cluster, "first", 10)
    put(cluster, pod("second", ip="10.0.0.7") | {"status": {"podIP": "10.0.0.7", "phase": "Running"}}, 20)
    assert [who(cluster, "10.0.0.7", minute) for minute in (0, 5, 15, 25)] == [[], ["first"], [], ["second"]]


def test_a_pod_that_has_ended_or_is_on_the_node_s_network_has_no_address(cluster: Cluster) -> None:
    put(cluster, pod("job", ip="10.0.0.8"), 1)
    put(cluster, pod("job", ip="10.0.0.8", phase="Succeeded"), 5)
    put(cluster, pod("agent", ip="192.0.2.1", host_network=True), 1)
    assert (who(cluster, "10.0.0.8", 3), who(cluster, "10.0.0.8", 6)) == (["job"], [])
    assert who(cluster, "192.0.2.1", 3) == []


def test_nodes_and_services_have_addresses_too(cluster: Cluster) -> None:
    node = {"metadata": {"name": "node-1", "uid": "n"}, "status": {"addresses": [
        {"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": "node-1"}]}}  # fmt: skip
    service: dict[str, Any] = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "s"},
        "spec": {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"], "externalIPs": ["198.51.100.1"]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}, {"hostname": "x"}]}},
    }
    put(cluster, node, 1, NODES)
    put(cluster, service, 1, SERVICES)
    assert who(cluster, "192.0.2.1", 2) == ["node-1"]
    for address in ("10.96.0.7", "fd00::7", "198.51.100.1", "203.0.113.5"):
        assert who(cluster, address, 2) == ["web"]
    headless = service | {"spec": {"clusterIP": "None"}, "status": {}}
    put(cluster, headless, 3, SERVICES)
    assert who(cluster, "10.96.0.7", 4) == []


def test_another_pod_of_the_same_name_ends_the_first(cluster: Cluster) -> None:
    put(cluster, pod("db-0", uid="one", ip="10.0.0.1"), 1)
    put(cluster, pod("db-0", uid="two", ip="10.0.0.2"), 9)
    assert (who(cluster, "10.0.0.1", 8), who(cluster, "10.0.0.1", 10)) == (["db-0"], [])


def test_what_is_told_of_an_object_after_its_end_does_not_bring_it_back(cluster: Cluster) -> None:
    put(cluster, pod("web", ip="10.0.0.1"), 1)
    remove(cluster, "web", 2)
    put(cluster, pod("web", ip="10.0.0.1"), 3)
    assert (list(cluster.objects("Pod")), who(cluster, "10.0.0.1", 4)) == ([], [])


def test_what_did_not_change_is_not_written_again(cluster: Cluster) -> None:
    first = pod("web")
    first["metadata"]["resourceVersion"] = "1"
    again = pod("web")
    again["metadata"]["resourceVersion"] = "2"
    assert put(cluster, first, 1)
    assert not put(cluster, again, 2)


def test_a_list_takes_away_what_it_does_not_show(cluster: Cluster) -> None:
    put(cluster, pod("a"), 1)
    put(cluster, pod("b"), 1)
    with cluster.batch():
        cluster.begin(PODS)
        cluster.put(PODS, trimmed(pod("b"), "Pod"))
        assert cluster.settle(PODS) == 1
    assert [text(one, "metadata", "name") for one in cluster.objects("Pod")] == ["b"]


def test_the_pods_that_changed_are_told_and_those_whose_namespace_did(cluster: Cluster) -> None:
    put(cluster, pod("web"), 1)
    number, found = cluster.changed_pods(0)
    assert [one.name for one in found] == ["web"]
    assert cluster.changed_pods(number) == (number, [])
    put(cluster, {"metadata": {"name": "shop", "uid": "n", "labels": {"team": "x"}}}, 2, NAMESPACES)
    number, found = cluster.changed_pods(number)
    assert [one.namespace_labels for one in found] == [{"team": "x"}]
    assert cluster.pod("uid-shop-web") == found[0]


def test_the_history_is_bounded_by_age_and_by_number(cluster: Cluster) -> None:
    for number in range(1100):
        put(cluster, pod(f"p{number}", uid=str(number), ip="10.0.0.9"), number)
        remove(cluster, f"p{number}", number)
    put(cluster, pod("last", ip="10.0.0.9"), 2000)
    assert cluster.addresses.make_room(START) == 101
    assert len(cluster.addresses.of("10.0.0.9")) == 1000
    assert cluster.addresses.make_room(START + 40 * 86_400 * 1_000_000_000) == 999
    assert [one.name for one in cluster.addresses.of("10.0.0.9")] == ["last"]


def test_nothing_known_and_another_version_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoStoreError, match="Nothing is known of a Kubernetes cluster"):
        open_cluster(tmp_path)
    open_cluster(tmp_path, make=True).close()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    monkeypatch.setattr(cluster_tables, "VERSION", 2)
    with pytest.raises(StoreError, match="written by another Hullwatch"):
        open_cluster(tmp_path)
