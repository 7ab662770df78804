"""How a process came into its container: as its first, as a health check, or from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import field
from hullwatch.fields.proc import ancestors

if TYPE_CHECKING:
    from hullwatch.enrich.container import Container
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
def is_containerentry_of(event: Event) -> bool:
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


@field("proc.is_container_exec")
def is_container_exec(event: Event) -> bool:
    """Whether the process, or an ancestor, entered its container later (docker exec, kubectl exec), no probe of it."""
    process, container = event.process, event.container
    if process is None or container.id == "host":
        return False
    entry = entry_of(process)
    if _is_first(entry, container):
        return False
    program = event.program if entry is process and event.program is not None else entry.program
    return not program.comm.startswith(RUNTIME_STAGE) and (program.exe, *program.args) not in _probes(container)


def entry_of(process: Process) -> Process:
    """Return the process or ancestor that came from outside; it is remembered, for the way up may be long."""
    below: list[Process] = []
    current = process
    while current.entry is None:
        below.append(current)
        if current.parent is None or came_from_outside(current):
            current.entry = current
            break
        current = current.parent
    for one in below:
        one.entry = current.entry
    return current.entry or process


def _is_first(entry: Process, container: Container) -> bool:
    """Tell whether a process that came from outside is the container's first; where that is not known, it is taken so.

    Without process ids of its own a container's first process is known by its number alone, which the engine tells.
    """
    if entry.vpid == 1 or container.pid:
        return entry.vpid == 1 or container.pid == entry.pid
    return container.host_pid or container.shared_pid or entry.vpid == entry.pid


def _probes(container: Container) -> tuple[tuple[str, ...], ...]:
    named = (container.healthcheck, container.liveness_probe, container.readiness_probe)
    return tuple(probe for probe in named if probe)


@field("proc.is_container_healthcheck")
def is_container_healthcheck(event: Event) -> bool:
    """Whether the process, or an ancestor in the container, is the container's health check."""
    return _belongs_to(event, event.container.healthcheck)


@field("proc.is_container_liveness_probe")
def is_container_liveness_probe(event: Event) -> bool:
    """Whether the process, or an ancestor in the container, is the container's liveness probe."""
    return _belongs_to(event, event.container.liveness_probe)


@field("proc.is_container_readiness_probe")
def is_container_readiness_probe(event: Event) -> bool:
    """Whether the process, or an ancestor in the container, is the container's readiness probe."""
    return _belongs_to(event, event.container.readiness_probe)


def _belongs_to(event: Event, probe: tuple[str, ...]) -> bool:
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
