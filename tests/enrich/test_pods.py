from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import pytest

from hullwatch.enrich import pods
from hullwatch.enrich.container import Container
from hullwatch.enrich.kubernetes.pod_facts import PodFacts
from hullwatch.enrich.pods import PodJoiner, PodSource, with_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10  # seconds
FACTS = PodFacts(
    uid="u1", name="web-1", namespace="shop", node="node-1", service_account="web", address="10.0.0.1",
    labels={"app": "web"}, namespace_labels={"team": "x"}, owner_kind="Deployment", owner_name="web",
    replica_set="web-5d9c",
)  # fmt: skip


def container(**more: object) -> Container:
    return Container(id="0" * 12, full_id="0" * 64, running=True, **more)  # type: ignore[arg-type]


class Known(PodSource):
    def __init__(self) -> None:
        self.facts: dict[str, PodFacts] = {}
        self.news: queue.SimpleQueue[PodFacts] = queue.SimpleQueue()
        self.closed = False

    def pod(self, uid: str) -> PodFacts | None:
        return self.facts.get(uid)

    def changed(self) -> list[PodFacts]:
        return [self.news.get()] if not self.news.empty() else []

    def close(self) -> None:
        self.closed = True


class Joining:
    def __init__(self) -> None:
        self.source = Known()
        self.told: queue.SimpleQueue[Container] = queue.SimpleQueue()
        self.joiner = PodJoiner(self.told.put, lambda: self.source)

    def next(self) -> Container:
        return self.told.get(timeout=PATIENCE)


@pytest.fixture
def joining(monkeypatch: pytest.MonkeyPatch) -> Iterator[Joining]:
    monkeypatch.setattr(pods, "LOOK_EVERY", 0.01)
    made = Joining()
    yield made
    made.joiner.stop()
    assert made.source.closed


def test_a_container_gets_what_the_cluster_knows_of_its_pod(joining: Joining) -> None:
    joining.source.facts["u1"] = FACTS
    joining.joiner.take(container(pod_uid="u1", pod_name="as the engine says", pod_labels={"old": "1"}))
    found = joining.next()
    assert (found.pod_name, found.pod_namespace, found.pod_ip) == ("as the engine says", "shop", "10.0.0.1")
    assert (found.owner_kind, found.owner_name, found.replica_set) == ("Deployment", "web", "web-5d9c")
    assert (found.node, found.service_account) == ("node-1", "web")
    assert (found.pod_labels, found.namespace_labels) == ({"app": "web"}, {"team": "x"})


def test_what_the_cluster_tells_later_is_told_of_the_container_again_and_only_once(joining: Joining) -> None:
    joining.joiner.take(container(pod_uid="u1"))
    assert joining.next().node == ""
    joining.source.news.put(FACTS)
    assert joining.next().node == "node-1"
    joining.source.news.put(FACTS)
    joining.source.news.put(PodFacts(uid="other", node="x"))
    joining.source.news.put(PodFacts(uid="u1", node="node-2"))
    assert joining.next().node == "node-2"


def test_a_container_that_has_ended_is_not_told_of_again(joining: Joining) -> None:
    joining.joiner.take(container(pod_uid="u1"))
    joining.joiner.take(Container(id="0" * 12, full_id="0" * 64, pod_uid="u1", exit_code=0))
    assert [joining.next().running, joining.next().running] == [True, False]
    joining.source.news.put(FACTS)
    joining.joiner.take(container(pod_uid="another"))
    assert joining.next().pod_uid == "another"


def test_a_container_outside_a_pod_waits_for_nobody(joining: Joining) -> None:
    joining.joiner.take(container(name="plain"))
    assert joining.told.get_nowait().name == "plain"


def test_a_huge_table_of_labels_is_bounded_and_the_reason_says_so() -> None:
    many = {f"label-{number}": "x" for number in range(5000)}
    found = with_pod(container(), PodFacts(uid="u", namespace_labels=many))
    assert len(found.namespace_labels) < 5000
    assert "labels of the namespace" in found.reason
