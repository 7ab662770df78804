"""A real containerd's containers, plain ones and those of pods, with all that is to be known of them."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.enrich.cgroup import find_container
from hullwatch.enrich.metadata import ContainerMetadata
from hullwatch.sources.containerd import ContainerdSource
from hullwatch.sources.cri import CriSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.enrich.container import Container
    from hullwatch.sources.engine import EngineSource
    from tests.lab_containerd import Containerd

pytestmark = pytest.mark.engine

SOON = 10.0  # seconds


class Following:
    """A source that runs, with the containers that it told of."""

    def __init__(self, containerd: Containerd, source: type[ContainerdSource | CriSource]) -> None:
        self.containers: queue.SimpleQueue[Container] = queue.SimpleQueue()
        take = ContainerMetadata(self.containers.put).take
        self.source: EngineSource = source(f"unix://{containerd.socket}", take, containerd.connect)
        self.source.start()

    def next(self, full_id: str, condition: Callable[[Container], bool] = lambda _: True) -> Container:
        end = time.monotonic() + SOON
        while True:
            container = self.containers.get(timeout=max(end - time.monotonic(), 0))
            if container.full_id == full_id and condition(container):
                return container

    def wait_until_reached(self) -> None:
        end = time.monotonic() + SOON
        while not (self.source.status.reachable and self.source.settled):
            assert time.monotonic() < end, self.source.status
            threading.Event().wait(0.01)


@pytest.fixture
def plain(containerd: Containerd) -> Iterator[Following]:
    following = Following(containerd, ContainerdSource)
    yield following
    following.source.stop()


@pytest.fixture(params=[ContainerdSource, CriSource])
def pods(containerd: Containerd, request: pytest.FixtureRequest) -> Iterator[Following]:
    """Pods as containerd's own source tells of them, and as one that knows only the kubelet's interface."""
    following = Following(containerd, request.param)
    yield following
    following.source.stop()


def test_a_plain_container_is_known_when_it_is_made_when_it_runs_and_when_it_has_ended(
    containerd: Containerd, plain: Following
) -> None:
    plain.wait_until_reached()
    options = ("--label", "team=shop", "--mount", "type=bind,src=/etc,dst=/host,options=rbind:ro")
    full_id = containerd.run(options=options)
    made = plain.next(full_id)
    running = made if made.running else plain.next(full_id, lambda one: one.running)
    assert (running.type, running.labels["team"], running.privileged) == ("containerd", "shop", False)
    assert (running.image_repository, running.image_tag) == ("127.0.0.1:5000/bb", "1")
    assert running.image_digest.startswith("sha256:")
    assert [(one.source, one.destination, one.rw) for one in running.mounts] == [("/etc", "/host", False)]
    assert "CAP_CHOWN" in running.capabilities
    assert "CAP_SYS_ADMIN" not in running.capabilities
    assert (running.host_network, running.host_pid, running.exit_code) == (False, False, None)
    assert running.created > 0
    paths = [line.split(":", 2)[2] for line in Path(f"/proc/{running.pid}/cgroup").read_text().splitlines()]
    assert {found.id for path in paths if (found := find_container(path)) is not None} == {full_id}
    containerd.ctr("task", "kill", "-s", "SIGKILL", full_id)
    ended = plain.next(full_id, lambda one: one.exit_code is not None)
    assert (ended.running, ended.exit_code, ended.pid) == (False, 137, 0)
    assert ended.finished > ended.created
    containerd.remove(full_id)
    plain.source.request(full_id)
    assert not plain.next(full_id).running


def test_labels_are_set_and_taken_away_in_the_engine_and_others_stay(containerd: Containerd, plain: Following) -> None:
    full_id = containerd.run(options=("--label", "team=shop"))
    plain.next(full_id, lambda one: one.running)
    assert isinstance(plain.source, ContainerdSource)
    plain.source.set_labels(full_id, {"state": "suspect", "by.whom": "hullwatch"})
    labels = plain.next(full_id, lambda one: "state" in one.labels).labels
    assert (labels["state"], labels["by.whom"], labels["team"]) == ("suspect", "hullwatch", "shop")
    plain.source.set_labels(full_id, {"state": ""})
    labels = plain.next(full_id, lambda one: "state" not in one.labels).labels
    assert (labels["by.whom"], labels["team"]) == ("hullwatch", "shop")
    containerd.remove(full_id)


def test_a_privileged_container_of_containerd_is_told_as_such(containerd: Containerd, plain: Following) -> None:
    full_id = containerd.run(options=("--privileged", "--net-host"))
    container = plain.next(full_id)
    assert (container.privileged, container.host_network) == (True, True)
    assert "CAP_SYS_ADMIN" in container.capabilities
    containerd.remove(full_id)


def test_how_often_containerd_s_monitor_started_a_container_again_is_known(
    containerd: Containerd, plain: Following
) -> None:
    full_id = containerd.run(options=("--label", "containerd.io/restart.count=3"))
    assert plain.next(full_id).restart_count == 3
    containerd.remove(full_id)


def test_a_container_that_ran_before_is_listed_and_one_that_is_unknown_is_answered(containerd: Containerd) -> None:
    full_id = containerd.run()
    following = Following(containerd, ContainerdSource)
    assert following.next(full_id).running
    following.source.request("0" * 64)
    missing = following.next("0" * 64)
    assert (missing.complete, missing.reason) == (False, "the engine does not know it")
    following.source.stop()
    containerd.remove(full_id)


def test_a_container_of_a_pod_is_known_with_its_pod_and_workload(containerd: Containerd, pods: Following) -> None:
    pods.wait_until_reached()
    pod = containerd.run_pod("web-5d9c7b8f6-x2k4z", {"app": "web", "pod-template-hash": "5d9c7b8f6"})
    full_id = containerd.run_in_pod(pod, "server", mount="/etc", restarts=3)
    found = pods.next(full_id, lambda one: one.running)
    assert (found.name, found.type, found.complete) == ("server", "containerd", True)
    assert (found.pod_name, found.pod_namespace, found.pod_uid) == (pod.name, "shop", pod.uid)
    assert (found.pod_sandbox_id, found.pod_labels["app"]) == (pod.id, "web")
    assert (found.owner_kind, found.owner_name) == ("Deployment", "web")
    assert (found.image_repository, found.image_tag) == ("127.0.0.1:5000/bb", "1")
    assert (found.restart_count, found.privileged, found.host_network, found.host_pid) == (3, False, True, False)
    assert [(one.source, one.destination, one.rw) for one in found.mounts] == [("/etc", "/host", False)]
    assert found.pid > 0
    assert found.started >= found.created > 0
    assert "CAP_CHOWN" in found.capabilities
    path = Path(f"/proc/{found.pid}/cgroup").read_text().splitlines()[-1].split(":", 2)[2]
    named = find_container(path)
    assert named is not None
    assert (named.id, named.pod_uid) == (full_id, pod.uid)
    pods.source.request(pod.id)
    sandbox = pods.next(pod.id)
    assert (sandbox.name, sandbox.pod_uid, sandbox.owner_name) == ("POD", pod.uid, "web")
    containerd.remove_pod(pod)
    assert not pods.next(full_id, lambda one: not one.running).running


def test_a_privileged_container_of_a_pod_is_told_as_such(containerd: Containerd, pods: Following) -> None:
    pod = containerd.run_pod("agent-x2k4z", {"controller-revision-hash": "1"}, privileged=True)
    full_id = containerd.run_in_pod(pod, "agent", privileged=True)
    found = pods.next(full_id)
    assert (found.owner_kind, found.owner_name) == ("DaemonSet", "agent")
    assert found.name == "agent"
    containerd.remove_pod(pod)
