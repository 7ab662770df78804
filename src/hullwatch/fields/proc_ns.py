"""Fields of the namespaces that a process lives in (``proc.ns.net``, ``proc.ns.net.is_host``). Falco has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.enrich.namespaces import NAMESPACES
from hullwatch.fields.field import FieldType, field

if TYPE_CHECKING:
    from hullwatch.events.event import Event

_WORDS = {"mnt": "mount", "net": "network"}


def _register(place: int, kind: str) -> None:
    """Register both fields of one kind of namespaces."""
    words = _WORDS.get(kind, kind)

    def number(event: Event) -> int | None:
        program = event.program
        return program.namespaces[place] or None if program is not None and program.namespaces else None

    def is_host(event: Event) -> bool | None:
        program, own = event.program, number(event)
        host = program.host_namespaces[place] if program is not None and program.host_namespaces else 0
        return own == host if own and host else None

    number.__doc__ = f"Number of the process's {words} namespace, as the link /proc/PID/ns/{kind} shows it."
    is_host.__doc__ = f"Whether the process is in the {words} namespace of the host."
    field(f"proc.ns.{kind}", FieldType.UINT64)(number)
    field(f"proc.ns.{kind}.is_host", FieldType.BOOL)(is_host)


NAMESPACE_FIELDS = frozenset(f"proc.ns.{kind}{end}" for kind in NAMESPACES for end in ("", ".is_host"))
"""The names of all fields here."""

for _place, _kind in enumerate(NAMESPACES):
    _register(_place, _kind)
