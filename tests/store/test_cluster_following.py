"""The cluster is followed through a stand-in of its API (tests/kubernetes_api.py): there is no API server for tests."""

from __future__ import annotations

import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hullwatch.enrich.kubernetes import reflector
from hullwatch.enrich.kubernetes.credentials import Access
from hullwatch.enrich.kubernetes.plain import table, text
from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.store import cluster_following
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_following import ClusterFollower
from hullwatch.store.cluster_tables import open_cluster
from tests.kubernetes_api import KubernetesApi, Refusal, pod

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from hullwatch.enrich.kubernetes.resources import Resource

PODS, NAMESPACES, NODES = BY_NAME["pods"], BY_NAME["namespaces"], BY_NAME["nodes"]
PATIENCE = 10  # seconds


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    made = KubernetesApi()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(reflector, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(reflector, "WITHOUT_RIGHT", 0.05)
    monkeypatch.setattr(cluster_following, "TICK", 0.05)
    monkeypatch.setattr(cluster_following, "ALIVE_EVERY", 0.05)


class Followed:
    """A cluster that is followed, seen through a connection of its own."""

    def __init__(self, state: Path, said: list[str]) -> None:
        self.cluster = Cluster(open_cluster(state))
        self.said = said
        self.follower: ClusterFollower | None = None

    def pods(self) -> list[str]:
        return [text(one, "metadata", "name") for one in self.cluster.objects("Pod")]

    @property
    def counts(self) -> dict[str, int]:
        assert self.follower is not None
        return self.follower.reflectors[0].counts


@contextmanager
def following(
    api: KubernetesApi, state: Path, *resources: Resource, node: str = "", token: str = ""
) -> Generator[Followed]:
    open_cluster(state, make=True).close()
    said: list[str] = []
    followed = Followed(state, said)
    begun = threading.Event()

    def work() -> None:
        access = Access(api.url, ssl.create_default_context, lambda again: f"Bearer {token}" if again or token else "")
        cluster = Cluster(open_cluster(state, write=True))
        follower = ClusterFollower(access, resources or (PODS,), node, cluster, said.append)
        followed.follower = follower
        begun.set()
        follower.run()
        cluster.close()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(PATIENCE)
    try:
        yield followed
    finally:
        assert followed.follower is not None
        followed.follower.stop()
        thread.join(PATIENCE)
        followed.cluster.close()


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def test_a_list_is_asked_for_in_pages_and_then_followed(api: KubernetesApi, tmp_path: Path) -> None:
    api.page_limit = 3
    for number in range(10):
        api.put(PODS, pod(f"p{number}"))
    with following(api, tmp_path) as followed:
        wait_for(lambda: len(followed.pods()) == 10)
        wait_for(lambda: api.streams == 1)
        api.put(PODS, pod("later"))
        api.delete(PODS, "shop", "p3")
        wait_for(lambda: "later" in followed.pods() and "p3" not in followed.pods())
    lists = [query for path, query in api.asked if path == PODS.path and "watch" not in query]
    assert len(lists) == 4
    assert [("continue" in query) for query in lists] == [False, True, True, True]


def test_only_what_is_needed_of_an_object_is_kept(api: KubernetesApi, tmp_path: Path) -> None:
    api.put(PODS, pod("web"))
    with following(api, tmp_path) as followed:
        wait_for(lambda: followed.pods() == ["web"])
        (found,) = followed.cluster.objects("Pod")
    text = str(found)
    assert "last-applied" not in text
    assert "fieldsV1" not in text
    assert "secret" not in text
    assert table(found, "metadata", "annotations") == {"team": "web"}


def test_a_version_that_is_gone_is_answered_with_a_new_list(api: KubernetesApi, tmp_path: Path) -> None:
    api.put(PODS, pod("first"))
    api.put(PODS, pod("second"))
    with following(api, tmp_path) as followed:
        wait_for(lambda: api.streams == 1)
        api.delete(PODS, "shop", "first", silently=True)
        api.forget()  # the stream ends, and where it was is 410
        wait_for(lambda: followed.pods() == ["second"])
        assert followed.counts["the API had forgotten where we were"] == 1
        wait_for(lambda: followed.cluster.counted_of("Pod").get("the API had forgotten where we were") == 1)


def test_a_list_that_is_forgotten_in_its_middle_begins_again_and_is_asked_for_whole_at_last(
    api: KubernetesApi, tmp_path: Path
) -> None:
    api.page_limit = 2
    api.forget_continues()
    for number in range(5):
        api.put(PODS, pod(f"p{number}"))
    with following(api, tmp_path) as followed:
        wait_for(lambda: len(followed.pods()) == 5)
        assert followed.counts["a list was forgotten in its middle"] == 3
    assert any("limit" not in query and "watch" not in query for _, query in api.asked)


def test_bookmarks_are_where_a_stream_is_taken_up_again(api: KubernetesApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as followed:
        wait_for(lambda: api.streams == 1)
        mark = api.bookmark(PODS)
        wait_for(lambda: followed.follower is not None and followed.follower.reflectors[0]._version == str(mark))
        api.disconnect()
        wait_for(lambda: any(query.get("resourceVersion") == str(mark) for _, query in api.asked))
        wait_for(lambda: api.streams == 1)
        api.put(PODS, pod("after"))
        wait_for(lambda: followed.pods() == ["after"])
    assert sum("watch" not in query for _, query in api.asked) == 1  # no second list


def test_a_slow_stream_is_read_to_its_end(api: KubernetesApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as followed:
        wait_for(lambda: api.streams == 1)
        api.slow = 0.005  # of 64 bytes each
        api.put(PODS, pod("slow"))
        wait_for(lambda: followed.pods() == ["slow"])


def test_an_error_event_and_a_broken_line_end_a_stream_and_nothing_else(api: KubernetesApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as followed:
        wait_for(lambda: api.streams == 1)
        api.tell_error(Refusal(500, "InternalError", "etcdserver: leader changed"))
        wait_for(lambda: followed.counts.get("the API answered 500", 0) >= 1)
        api.broken_lines.append(b'{"type":"ADDED","object":{"metad\n')
        wait_for(lambda: followed.counts.get("the connection was lost", 0) >= 1)
        api.broken_lines += [b"\n", b'{"type":"NEW","object":{}}\n', b'{"type":"ADDED","object":5}\n']
        wait_for(lambda: followed.counts.get("a change of an unknown type", 0) >= 1)
        api.put(PODS, pod("still"))
        wait_for(lambda: followed.pods() == ["still"])
        assert followed.counts["an object without a name"] == 1


def test_a_right_that_is_missing_is_told_and_the_rest_goes_on(api: KubernetesApi, tmp_path: Path) -> None:
    api.denied = {("list", "nodes"), ("watch", "namespaces")}
    api.put(NAMESPACES, {"metadata": {"name": "shop", "uid": "n"}})
    with following(api, tmp_path, PODS, NAMESPACES, NODES) as followed:
        api.put(PODS, pod("web"))
        wait_for(lambda: followed.pods() == ["web"] and len(followed.said) == 2)
        told = followed.cluster.problems()
        assert 'cannot list resource "nodes"' in told["Node"]
        assert "the right to watch namespaces (in the core group) is missing" in told["Namespace"]
        assert "Pod" not in told
        api.denied.clear()
        wait_for(lambda: followed.cluster.problems() == {})
    assert any("nodes are followed again" in one for one in followed.said)


def test_a_busy_api_is_asked_again_when_it_says(api: KubernetesApi, tmp_path: Path) -> None:
    busy = Refusal(429, "TooManyRequests", "the server has received too many requests", {"Retry-After": "1"})
    api.refusals[PODS.path] = [busy]
    api.put(PODS, pod("web"))
    begun = time.monotonic()
    with following(api, tmp_path) as followed:
        wait_for(lambda: followed.pods() == ["web"])
    assert time.monotonic() - begun >= 1
    assert followed.counts == {"the API answered 429": 1}


def test_a_token_that_is_refused_is_told(api: KubernetesApi, tmp_path: Path) -> None:
    api.token = "right"
    with following(api, tmp_path, token="wrong") as followed:
        wait_for(lambda: bool(followed.said))
    assert "does not know who we are" in followed.said[0]


def test_of_a_node_only_its_own_pods_are_asked_for(api: KubernetesApi, tmp_path: Path) -> None:
    api.put(PODS, pod("here", node="node-1"))
    api.put(PODS, pod("there", node="node-2"))
    with following(api, tmp_path, node="node-1") as followed:
        wait_for(lambda: followed.pods() == ["here"])
        wait_for(lambda: api.streams == 1)
        api.put(PODS, pod("later", node="node-1"))
        wait_for(lambda: followed.pods() == ["here", "later"])


def test_what_vanished_while_nobody_listened_ended_between_two_times(api: KubernetesApi, tmp_path: Path) -> None:
    api.put(PODS, pod("web", ip="10.1.0.7"))
    with following(api, tmp_path) as followed:
        wait_for(lambda: bool(followed.cluster.addresses.of("10.1.0.7")))
        wait_for(lambda: followed.cluster.alive_at("Pod") > 0)
        api.delete(PODS, "shop", "web", silently=True)
        api.put(PODS, pod("next", ip="10.1.0.7"))
        api.forget()
        wait_for(lambda: len(followed.cluster.addresses.of("10.1.0.7")) == 2)
        wait_for(lambda: followed.cluster.addresses.of("10.1.0.7")[-1].ended > 0)
        history = {one.name: one for one in followed.cluster.addresses.of("10.1.0.7")}
    assert history["web"].ended > history["web"].confirmed > 0
    assert history["next"].ended == 0


def test_a_cluster_without_an_extension_is_no_problem_and_is_asked_again(
    api: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "WITHOUT_EXTENSION", 0.02)
    gateways = BY_NAME["gateways"]
    api.put(gateways, {"metadata": {"name": "edge", "namespace": "shop"}, "spec": {"listeners": []}})
    missing = [Refusal(404, "NotFound", "the server could not find the requested resource") for _ in range(2)]
    api.refusals[gateways.path] = missing
    with following(api, tmp_path, gateways) as followed:
        wait_for(lambda: [text(one, "metadata", "name") for one in followed.cluster.objects("Gateway")] == ["edge"])
        assert followed.said == []
        assert followed.cluster.problems() == {}
    assert missing == []
