"""The lab's containerd for tests: plain containers by ``ctr``, and pods as a kubelet makes them."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hullwatch.sources.grpc_connection import GrpcConnection
from hullwatch.sources.protobuf import Message, write
from tests import lab

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

RUNTIME = "/runtime.v1.RuntimeService/"
IMAGE = lab.IMAGE
HOST = write([(1, 2), (2, 1), (3, 2)])  # NamespaceOption: network and ipc of the node, pid of the container
CALL_TIMEOUT = 60.0

Pairs = list[tuple[int, bytes | str | int]]


@dataclass
class Pod:
    """A pod that a test started: ids of the sandbox and of its containers."""

    id: str
    name: str
    uid: str
    config: bytes
    containers: list[str] = field(default_factory=list[str])


@dataclass
class Containerd:
    """A running containerd."""

    folder: Path

    @property
    def socket(self) -> str:
        return str(self.folder / "containerd.sock")

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5)
        connection.connect(self.socket)
        return connection

    def ctr(self, *arguments: str, namespace: str = "default") -> str:
        """Run ctr; returns what it printed."""
        program = str(lab.LAB / "deb/usr/bin/ctr")
        done = subprocess.run(
            [program, "-a", self.socket, "-n", namespace, *arguments],
            capture_output=True,
            text=True,
            timeout=CALL_TIMEOUT,
            check=False,
            env={**os.environ, "PATH": f"{lab.LAB}/deb/usr/sbin:{lab.LAB}/deb/usr/bin:{os.environ['PATH']}"},
        )
        if done.returncode:
            raise RuntimeError(f"ctr {' '.join(arguments)} failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        return done.stdout

    def run(self, *command: str, options: tuple[str, ...] = (), detach: bool = True) -> str:
        """Run a plain container; returns its id."""
        full_id = secrets.token_hex(32)
        runc = ("--runc-binary", str(lab.SCRIPTS / "runc-nores"))
        kind = ("-d",) if detach else ("--rm",)
        self.ctr("run", *kind, *runc, *options, IMAGE, full_id, *(command or ("sleep", "3600")))
        return full_id

    def remove(self, full_id: str) -> None:
        """End a plain container."""
        with contextlib.suppress(RuntimeError):
            self.ctr("task", "rm", "-f", full_id)
        with contextlib.suppress(RuntimeError):
            self.ctr("container", "rm", full_id)

    # ---- as a kubelet

    def ask(self, method: str, request: bytes = b"") -> Message:
        calls = GrpcConnection(self.connect)
        try:
            return Message(calls.call(RUNTIME + method, request, timeout=CALL_TIMEOUT))
        finally:
            calls.close()

    def run_pod(
        self,
        name: str,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        *,
        privileged: bool = False,
    ) -> Pod:
        """Start a pod on the host's network."""
        uid = f"{secrets.token_hex(4)}-1111-2222-3333-{secrets.token_hex(6)}"
        metadata = write([(1, name), (2, uid), (3, "shop")])
        linux = write([(1, f"/kubepods/besteffort/pod{uid}"), (2, write([(1, HOST), (6, int(privileged))]))])
        pairs: Pairs = [(1, metadata), *_table(6, labels), *_table(7, annotations), (8, linux)]
        config = write(pairs)
        sandbox = self.ask("RunPodSandbox", write([(1, config)])).text(1)
        return Pod(sandbox, name, uid, config)

    def run_in_pod(
        self, pod: Pod, name: str, *command: str, privileged: bool = False, mount: str = "", restarts: int = 0
    ) -> str:
        """Start a container in a pod; returns its id."""
        labels = {
            "io.kubernetes.container.name": name,
            "io.kubernetes.pod.name": pod.name,
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": pod.uid,
        }
        pairs: Pairs = [(1, write([(1, name), (2, restarts)])), (2, write([(1, IMAGE)]))]
        pairs += [(3, word) for word in command or ("sleep", "3600")]
        if mount:
            pairs.append((7, write([(1, "/host"), (2, mount), (3, 1)])))
        pairs += _table(9, labels)
        pairs += _table(10, {"io.kubernetes.container.restartCount": str(restarts)})
        pairs.append((15, write([(2, write([(2, int(privileged)), (3, HOST)]))])))
        request = write([(1, pod.id), (2, write(pairs)), (3, pod.config)])
        full_id = self.ask("CreateContainer", request).text(1)
        pod.containers.append(full_id)
        self.ask("StartContainer", write([(1, full_id)]))
        return full_id

    def exec(self, full_id: str, *command: str) -> int:
        """Run a command in a container of a pod, as a probe does; returns its exit code."""
        request: Pairs = [(1, full_id), *((2, word) for word in command), (3, 20)]
        return self.ask("ExecSync", write(request)).number(3)

    def remove_pod(self, pod: Pod) -> None:
        """End a pod with its containers."""
        for method in ("StopPodSandbox", "RemovePodSandbox"):
            with contextlib.suppress(Exception):
                self.ask(method, write([(1, pod.id)]))


def _table(number: int, table: dict[str, str] | None) -> Pairs:
    return [(number, write([(1, key), (2, value)])) for key, value in (table or {}).items()]


@contextlib.contextmanager
def containerd() -> Generator[Containerd]:
    """Give a containerd with the test image and CRI, for as long as it is used.

    Raises:
        lab.UnavailableError: where there is no root or no lab.
        RuntimeError: when it should start but does not.
    """
    lab.require_lab()
    folder = lab._state_folder("ctd")
    environment = {"LAB_CTD_DIR": str(folder)}
    with lab._only_one_run():
        lab.run_script("setup.sh")
        if not (lab.LAB / "img/pause-oci.tar").exists() or not (lab.LAB / "img/bb-oci").exists():
            lab.run_script("images.sh", "bb", check=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lab.run_script("containerd.sh", "start", environment=environment)
        engine = Containerd(folder)
        archive = str(folder / "bb.tar")
        subprocess.run(["tar", "-C", str(lab.LAB / "img/bb-oci"), "-cf", archive, "."], check=True)
        for namespace in ("default", "k8s.io"):
            engine.ctr("i", "import", archive, namespace=namespace)
        engine.ctr("i", "import", str(lab.LAB / "img/pause-oci.tar"), namespace="k8s.io")
        yield engine
    finally:
        lab.run_script("containerd.sh", "stop", environment=environment, check=False)
        lab._remove(folder)
