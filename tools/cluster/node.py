"""A node that runs nothing and says that it does: pods are put on it, start, have addresses, and end if they are jobs'.

It makes the calls that a scheduler and a kubelet make, by their names, so that controllers go on as in a cluster.
"""

from __future__ import annotations

import itertools
import ssl
import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import msgspec

from tools.cluster.api import FAILED, Api

if TYPE_CHECKING:
    from tools.cluster.servers import Cluster

NAME = "node-1"
ADDRESS = "127.0.0.1"  # where the API server looks for its kubelet
EVERY = 1.0  # seconds between two looks
LEASE_EVERY = 10.0
_PROTOCOL = "X-Stream-Protocol-Version"


class Sessions(BaseHTTPRequestHandler):
    """A kubelet's side of exec, attach and port-forward: agreed to, and ended at once."""

    def _agree(self) -> None:
        if "spdy" not in self.headers.get("Upgrade", "").lower():
            self.send_error(HTTPStatus.FORBIDDEN)  # kubectl asks again by SPDY
            return
        self.send_response(HTTPStatus.SWITCHING_PROTOCOLS)
        for name, value in (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), (_PROTOCOL, "v4.channel.k8s.io")):
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True

    do_GET = do_POST = _agree  # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's names
        """Say nothing."""


class Node:
    """Calls the API in a thread of its own; a context.

    Args:
        cluster: that it belongs to.
    """

    def __init__(self, cluster: Cluster) -> None:
        """Get its certificates."""
        agents = {"kubelet": f"/O=system:nodes/CN=system:node:{NAME}", "scheduler": "/CN=system:kube-scheduler"}
        self._kubelet, self._scheduler = (
            Api(
                cluster.port, cluster.authority.certificate, cluster.client(name, subject),
                {"User-Agent": f"{'kube-scheduler' if name == 'scheduler' else 'kubelet'}/v1.20.2 (linux/amd64)"},
            )
            for name, subject in agents.items()
        )  # fmt: skip
        pair = cluster.client("kubelet-server", f"/O=system:nodes/CN=system:node:{NAME}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._sessions = ThreadingHTTPServer((ADDRESS, 0), Sessions)
        self._sessions.socket = context.wrap_socket(self._sessions.socket, server_side=True)
        self._numbers = itertools.count(2)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        """Begin."""
        threading.Thread(target=self._sessions.serve_forever, daemon=True).start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join(30)
        self._sessions.shutdown()
        self._sessions.server_close()

    def _work(self) -> None:
        last = 0.0
        while not self._ended.wait(EVERY):
            try:
                if time.monotonic() - last > LEASE_EVERY:
                    self._say_ready()
                    last = time.monotonic()
                self._schedule()
                self._run()
            except (OSError, KeyError) as error:  # the API server is away, or something is half there
                self.problems.append(repr(error))

    def _say_ready(self) -> None:
        now = _now()
        node = {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME, "labels": {"kubernetes.io/hostname": NAME}},
            "status": {
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": now, "reason": "KubeletReady"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": self._sessions.server_port}},
                "addresses": [{"type": "InternalIP", "address": ADDRESS}],
                "capacity": {"cpu": "8", "memory": "16Gi", "pods": "5000"},
                "allocatable": {"cpu": "8", "memory": "16Gi", "pods": "5000"},
            },
        }  # fmt: skip
        if self._kubelet.call("GET", f"/api/v1/nodes/{NAME}")[0] == 404:
            self._kubelet.call("POST", "/api/v1/nodes", node)
        self._patch(self._kubelet, f"/api/v1/nodes/{NAME}/status", {"status": node["status"]})
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        lease = {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME},
            "spec": {"holderIdentity": NAME, "leaseDurationSeconds": 40, "renewTime": now.replace("Z", ".000000Z")},
        }  # fmt: skip
        if self._patch(self._kubelet, f"{leases}/{NAME}", lease) == 404:
            self._kubelet.call("POST", leases, lease)

    def _schedule(self) -> None:
        """Put every pod that has no node on this one."""
        for pod in _items(self._scheduler, "/api/v1/pods?fieldSelector=spec.nodeName%3D"):
            space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
            binding = {
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                "target": {"kind": "Node", "name": NAME},
            }  # fmt: skip
            self._scheduler.call("POST", f"/api/v1/namespaces/{space}/pods/{name}/binding", binding)

    def _run(self) -> None:
        """Do for the pods of this node what a kubelet tells of them."""
        for pod in _items(self._kubelet, f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NAME}"):
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            if "deletionTimestamp" in pod["metadata"]:
                now = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
                self._kubelet.call("DELETE", path, now)
            elif pod["status"]["phase"] == "Pending":
                self._patch(self._kubelet, f"{path}/status", {"status": running(pod, next(self._numbers))})
            elif pod["status"]["phase"] == "Running" and pod["spec"].get("restartPolicy") != "Always":
                self._patch(self._kubelet, f"{path}/status", {"status": {"phase": "Succeeded"}})

    @staticmethod
    def _patch(api: Api, path: str, body: object) -> int:
        return api.call("PATCH", path, body, {"Content-Type": "application/merge-patch+json"})[0]


def running(pod: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the status of a pod that runs; its address and container are made of a number."""
    address = ADDRESS if pod["spec"].get("hostNetwork") else f"10.244.{number >> 8 & 255}.{number & 255}"
    states = [
        {
            "name": one["name"], "image": one["image"], "imageID": one["image"], "ready": True, "restartCount": 0,
            "containerID": f"containerd://{number:064x}", "state": {"running": {"startedAt": _now()}},
        }
        for one in pod["spec"]["containers"]
    ]  # fmt: skip
    return {
        "phase": "Running", "hostIP": ADDRESS, "podIP": address, "podIPs": [{"ip": address}], "startTime": _now(),
        "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady", "Initialized")],
        "containerStatuses": states,
    }  # fmt: skip


def _items(api: Api, path: str) -> list[dict[str, Any]]:
    code, answer = api.call("GET", path)
    return msgspec.json.decode(answer)["items"] if code < FAILED else []


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
