"""Fields of the path that a file call names (``fs.path.*``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event


@field("fs.path.name")
def name(event: Event) -> str | None:
    """Path that the call names, also when it failed."""
    value = event.params.get("name") if event.type.layout.name == "open" else None
    if not isinstance(value, str):
        return None
    if value.startswith("/") or event.program is None or not event.program.cwd:
        return value
    return f"{event.program.cwd.rstrip('/')}/{value}"


@field("fs.path.nameraw")
def nameraw(event: Event) -> str | None:
    """Path that the call names, as the event has it."""
    value = event.params.get("name") if event.type.layout.name == "open" else None
    return value if isinstance(value, str) else None
