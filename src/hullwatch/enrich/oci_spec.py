"""An OCI runtime specification: what containerd and CRI-O hand to runc, and keep with the container.

Source of the fields: the OCI Runtime Specification, version 1.1, ``config.json``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hullwatch.enrich.bounded import bounded, first, words
from hullwatch.enrich.container import Mount

_PROPAGATIONS = frozenset({"shared", "slave", "private", "rshared", "rslave", "rprivate"})


class _Capabilities(msgspec.Struct):
    bounding: list[str] | None = None


class _User(msgspec.Struct):
    uid: int = 0
    gid: int = 0


class _Process(msgspec.Struct):
    user: _User | None = None
    args: list[str] | None = None
    capabilities: _Capabilities | None = None


class _Mount(msgspec.Struct):
    destination: str = ""
    type: str = ""
    source: str = ""
    options: list[str] | None = None


class _Namespace(msgspec.Struct):
    type: str = ""
    path: str = ""


class _Linux(msgspec.Struct, rename="camel"):
    namespaces: list[_Namespace] | None = None
    masked_paths: list[str] | None = None
    readonly_paths: list[str] | None = None


class Spec(msgspec.Struct):
    """The part of a specification that is used; null and absent mean the same."""

    process: _Process | None = None
    hostname: str = ""
    mounts: list[_Mount] | None = None
    annotations: dict[str, str] | None = None
    linux: _Linux | None = None

    def facts(self, left_out: list[str]) -> dict[str, Any]:
        """Return what it says of a container, by the names that ``Container`` has; what is cut is told."""
        process, linux = self.process or _Process(), self.linux or _Linux()
        spaces = {space.type: space.path for space in linux.namespaces or []}
        user = process.user or _User()
        bounding = (process.capabilities and process.capabilities.bounding) or []
        return {
            "privileged": self.privileged,
            "mounts": tuple(first(self._mounts(), "mounts", left_out)),
            "capabilities": tuple(sorted(words(bounding, "capabilities", left_out))),
            "command": words(process.args, "arguments of the command", left_out),
            "hostname": bounded(self.hostname),
            "user": f"{user.uid}:{user.gid}" if user.gid else str(user.uid),
            "host_network": "network" not in spaces,
            "host_pid": "pid" not in spaces,
            "host_ipc": "ipc" not in spaces,
            "shared_pid": bool(spaces.get("pid")),
        }

    @property
    def privileged(self) -> bool:
        """Whether nothing is kept from it: the capability of administrators, and no path masked or read-only."""
        process, linux = self.process or _Process(), self.linux or _Linux()
        bounding = (process.capabilities and process.capabilities.bounding) or []
        return "CAP_SYS_ADMIN" in bounding and not (linux.masked_paths or linux.readonly_paths)

    def _mounts(self) -> list[Mount]:
        """Return the paths of the host that are mounted; the others are what every container has (/proc, /sys)."""
        found: list[Mount] = []
        for mount in self.mounts or []:
            options = mount.options or []
            if mount.type != "bind" and not {"bind", "rbind"} & set(options):
                continue
            propagation = next((option for option in options if option in _PROPAGATIONS), "")
            found.append(
                Mount(
                    source=bounded(mount.source),
                    destination=bounded(mount.destination),
                    mode=bounded(",".join(options)),
                    rw="ro" not in options,
                    propagation=propagation,
                )
            )
        return found


def read(data: bytes) -> Spec:
    """Return a specification.

    Raises:
        ValueError: when it is none.
    """
    try:
        return msgspec.json.decode(data, type=Spec)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"its specification cannot be read: {bounded(str(error))}") from None
