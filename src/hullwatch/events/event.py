"""The event that rules see: a decoded record with what is known around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.enrich.container import Container
    from hullwatch.enrich.process import Process, Program
    from hullwatch.events.codec import Value
    from hullwatch.events.table import EventType


class Names(Protocol):
    """Knows the domain names of addresses (``enrich/names.py``)."""

    clock_offset: int  # of the wall clock from the time since boot, ns

    def of(self, container_id: str, address: bytes, time: int) -> tuple[str, ...]:
        """Return the names that an address has at a time (ns since the epoch) in a container, by its 64-digit id."""
        ...


class Event:
    """One completed call (or container event) with its process and container.

    Attributes:
        number: counts the events of a run from 1 (``evt.num``).
        time: ns since the epoch, UTC.
        type: the row of the event table; ``type.name`` is ``evt.type``.
        params: the parameters by name; which ones, the event table says.
        process: the process that made the call; None when it is not known.
        program: what that process was running *at that moment* (``process.program`` may be newer).
        container: the container, or ``HOST``.
        uid: effective at the moment of the call.
        tid: thread id.
        cpu: where the call was made.
        flags: the record flags of the event table.
        names: knows the domain names of addresses; None where nobody does.
        held: True when the event waited for its container's metadata.
    """

    __slots__ = (
        "container",
        "cpu",
        "flags",
        "held",
        "names",
        "number",
        "params",
        "process",
        "program",
        "tid",
        "time",
        "type",
        "uid",
    )

    def __init__(  # noqa: PLR0913 - a record has this many parts
        self,
        *,
        number: int,
        time: int,
        type: EventType,  # noqa: A002 - Falco's word
        params: Mapping[str, Value],
        process: Process | None,
        container: Container,
        uid: int = 0,
        tid: int = 0,
        cpu: int = 0,
        flags: int = 0,
    ) -> None:
        """Take what the record and the state say."""
        self.number = number
        self.time = time
        self.type = type
        self.params = params
        self.process = process
        self.program: Program | None = process.program if process is not None else None
        self.container = container
        self.uid = uid
        self.tid = tid
        self.cpu = cpu
        self.flags = flags
        self.names: Names | None = None
        self.held = False
