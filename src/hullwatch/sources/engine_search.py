"""Which container engines there are: those that were named, and those whose sockets are where they usually are."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.sources.docker_connection import DOCKER_SOCKET, PODMAN_SOCKET, engine_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAXIMUM_ENGINES = 32
MAXIMUM_USERS = 256  # directories of users that are looked into

CONTAINERD_SOCKETS = (
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
)
CRI_SOCKETS = ("/run/crio/crio.sock",)
USERS = "/run/user"
SOCKETS_OF_USERS = ("podman/podman.sock", "docker.sock")
SCHEMES = ("unix", "containerd", "cri", "podman", "tcp", "http", "https")


class EngineAddress(NamedTuple):
    """Where an engine is: how it is spoken with is the URL's scheme (see ``SCHEMES``); ``user`` owns a rootless one."""

    url: str
    user: int = 0

    @property
    def scheme(self) -> str:
        """How it is spoken with."""
        return self.url.partition("://")[0]

    @property
    def folder(self) -> str:
        """The directory of podman's storage; empty for what is spoken with."""
        return self.url.partition("://")[2] if self.scheme == "podman" else ""

    @property
    def socket(self) -> str:
        """The path of its socket; empty for one that is reached over the network."""
        return self.url.partition("://")[2] if self.scheme in {"unix", "containerd", "cri"} else ""


def docker_sockets(addresses: Iterable[EngineAddress]) -> list[str]:
    """Return the sockets of root's engines that have Docker's API."""
    return [one.socket for one in addresses if one.scheme == "unix" and not one.user]


def find_engines(
    docker_host: str,
    named: Iterable[str],
    environment: Mapping[str, str],
    *,
    search: bool = True,
    storages: Iterable[tuple[str, int]] = (),
) -> list[EngineAddress]:
    """Return the engines to watch, each once, at most 32.

    Args:
        docker_host: the setting ``docker.host``: the one Docker-compatible engine of root's, for which nothing
            is looked for then; DOCKER_HOST does the same.
        named: the setting ``containers.engines``.
        environment: of the process.
        search: whether to look for sockets at the usual places.
        storages: directories where podman keeps containers, with their users: those of users whose podman has a
            socket are not needed.
    """
    found = [EngineAddress(url) for url in named]
    if docker_host or environment.get("DOCKER_HOST", "").strip() or not search:
        found.append(EngineAddress(docker_host or engine_url(environment)))
    else:
        found += [EngineAddress(f"unix://{path}") for path in _sockets((DOCKER_SOCKET, PODMAN_SOCKET))]
    if search:
        found += [EngineAddress(f"containerd://{path}") for path in _sockets(CONTAINERD_SOCKETS)]
        found += [EngineAddress(f"cri://{path}") for path in _sockets(CRI_SOCKETS)]
        found += _of_users()
        found += _without_socket(storages, found, docker_host or environment.get("DOCKER_HOST", "").strip())
    once: dict[str, EngineAddress] = {}
    for address in found:
        once.setdefault(address.socket or address.url, address)
    return list(once.values())[:MAXIMUM_ENGINES]


def _sockets(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if Path(path).is_socket()]


def _without_socket(
    storages: Iterable[tuple[str, int]], found: Iterable[EngineAddress], docker_host: str
) -> list[EngineAddress]:
    """Return the storages of users whose podman nobody can ask."""
    asked = {address.user for address in found if address.socket.endswith("/podman.sock")}
    if docker_host or any(address.socket == PODMAN_SOCKET for address in found):
        asked.add(0)
    return [EngineAddress(f"podman://{folder}", user) for folder, user in storages if user not in asked]


def _of_users() -> list[EngineAddress]:
    """Return the rootless engines; whether it is their user who listens is looked at when they are connected to."""
    found: list[EngineAddress] = []
    try:
        with os.scandir(USERS) as entries:
            users = [entry for entry in islice(entries, MAXIMUM_USERS) if entry.name.isdecimal()]
    except OSError:
        return []
    for user in sorted(users, key=lambda entry: entry.name):
        paths = [os.path.join(user.path, name) for name in SOCKETS_OF_USERS]  # noqa: PTH118 - texts, many of them
        found += [EngineAddress(f"unix://{path}", int(user.name)) for path in _sockets(paths)]
    return found
