"""What system calls change of a process between two execs: directory, session, group, capabilities, namespaces."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hullwatch.enrich.namespaces import read_namespaces
from hullwatch.events.table import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hullwatch.enrich.process import Process, Program

    Values = Mapping[str, Any]

_LEFT = 0xFFFFFFFF  # "leave it as it is"
_CAPABILITIES = ("cap_inheritable", "cap_permitted", "cap_effective")


def change(name: str, process: Process, values: Values, *, by_leader: bool) -> Process | None:
    """Let a call change the process that it is about; return that one, or None when nothing is changed.

    Args:
        name: of the event.
        process: that made the call.
        values: the event's parameters.
        by_leader: whether its first thread made it: capabilities, groups and namespaces belong to a thread, and the
            first one stands for the process.
    """
    if values["res"] < 0:
        return None
    if name == "setpgid":
        target = _target(process, values["pid"])
        return _replace(target, pgid=_group(process, target, values["pgid"])) if target is not None else None
    changed = _CHANGES[name](process, values, by_leader)
    return _replace(process, **changed) if changed else None


def _replace(process: Process, **changed: Any) -> Process | None:
    """Give a process another program object: the one that it has may be its parent's too."""
    program = process.program
    if all(getattr(program, name) == value for name, value in changed.items()):
        return None
    process.program = with_changes(program, **changed)
    return process


def with_changes(program: Program, **changed: Any) -> Program:
    """Return a copy of a program with other values."""
    program = copy.copy(program)
    for name, value in changed.items():
        setattr(program, name, value)
    if program.content:
        program.set_content(program.content[0])
    return program


def _directory(_process: Process, values: Values, _by_leader: bool) -> dict[str, Any]:  # noqa: FBT001 - one of a table
    return {"cwd": values["path"]}


def _session(process: Process, _values: Values, _by_leader: bool) -> dict[str, Any]:  # noqa: FBT001 - one of a table
    return {"sid": process.pid, "pgid": process.pid}


def _effective_group(_process: Process, values: Values, by_leader: bool) -> dict[str, Any]:  # noqa: FBT001 - one of a table
    gid = values.get("egid", values.get("gid", _LEFT))
    return {"gid": gid} if by_leader and gid != _LEFT else {}


def _held(_process: Process, values: Values, by_leader: bool) -> dict[str, Any]:  # noqa: FBT001 - one of a table
    return {name: values[name] for name in _CAPABILITIES} if by_leader else {}


def _elsewhere(_process: Process, values: Values, by_leader: bool) -> dict[str, Any]:  # noqa: FBT001 - one of a table
    namespaces = read_namespaces(values["namespaces"])
    return {"namespaces": namespaces} if by_leader and namespaces else {}


def _target(process: Process, pid: int) -> Process | None:
    """Return the process that setpgid() names: the caller or a child, by its number in the caller's namespace."""
    if pid in {0, process.vpid}:
        return process
    return next((child for child in process.children if child.vpid == pid and child.alive), None)


def _group(process: Process, target: Process, pgid: int) -> int:
    """Return the group's number on the host: its leader is the process itself or one that is near."""
    if pgid in {0, target.vpid}:
        return target.pid
    near = (process, *process.children, *((process.parent,) if process.parent is not None else ()))
    return next((one.pid for one in near if one.vpid == pgid), pgid)


_CHANGES: dict[str, Callable[[Process, Values, bool], dict[str, Any]]] = {
    "chdir": _directory,
    "fchdir": _directory,
    "setsid": _session,
    "setgid": _effective_group,
    "setregid": _effective_group,
    "setresgid": _effective_group,
    "capset": _held,
    "setns": _elsewhere,
    "unshare": _elsewhere,
}

CHANGING = {event.number: event.name for event in EVENTS if event.changes}
"""Events that change a process, by number."""
