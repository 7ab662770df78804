"""What the sensor says of a record beside its values (``evt.notes``): where they may not be the whole truth."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from hullwatch.events.table import FLAGS
from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event

_NOTES = {bit: name.lower() for name, bit in FLAGS["record_flags"].items()}


@functools.cache  # of all that the few bits can be
def notes_text(flags: int) -> str:
    """Return the names of a record's flags, joined with commas."""
    return ",".join(name for bit, name in _NOTES.items() if flags & bit)


@field("evt.notes")
def notes(event: Event) -> str | None:
    """How far to trust it: truncated, unreachable (outside its root), user_memory (the caller's name), io_uring."""
    return notes_text(event.flags) or None
