"""Five bad things that a container can do, for the demonstration and the end-to-end tests.

Each needs only what the demonstration's and the lab's images have: busybox and a static bash. A shell by
another name stands for the programs that are not in them: ``nginx -c ls`` is a server that starts a child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import DockerClient
    from docker.models.containers import Container

UNREACHABLE = "10.254.254.254"  # nobody's: the attempt counts


class Attack(NamedTuple):
    """One behaviour: what it is, the rules that see it, and how it is done in a container that runs."""

    title: str
    rules: frozenset[str]
    run: Callable[[Container], object]


def _shell(container: Container) -> object:
    return container.exec_run(["bash", "-c", "id; true"])


def _server_child(container: Container) -> object:
    container.exec_run(["busybox", "cp", "/bin/bash", "/tmp/nginx"])  # noqa: S108 - in the container
    return container.exec_run(["/tmp/nginx", "-c", "/bin/ls /; true"])  # noqa: S108 - in the container


def _sensitive_file(container: Container) -> object:
    return container.exec_run(["cat", "/etc/shadow"])


def _file_in_dev(container: Container) -> object:
    return container.exec_run(["dd", "if=/dev/zero", "of=/dev/.hidden", "bs=64", "count=1"])


def _system_binary_connects(container: Container) -> object:
    container.exec_run(["busybox", "cp", "/bin/bash", "/tmp/ls"])  # noqa: S108 - in the container
    return container.exec_run(["/tmp/ls", "-c", f"echo > /dev/tcp/{UNREACHABLE}/443"])  # noqa: S108 - in the container


# What is done in a container that runs. The fifth behaviour, a container that is privileged or mounts a
# sensitive host path, is one that is started: see PRIVILEGED.
ATTACKS = (
    Attack("a shell runs in a container", frozenset({"Shell in a container"}), _shell),
    Attack("a server starts a child that it never has", frozenset({"Unexpected child of a server"}), _server_child),
    Attack("a program reads /etc/shadow", frozenset({"Sensitive file read"}), _sensitive_file),
    Attack("a plain file is written to /dev", frozenset({"File written below dev"}), _file_in_dev),
    Attack("ls makes a connection", frozenset({"System program on the network"}), _system_binary_connects),
)


def start_privileged(client: DockerClient, image: str, name: str) -> Container:
    """Start a container with all privileges that mounts the host's /proc."""
    return client.containers.run(
        image,
        ["sleep", "60"],
        name=name,
        detach=True,
        privileged=True,
        network_mode="none",
        volumes=["/proc:/host/proc:ro"],
    )


PRIVILEGED_TITLE = "a container is privileged and mounts the host's /proc"
PRIVILEGED_RULES = frozenset({"Privileged container"})
