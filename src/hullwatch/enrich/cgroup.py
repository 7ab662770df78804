"""The container that a control group belongs to, read from the group's path.

Engines name a container's cgroup by its id, each in its own way:

| engine | cgroupfs driver | systemd driver |
|---|---|---|
| Docker | ``/docker/ID`` | ``/system.slice/docker-ID.scope`` |
| Podman | ``/libpod_parent/libpod-ID`` | ``/machine.slice/libpod-ID.scope`` |
| Podman in a unit (quadlet), ``--cgroups=split`` | ``/system.slice/UNIT.service/libpod-payload-ID`` | the same |
| Podman, in a pod | ``/libpod_parent/PODID/libpod-ID`` | ``/machine.slice/machine-libpod_pod_PODID.slice/...`` |
| rootless ones | | ``/user.slice/user-UID.slice/user@UID.service/user.slice/docker-ID.scope`` |
| containerd's CRI | ``/kubepods/besteffort/podUID/ID`` | ``/kubepods.slice/.../cri-containerd-ID.scope`` |
| CRI-O | ``/kubepods/besteffort/podUID/crio-ID`` | ``/kubepods.slice/.../crio-ID.scope`` |

``--cgroup-parent`` puts any of them elsewhere, so only the component with the id counts. A conmon
process (``libpod-conmon-ID.scope``) watches a container from outside and is none of it. The kubelet
names a pod's group by its uid, in a slice's name with ``_`` for ``-``.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

MAXIMUM_PATH = 4096  # characters; the kernel has no longer path
ID_DIGITS = 64

# The third form is containerd's when it was told another driver than the kubelet. What lies right below
# libpod_parent without a prefix is a pod of Podman's.
_CONTAINER = re.compile(
    r"(?:^|/)(?:(?P<engine>docker|libpod(?:-payload)?|cri-containerd|crio)-|[^/]*:(?P<unit>docker|cri-containerd|crio):"
    r"|(?<!/libpod_parent/))(?P<id>[0-9a-f]{64})(?:\.scope)?(?=/|\Z)"
)
_KINDS = {"docker": "docker", "libpod": "podman", "cri-containerd": "containerd", "crio": "cri-o"}

# A static pod's uid is a hash of 32 digits.
_POD = re.compile(
    r"(?:^|[/-])pod(?P<uid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}(?:_[0-9a-f]{4}){3}_[0-9a-f]{12}"
    r"|[0-9a-f]{32})(?:\.slice)?(?=[/:]|\Z)"
)


class CgroupContainer(NamedTuple):
    """A container as its cgroup names it: the 64-digit id, and the engine's kind and the pod's uid or empty strings."""

    id: str
    kind: str
    pod_uid: str = ""


def find_container(path: str) -> CgroupContainer | None:
    """Return the container that a cgroup path (v1 or v2) lies in, or None on the host.

    Of nested containers the outermost counts: it is the one that this host's engine knows, and what
    runs inside may name the groups below as it likes, to be taken for another container.

    Args:
        path: as in /proc/PID/cgroup; what follows the 4096th character is not looked at.
    """
    if len(path) < ID_DIGITS:
        return None
    return _find_container(path[: MAXIMUM_PATH + 1])


@functools.lru_cache(1024)  # a host has about as many control groups as containers and services
def _find_container(path: str) -> CgroupContainer | None:
    if len(path) > MAXIMUM_PATH:
        path = path[: path.rfind("/", 0, MAXIMUM_PATH) + 1]
    found = _CONTAINER.search(path)
    if found is None:
        return None
    kind = _KINDS.get((found["engine"] or found["unit"] or "").removesuffix("-payload"), "")
    above = path[: found.start("id")]
    if not kind and above.rstrip("/").rpartition("/")[2] == "docker":
        kind = "docker"
    pod = _POD.search(above)
    return CgroupContainer(found["id"], kind, pod["uid"].replace("_", "-") if pod is not None else "")


def container_id(path: str) -> str | None:
    """Return the 64-digit id of the container that a cgroup path lies in, or None on the host."""
    found = find_container(path)
    return None if found is None else found.id
