"""What each process of an instance uses: CPU time and memory, as the kernel counts them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST = 32  # children that are looked at
# By what the kernel calls them: 15 characters of the name at most.
_ROLES = {
    "hullwatch-engin": "engine",
    "hullwatch-senso": "sensor",
    "hullwatch-drift": "drift",
    "hullwatch-keepe": "keeper",
    "hullwatch-metri": "metrics",
    "hullwatch-api": "api",
    "hullwatch-k8s": "kubernetes",
    "hullwatch-kube": "cluster",
}


class Usage(NamedTuple):
    """What the processes of a role use together: CPU seconds, and bytes of memory that are in use and addressed."""

    cpu: float
    resident: int
    addressed: int


def usages(supervisor: int, proc: Path = _PROC) -> dict[str, Usage]:
    """Return what the supervisor and its children use, by role; a process that ends meanwhile is left out.

    Args:
        supervisor: its process id.
        proc: where the kernel tells of processes.
    """
    found: dict[str, Usage] = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        found["supervisor"] = _usage(proc / str(supervisor))[1]
    children: list[str] = []
    with contextlib.suppress(OSError):
        children = (proc / str(supervisor) / "task" / str(supervisor) / "children").read_text().split()
    for pid in children[:_MOST]:
        with contextlib.suppress(OSError, ValueError, IndexError):
            name, usage = _usage(proc / pid)
            role = _ROLES.get(name, "other")
            before = found.get(role, Usage(0, 0, 0))
            found[role] = Usage(
                before.cpu + usage.cpu, before.resident + usage.resident, before.addressed + usage.addressed
            )
    return found


def _usage(process: Path) -> tuple[str, Usage]:
    """Return a process's name and what it uses."""
    line = (process / "stat").read_text(encoding="utf-8", errors="replace")
    name = line[line.index("(") + 1 : line.rindex(")")]
    words = line[line.rindex(")") + 2 :].split()
    return name, Usage((int(words[11]) + int(words[12])) / _TICKS, int(words[21]) * _PAGE, int(words[20]))
