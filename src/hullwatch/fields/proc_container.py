"""How a process came into its container: as its first, as a health check, or from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import field
from hullwatch.fields.proc import ancestors

if TYPE_CHECKING:
    from hullwatch.enrich.process import Process
    from hullwatch.events.event import Event

RUNTIME_STAGE = "runc:["  # runc's own processes inside a container's cgroup, by the names they give themselves
RUNTIMES = frozenset({"runc", "crun", "youki", "conmon"})


def came_from_outside(process: Process) -> bool:
    """Tell whether the parent is outside the container, or is the runtime on its way into it."""
    parent = process.parent
    if parent is None or parent.container_id != process.container_id:
        return True
    comm = parent.program.comm
    return comm.startswith(RUNTIME_STAGE) or (comm in RUNTIMES and parent.vpid != 1)


@field("proc.is_container_entry")
def is_container_entry(event: Event) -> bool:
    """Whether the process is in a container and its parent is not: its first process, or one entered by exec."""
    process = event.process
    return process is not None and event.container.id != "host" and came_from_outside(process)


@field("proc.is_container_init")
def is_container_init(event: Event) -> bool:
    """Whether the process is the first of its container, with a pid namespace of its own or without."""
    process, container = event.process, event.container
    if process is None or container.id == "host":
        return False
    if process.vpid == 1 or (container.pid and container.pid == process.pid):
        return True
    return container.host_pid and not container.pid and came_from_outside(process)


@field("proc.is_container_healthcheck")
def is_container_healthcheck(event: Event) -> bool:
    """Whether the process, or an ancestor in the container, is the container's health check."""
    probe = event.container.healthcheck
    if not probe or event.process is None or event.program is None:
        return False
    if _is_probe(event.process, (event.program.exe, *event.program.args), probe):
        return True
    for ancestor in ancestors(event.process):
        if ancestor.container_id != event.process.container_id:
            return False
        if _is_probe(ancestor, (ancestor.program.exe, *ancestor.program.args), probe):
            return True
    return False


def _is_probe(process: Process, arguments: tuple[str, ...], probe: tuple[str, ...]) -> bool:
    """Compare the arguments; a process of the container that only looks like its health check is none."""
    return arguments == probe and came_from_outside(process)
