"""A running Hullwatch follows a cluster; its API is a stand-in (tests/kubernetes_api.py)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.enrich.kubernetes.resources import BY_NAME
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import FILE, open_cluster
from tests.cli.in_process import Command, command
from tests.enrich.kubernetes.test_credentials import kubeconfig
from tests.kubernetes_api import KubernetesApi, pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch
    from tests.lab_containerd import Containerd

__all__ = ["command"]
pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]
PODS = BY_NAME["pods"]
PATIENCE = 15  # seconds
DATABASE = "198.51.100.77"  # an address of this host for as long as a test needs it


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
    containerd: Containerd,
    watch: Callable[..., Watch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
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
        connects_to_a_database(containerd, full_id, api, watching.state, command)
        containerd.remove_pod(made)
        cluster.close()
    finally:
        api.close()


def connects_to_a_database(
    containerd: Containerd, full_id: str, api: KubernetesApi, state: Path, command: Command
) -> None:
    """The same pod connects to another one, which no rule asks for: what that is, its image tells."""
    subprocess.run(["ip", "address", "add", f"{DATABASE}/32", "dev", "lo"], check=True)
    try:
        database = pod("db-0", ip=DATABASE)
        database["spec"]["containers"] = [{"name": "db", "image": "registry.example/postgres:15"}]
        api.put(PODS, database)
        with socket.create_server((DATABASE, 0)) as server, closing(Cluster(open_cluster(state))) as cluster:
            wait_for(lambda: bool(cluster.addresses.of(DATABASE)))
            port = server.getsockname()[1]
            assert containerd.exec(full_id, "busybox", "nc", "-w", "5", DATABASE, str(port), "-e", "true") == 0
            asked = ("k8s", "connections", "--stores", "-o", "json", "--state-directory", str(state))
            wait_for(lambda: bool(command(*asked)[1]))
            (found,) = map(json.loads, command(*asked)[1])
            assert found.items() >= {"kind": "Deployment", "workload": "web", "pod": "web-1", "port": port}.items()
            assert (found["address"], found["held_by"]) == (DATABASE, "Pod shop/db-0")
            assert found["store"] == {"what": "PostgreSQL", "kind": "database", "by": "image"}
    finally:
        subprocess.run(["ip", "address", "del", f"{DATABASE}/32", "dev", "lo"], check=True)
