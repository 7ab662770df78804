"""A running container engine as tests use it: start, exec, remove, and nothing that could be left behind."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import docker
import docker.errors

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER_TIMEOUT = 60  # seconds for one API call; pulling an image is the longest


@dataclass
class LabContainer:
    """A container that a test started; ``output`` and ``exit_code`` are known when it was waited for."""

    id: str  # 64 digits
    name: str
    output: bytes = b""
    exit_code: int | None = None


@dataclass
class Engine:
    """A running engine and the few things that tests do with it.

    Attributes:
        url: for DOCKER_HOST and for ``DockerSource``: ``unix:///run/hwlab/run/t1/docker/docker.sock``
        kind: ``docker`` or ``podman``.
        image: a reference of the test image, ``127.0.0.1:5000/bb:1`` (busybox, a static bash,
            /etc/passwd, /etc/shadow; without a command it runs ``sleep 3600``).
        digest: the image's digest ``sha256:...``; empty when it had to be imported from a tar file.
        client: the Docker library's client, for everything that has no method here.
    """

    url: str
    kind: str
    image: str
    client: docker.DockerClient
    digest: str = ""
    _containers: list[str] = field(default_factory=list[str])
    _networks: list[str] = field(default_factory=list[str])

    @classmethod
    def connect(cls, url: str, image: str, environment: dict[str, str] | None = None) -> Engine | None:
        """Return the engine that answers at a URL, or None when none does.

        ``environment`` gives DOCKER_TLS_VERIFY and DOCKER_CERT_PATH for an engine that wants TLS.
        """
        try:
            _knock(url)
            settings = {**(environment or {}), "DOCKER_HOST": url}
            client = docker.DockerClient.from_env(environment=settings, timeout=ANSWER_TIMEOUT)
            version: dict[str, Any] = client.version()
        except (docker.errors.DockerException, OSError):
            return None
        kind = "podman" if "podman engine" in str(version.get("Components")).lower() else "docker"
        return cls(url=url, kind=kind, image=image, client=client)

    def close(self) -> None:
        """Remove every container and network that was made through this object, and end the connection."""
        for container in self._containers.copy():
            self.remove(container)
        for network in self._networks:
            with contextlib.suppress(docker.errors.NotFound):
                self.client.api.remove_network(network)
        self.client.close()

    def create_network(self, name: str) -> str:
        """Make a bridge network, the ``network`` of ``run``; it goes when the engine is closed."""
        self._networks.append(str(self.client.networks.create(name, driver="bridge").id))
        return name

    def create(self, *command: str, image: str = "", network: str = "none", **options: Any) -> LabContainer:
        """Create a container without starting it; the arguments are those of ``run``."""
        created = self.client.containers.create(image or self.image, list(command) or None, network=network, **options)
        container = LabContainer(id=str(created.id), name=str(created.name))
        self._containers.append(container.id)
        return container

    def run(
        self, *command: str, detach: bool = True, image: str = "", network: str = "none", **options: Any
    ) -> LabContainer:
        """Start a container: ``engine.run("sleep", "60", name="web", privileged=True)``.

        Args:
            command: the program and its arguments; empty for the image's own (``sleep 3600``).
            detach: False waits for its end (60 s at most), removes it and returns output and exit code.
            image: another image than the test image.
            network: ``none``, ``host``, or the name of a user-defined bridge (the lab has no default bridge).
            options: the Docker library's: name, privileged, volumes (``["/proc:/host/proc:ro"]``), tty,
                stdin_open, user, labels, environment, entrypoint, hostname, pid_mode, ipc_mode, ports,
                auto_remove, healthcheck (``{"test": ["CMD-SHELL", "true"], "interval": 200_000_000}``, ns)
        """
        container = self.create(*command, image=image, network=network, **options)
        self.start(container)
        if not detach:
            # Not asked for before it has ended: podman cannot describe a container that ends meanwhile.
            container.exit_code = int(self.client.api.wait(container.id, timeout=ANSWER_TIMEOUT)["StatusCode"])
            container.output = bytes(self.client.api.logs(container.id))
            self.remove(container)
        return container

    def start(self, container: LabContainer | str) -> None:
        """Start a container that exists; returns when the engine says that it runs."""
        self.client.api.start(_id(container))

    def exec(
        self, container: LabContainer | str, command: Sequence[str], *, tty: bool = False, **options: Any
    ) -> tuple[int, bytes]:
        """Run a command inside a running container; returns its exit code and its output."""
        result: Any = self.client.containers.get(_id(container)).exec_run(list(command), tty=tty, **options)
        return int(result.exit_code), bytes(result.output or b"")

    def remove(self, container: LabContainer | str) -> None:
        """Stop a container at once and remove it with its volumes; one that is gone is no error."""
        with contextlib.suppress(docker.errors.NotFound):
            self.client.api.remove_container(_id(container), force=True, v=True)
        with contextlib.suppress(ValueError):
            self._containers.remove(_id(container))


def _id(container: LabContainer | str) -> str:
    return container if isinstance(container, str) else container.id


def _knock(url: str) -> None:
    """Raise OSError when nobody listens at a Unix socket: the library would leave a socket open."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(url.removeprefix("unix://"))
