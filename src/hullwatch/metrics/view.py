"""What metrics are made of: the status that the engine writes, and what can be asked of the kernel."""

from __future__ import annotations

import os
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from hullwatch.errors import CannotError
from hullwatch.metrics.processes import Usage, usages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STATUS_FILE = "status.json"
KEEPER_FILE = "keeper.json"  # what the keeper writes
AUDIT_FILE = "kubernetes.json"  # what the process writes that takes audit events
CLUSTER_FILE = "cluster.json"  # what the one writes that follows a cluster
OUTPUTS_FILE = "outputs/outputs.json"  # what it writes of the outputs
LARGEST_STATUS = 4 << 20  # bytes


class View(NamedTuple):
    """One look at an instance.

    Attributes:
        status: what the engine wrote last; empty when it has not written yet.
        processes: what each process uses, by role.
        now: seconds since the epoch.
        host: name of this machine.
        kernel: its release.
        keeper: what the keeper wrote last; empty where there is none.
        outputs: what it wrote of each output.
        audit: what the process wrote last that takes audit events; empty where there is none.
        cluster: what the one wrote last that follows a Kubernetes cluster; empty where there is none.
    """

    status: dict[str, Any]
    processes: dict[str, Usage]
    now: float
    host: str
    kernel: str
    keeper: Mapping[str, Any] = MappingProxyType({})
    outputs: tuple[dict[str, Any], ...] = ()
    audit: Mapping[str, Any] = MappingProxyType({})
    cluster: Mapping[str, Any] = MappingProxyType({})

    def number(self, path: str) -> float:
        """Return a number of the status by its dotted path; 0 where there is none."""
        found = self._at(path)
        return found if isinstance(found, (int, float)) else 0

    def table(self, path: str) -> dict[str, float]:
        """Return the numbers of a part of the status by their names."""
        found = self._at(path)
        items = cast("dict[str, object]", found).items() if isinstance(found, dict) else ()
        return {key: value for key, value in items if isinstance(value, (int, float))}

    def _at(self, path: str) -> object:
        found: object = self.status
        for name in path.split("."):
            found = cast("dict[str, object]", found).get(name) if isinstance(found, dict) else None
        return found

    def dropped(self) -> list[tuple[str, str, float]]:
        """Return what was lost: type, reason and number."""
        tables = cast("dict[str, dict[str, float]]", self.status.get("dropped", {}))
        return [(kind, reason, number) for kind, table in tables.items() for reason, number in table.items()]


def read_status(path: Path) -> dict[str, Any]:
    """Return what a process has written last; empty when there is nothing.

    Raises:
        CannotError: when it may not be read, or is no status.
    """
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.read(LARGEST_STATUS), type=dict[str, Any])
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        raise CannotError(f"{path} may not be read by this user: run it with sudo.") from error
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CannotError(f"{path} cannot be read: {error}.") from error


def look(state: Path, supervisor: int | None = None) -> View:
    """Look at the instance of a state directory.

    Args:
        state: the directory of what lasts.
        supervisor: its process id; None for the one that the status names.

    Raises:
        CannotError: when the status may not be read, or is none.
    """
    written = [read_status(state / name) for name in (STATUS_FILE, AUDIT_FILE, CLUSTER_FILE)]
    pid = _instance(written) if supervisor is None else supervisor
    # What an instance of before has written is none of this one's.
    status, audit, cluster = (one if one.get("pid") == pid else {} for one in written)
    machine = os.uname()
    keeper, outputs = _of_keeper(state, status or audit)
    used = usages(pid) if pid else {}
    return View(status, used, time.time(), machine.nodename, machine.release, keeper, outputs, audit, cluster)


def _instance(written: list[dict[str, Any]]) -> int:
    """Return the instance that has written last; 0 for none."""
    newest = max(written, key=lambda one: _when(one, "updated"))
    pid = newest.get("pid")
    return pid if isinstance(pid, int) else 0


def _of_keeper(state: Path, status: dict[str, Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """Return what the keeper of an instance has written of itself and of the outputs, not what one of before has."""
    if not status:
        return {}, ()
    keeper, told = read_status(state / KEEPER_FILE), read_status(state / OUTPUTS_FILE)
    started = _when(status, "started")
    listed: object = told.get("outputs") if _when(told, "updated") >= started else None
    rows = cast("list[object]", listed) if isinstance(listed, list) else []
    outputs = tuple(cast("dict[str, Any]", one) for one in rows if isinstance(one, dict))
    return keeper if _when(keeper, "updated") >= started else {}, outputs


def _when(said: dict[str, Any], name: str) -> float:
    found = said.get(name)
    return found if isinstance(found, (int, float)) else 0.0
