"""Fields of the session and of the process group of a process (``proc.sid``, ``proc.pgid``, ...)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import field
from hullwatch.fields.proc import ancestors

if TYPE_CHECKING:
    from hullwatch.enrich.process import Process
    from hullwatch.events.event import Event


def _leader(event: Event, pid: int | None) -> Process | None:
    """Return the process with that id among the process and its ancestors."""
    if event.process is None or pid is None:
        return None
    line = (event.process, *ancestors(event.process))
    return next((one for one in line if one.pid == pid), None)


def _session_leader(event: Event) -> Process | None:
    return _leader(event, event.program.sid if event.program is not None else None)


def _group_leader(event: Event) -> Process | None:
    return _leader(event, event.program.pgid if event.program is not None else None)


@field("proc.sid")
def sid(event: Event) -> int | None:
    """Session id."""
    return event.program.sid if event.program is not None else None


@field("proc.sname")
def sname(event: Event) -> str | None:
    """Name of the session's leader."""
    leader = _session_leader(event)
    return leader.program.comm if leader is not None else None


@field("proc.sid.exe")
def sid_exe(event: Event) -> str | None:
    """First argument of the session's leader."""
    leader = _session_leader(event)
    return leader.program.exe if leader is not None else None


@field("proc.sid.exepath")
def sid_exepath(event: Event) -> str | None:
    """Executable path of the session's leader."""
    leader = _session_leader(event)
    return leader.program.exepath if leader is not None else None


@field("proc.pgid")
def pgid(event: Event) -> int | None:
    """Process group id on the host."""
    return event.program.pgid if event.program is not None else None


@field("proc.pgid.name")
def pgid_name(event: Event) -> str | None:
    """Name of the process group's leader."""
    leader = _group_leader(event)
    return leader.program.comm if leader is not None else None


@field("proc.pgid.exe")
def pgid_exe(event: Event) -> str | None:
    """First argument of the process group's leader."""
    leader = _group_leader(event)
    return leader.program.exe if leader is not None else None


@field("proc.pgid.exepath")
def pgid_exepath(event: Event) -> str | None:
    """Executable path of the process group's leader."""
    leader = _group_leader(event)
    return leader.program.exepath if leader is not None else None


@field("proc.vpgid")
def vpgid(event: Event) -> int | None:
    """Process group id in the process's own pid namespace."""
    leader = _group_leader(event)
    return leader.vpid if leader is not None else None


@field("proc.vpgid.name")
def vpgid_name(event: Event) -> str | None:
    """Name of the process group's leader."""
    return pgid_name(event)


@field("proc.vpgid.exe")
def vpgid_exe(event: Event) -> str | None:
    """First argument of the process group's leader."""
    return pgid_exe(event)


@field("proc.vpgid.exepath")
def vpgid_exepath(event: Event) -> str | None:
    """Executable path of the process group's leader."""
    return pgid_exepath(event)


@field("proc.is_sid_leader")
def is_sid_leader(event: Event) -> bool | None:
    """Whether the process leads its session."""
    return sid(event) == event.process.pid if event.process is not None else None


@field("proc.is_pgid_leader")
def is_pgid_leader(event: Event) -> bool | None:
    """Whether the process leads its process group."""
    return pgid(event) == event.process.pid if event.process is not None else None


@field("proc.is_vpgid_leader")
def is_vpgid_leader(event: Event) -> bool | None:
    """Whether the process leads its process group."""
    return is_pgid_leader(event)
