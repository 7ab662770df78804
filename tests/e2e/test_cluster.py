"""A running Hullwatch follows a cluster; its API is a stand-in (tests/kubernetes_api.py)."""

from __future__ import annotations

import os
import signal
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import FILE, open_cluster
from tests.enrich.kubernetes.test_credentials import kubeconfig
from tests.kubernetes_api import KubernetesApi, pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch
    from tests.lab_containerd import Containerd

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]
PODS = BY_NAME["pods"]
PATIENCE = 15  # seconds


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_follows_the_pods_of_its_node_in_a_process_without_power_which_is_started_again(
    watch: Callable[..., Watch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = KubernetesApi()
    try:
        api.token = "of-root-only"
        config = kubeconfig(tmp_path, {"server": api.url}, {"token": "of-root-only"})
        config.chmod(0o600)
        monkeypatch.setenv("HULLWATCH_KUBERNETES_API_CREDENTIALS", "kubeconfig")
        monkeypatch.setenv("HULLWATCH_KUBERNETES_API_KUBECONFIG", str(config))
        monkeypatch.setenv("HULLWATCH_KUBERNETES_API_NODE", "$MY_NODE")
        monkeypatch.setenv("MY_NODE", "node-1")
        api.put(PODS, pod("here", ip="10.244.3.17"))
        api.put(PODS, pod("there", node="node-2", ip="10.244.4.18"))
        rules = tmp_path / "rules.yaml"
        rules.write_text("- rule: r\n  desc: d\n  condition: proc.name = none\n  output: o\n  priority: INFO\n")
        watching = watch("-r", str(rules))
        wait_for((watching.state / FILE).exists)
        cluster = Cluster(open_cluster(watching.state))
        wait_for(lambda: bool(cluster.addresses.of("10.244.3.17")))
        assert cluster.addresses.of("10.244.4.18") == []
        first = watching.child("hullwatch-kube")
        status = Path(f"/proc/{first}/status").read_text()
        assert "\nUid:\t0" not in status
        assert "\nCapEff:\t0000000000000000" in status
        wait_for(lambda: api.streams >= 1)
        os.kill(first, signal.SIGKILL)
        api.put(PODS, pod("later", ip="10.244.3.99"))
        wait_for(lambda: bool(cluster.addresses.of("10.244.3.99")))
        second = watching.child("hullwatch-kube")
        config.write_text("no kubeconfig")
        watching.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "The Kubernetes cluster is followed as before." in watching.said)
        assert watching.child("hullwatch-kube") == second
        api.token = "another-one"
        kubeconfig(tmp_path, {"server": api.url}, {"token": "another-one"})
        watching.process.send_signal(signal.SIGHUP)
        wait_for(lambda: watching.child("hullwatch-kube") != second)
        api.disconnect()
        api.put(PODS, pod("latest", ip="10.244.3.100"))
        wait_for(lambda: bool(cluster.addresses.of("10.244.3.100")))
        cluster.close()
    finally:
        api.close()


@pytest.mark.engine
def test_events_of_a_real_pod_have_what_the_api_knows_of_it_and_what_it_tells_later(
    containerd: Containerd, watch: Callable[..., Watch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: Marked\n  desc: d\n  condition: evt.type = execve and proc.args contains mark-\n"
        '  output: "%proc.args %k8s.node.name %k8s.serviceaccount.name %k8s.owner.name %k8s.ns.label[team]"\n'
        "  priority: INFO\n"
    )
    api = KubernetesApi()
    try:
        monkeypatch.setenv("HULLWATCH_CONTAINERS_ENGINES", f"containerd://{containerd.socket}")
        monkeypatch.setenv("HULLWATCH_KUBERNETES_API_CREDENTIALS", "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, {"server": api.url}, {})))
        namespace = {"metadata": {"name": "shop", "uid": "n", "labels": {"team": "first"}}}
        api.put(BY_NAME["namespaces"], namespace)
        watching = watch("-r", str(rules), "--match", "all")
        made = containerd.run_pod("web-1")
        api.put(PODS, pod("web-1", uid=made.uid, account="shop-web", owner=("ReplicaSet", "odd")))
        owner = {"kind": "Deployment", "name": "web", "controller": True}
        replica_set = {"metadata": {"name": "odd", "namespace": "shop", "uid": "r", "ownerReferences": [owner]}}
        api.put(BY_NAME["replicasets"], replica_set)
        wait_for((watching.state / FILE).exists)
        cluster = Cluster(open_cluster(watching.state))
        wait_for(lambda: getattr(cluster.pod(made.uid), "owner_name", "") == "web")
        full_id = containerd.run_in_pod(made, "server")

        def team(mark: str) -> str:
            containerd.exec(full_id, "busybox", "echo", mark)
            assert watching.wait(lambda: any(mark in one["output"] for one in watching.alerts), PATIENCE)
            fields = next(one["output_fields"] for one in watching.alerts if mark in one["output"])
            assert (fields["k8s.node.name"], fields["k8s.serviceaccount.name"]) == ("node-1", "shop-web")
            assert fields["k8s.owner.name"] == "web"
            return str(fields["k8s.ns.label[team]"])

        assert team("mark-1") == "first"
        later = {"metadata": {"name": "shop", "uid": "n", "labels": {"team": "later"}}}
        api.put(BY_NAME["namespaces"], later)
        numbers = count(2)
        wait_for(lambda: team(f"mark-{next(numbers)}.") == "later")
        containerd.remove_pod(made)
        cluster.close()
    finally:
        api.close()
