"""Fields of the thread that made the call (``thread.*``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


@field("thread.tid")
def tid(event: Event) -> int | None:
    """Thread id on the host."""
    return event.tid if event.process is not None else None


@field("thread.ismain")
def ismain(event: Event) -> bool | None:
    """Whether the thread is the first of its process."""
    return event.tid == event.process.pid if event.process is not None else None


@field("thread.vtid")
def vtid(event: Event) -> int | None:
    """Thread id in the process's own pid namespace; known for the first thread only."""
    return event.process.vpid if event.process is not None and event.tid == event.process.pid else None


@field("thread.nametid")
def nametid(event: Event) -> str | None:
    """Name of the process and thread id, joined."""
    return f"{event.program.comm}{event.tid}" if event.program is not None else None
