"""The servers of a cluster without nodes, on 127.0.0.1: etcd, the API server and the controllers."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from hullwatch.errors import CannotError
from tools.cluster.api import Api, RefusedError
from tools.cluster.certificates import Pair, authority, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PATIENCE = 120.0  # seconds until a server answers
ENDING = 20.0  # seconds that one has for its end
ADDRESS = "192.0.2.1"  # what the API server says its own is: one of documentation, for loopback is refused


class Programs(NamedTuple):
    """The files to run."""

    etcd: Path
    api_server: Path
    controllers: Path


class Cluster:
    """An API server with its store and controllers; a context, which ends what it has started."""

    def __init__(
        self, programs: Programs, folder: Path, options: Sequence[str] = (), *, controllers: bool = True
    ) -> None:
        """Prepare it; entering the context starts it.

        Args:
            programs: to run.
            folder: of its own, for keys, data and what the servers say.
            options: more options of the API server.
            controllers: whether they run.
        """
        self.folder = folder
        self.options = list(options)
        self._programs = programs
        self._with_controllers = controllers
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = authority(folder, "cluster-ca")
        self._server = signed(self.authority, folder, "server", "/CN=kube-apiserver", "IP:127.0.0.1,DNS:localhost")
        self.administrator = self.client("administrator", "/O=system:masters/CN=kubernetes-admin")
        self._controllers = self.client("controllers", "/CN=system:kube-controller-manager")
        self._accounts = authority(folder, "accounts")  # signs the tokens of service accounts
        self._etcd_port, self._peer_port, self.port = free_ports(3)
        self.api = Api(self.port, self.authority.certificate, self.administrator)

    def client(self, name: str, subject: str) -> Pair:
        """Return a certificate by which somebody is known to the cluster."""
        return signed(self.authority, self.folder, name, subject)

    def kubeconfig(self, name: str, user: str) -> Path:
        """Write a file for kubectl, with what a user has: lines of YAML."""
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\n"
            f"clusters: [{{name: it, cluster: {{server: 'https://127.0.0.1:{self.port}', "
            f"certificate-authority: {self.authority.certificate}}}}}]\n"
            f"users: [{{name: it, user: {{{user}}}}}]\n"
            "contexts: [{name: it, context: {cluster: it, user: it}}]\n",
            encoding="utf-8",
        )
        return path

    def kubeconfig_of(self, name: str, pair: Pair) -> Path:
        """Write a file for kubectl, for who has a certificate."""
        return self.kubeconfig(name, f"client-certificate: {pair.certificate}, client-key: {pair.key}")

    def __enter__(self) -> Self:
        """Start everything, and wait until it answers.

        Raises:
            CannotError: when a server ends, or does not answer.
        """
        with contextlib.ExitStack() as undo:
            undo.callback(self.end)
            self._run("etcd", self._programs.etcd, *self._etcd_options())
            self.start_api_server()
            if self._with_controllers:
                self._run("controllers", self._programs.controllers, *self._controllers_options())
                self.wait(
                    "controllers", lambda: bool(self.api.get("/api/v1/namespaces/default/serviceaccounts/default"))
                )
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.end()

    def end(self) -> None:
        """End what runs, the store last."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def start_api_server(self) -> None:
        """Start the API server, and wait until it is ready."""
        self._run("api-server", self._programs.api_server, *self._api_server_options())
        self.wait("api-server", lambda: self.api.text("/readyz") == "ok")

    def stop(self, name: str) -> None:
        """End one of the servers: ``api-server``, ``controllers`` or ``etcd``."""
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait(self, name: str, answers: Callable[[], bool]) -> None:
        """Wait until a server does what it is to do.

        Raises:
            CannotError: when it ends instead, or takes too long.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError, RefusedError):
                if answers():
                    return
            if self._running[name].poll() is not None:
                break
            time.sleep(0.1)
        said = (self.folder / f"{name}.log").read_text("utf-8", "replace").strip()[-600:]
        raise CannotError(f"the cluster's {name} did not begin to work; the last that it said: {said}")

    def _run(self, name: str, program: Path, *options: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen([program, *options], stdout=log, stderr=log, cwd=self.folder)

    def _etcd_options(self) -> list[str]:
        clients, peers = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync=true",
        ]

    def _api_server_options(self) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--advertise-address={ADDRESS}",
            f"--cert-dir={self.folder}",
            f"--tls-cert-file={self._server.certificate}",
            f"--tls-private-key-file={self._server.key}",
            f"--client-ca-file={self.authority.certificate}",
            "--authorization-mode=Node,RBAC",
            f"--service-account-key-file={self._accounts.certificate}",
            f"--service-account-signing-key-file={self._accounts.key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged=true",
            "--enable-bootstrap-token-auth=true",
            *self.options,
        ]

    def _controllers_options(self) -> list[str]:
        file = self.kubeconfig_of("controllers", self._controllers)
        return [
            f"--kubeconfig={file}",
            f"--authentication-kubeconfig={file}",
            f"--authorization-kubeconfig={file}",
            f"--service-account-private-key-file={self._accounts.key}",
            f"--root-ca-file={self.authority.certificate}",
            f"--cluster-signing-cert-file={self.authority.certificate}",
            f"--cluster-signing-key-file={self.authority.key}",
            "--use-service-account-credentials=true",
            "--controllers=*,bootstrapsigner,tokencleaner",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--port=0",
        ]


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens at now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
