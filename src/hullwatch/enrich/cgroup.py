"""The container that a control group belongs to, read from the group's path.

Engines name a container's cgroup by its id, each in its own way:

| engine | cgroupfs driver | systemd driver |
|---|---|---|
| Docker | ``/docker/ID`` | ``/system.slice/docker-ID.scope`` |
| Podman | ``/libpod_parent/libpod-ID`` | ``/machine.slice/libpod-ID.scope`` |
| containerd's CRI | ``/kubepods/besteffort/podUID/ID`` | ``/kubepods.slice/.../cri-containerd-ID.scope`` |
| CRI-O | ``/kubepods/besteffort/podUID/crio-ID`` | ``/kubepods.slice/.../crio-ID.scope`` |

``--cgroup-parent`` puts any of them elsewhere, so only the component with the id counts. A conmon
process (``libpod-conmon-ID.scope``) watches a container from outside and is none of it.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

MAXIMUM_PATH = 4096  # characters; the kernel has no longer path
ID_DIGITS = 64

# The third form is containerd's when it was told another driver than the kubelet.
_CONTAINER = re.compile(
    r"(?:^|/)(?:(?P<engine>docker|libpod|cri-containerd|crio)-|[^/]*:(?P<unit>docker|cri-containerd|crio):)?"
    r"(?P<id>[0-9a-f]{64})(?:\.scope)?(?=/|\Z)"
)
_KINDS = {"docker": "docker", "libpod": "podman", "cri-containerd": "containerd", "crio": "cri-o"}


class CgroupContainer(NamedTuple):
    """A container as its cgroup names it: the 64-digit id, and the engine's kind or an empty string."""

    id: str
    kind: str


def find_container(path: str) -> CgroupContainer | None:
    """Return the container that a cgroup path (v1 or v2) lies in, or None on the host.

    Of nested containers the outermost counts: it is the one that this host's engine knows, and what
    runs inside may name the groups below as it likes, to be taken for another container.

    Args:
        path: as in /proc/PID/cgroup; what follows the 4096th character is not looked at.
    """
    if len(path) < ID_DIGITS:
        return None
    if len(path) > MAXIMUM_PATH:
        path = path[: path.rfind("/", 0, MAXIMUM_PATH) + 1]
    found = _CONTAINER.search(path)
    if found is None:
        return None
    kind = _KINDS.get(found["engine"] or found["unit"] or "", "")
    if not kind and path[: found.start()].rpartition("/")[2] == "docker":
        kind = "docker"
    return CgroupContainer(found["id"], kind)


def container_id(path: str) -> str | None:
    """Return the 64-digit id of the container that a cgroup path lies in, or None on the host."""
    return _container_id(path[: MAXIMUM_PATH + 1])


@functools.lru_cache(1024)  # a host has about as many control groups as containers and services
def _container_id(path: str) -> str | None:
    found = find_container(path)
    return None if found is None else found.id
