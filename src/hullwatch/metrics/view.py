"""What metrics are made of: the status that the engine writes, and what can be asked of the kernel."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from hullwatch.errors import CannotError
from hullwatch.metrics.processes import Usage, usages

if TYPE_CHECKING:
    from pathlib import Path

STATUS_FILE = "status.json"
LARGEST_STATUS = 4 << 20  # bytes


class View(NamedTuple):
    """One look at an instance.

    Attributes:
        status: what the engine wrote last; empty when it has not written yet.
        processes: what each process uses, by role.
        now: seconds since the epoch.
        host: name of this machine.
        kernel: its release.
    """

    status: dict[str, Any]
    processes: dict[str, Usage]
    now: float
    host: str
    kernel: str

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


def read_status(state: Path) -> dict[str, Any]:
    """Return what the instance of a state directory has written last; empty when there is nothing.

    Raises:
        CannotError: when it may not be read, or is no status.
    """
    path = state / STATUS_FILE
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.read(LARGEST_STATUS), type=dict[str, Any])
    except FileNotFoundError:
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
    status = read_status(state)
    pid = int(status.get("pid", 0)) if supervisor is None else supervisor
    if supervisor is not None and status.get("pid") != supervisor:
        status = {}  # it was written by an instance of before
    machine = os.uname()
    return View(status, usages(pid) if pid else {}, time.time(), machine.nodename, machine.release)
