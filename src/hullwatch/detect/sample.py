"""An event of each type, to ask what its type alone decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.enrich.container import HOST
from hullwatch.events.codec import decode, encode
from hullwatch.events.event import Event
from hullwatch.fields.inputs import result_parameter

if TYPE_CHECKING:
    from hullwatch.events.table import EventType

_ERROR = -1  # minus EPERM


def sample_event(kind: EventType, *, failed: bool) -> Event:
    """Return an event of a type with no process and empty parameters, of a call that failed or did not."""
    result = result_parameter(kind.layout)
    params = decode(kind, encode(kind))
    if failed and result is not None:
        params[result] = _ERROR
    return Event(number=0, time=0, type=kind, params=params, process=None, container=HOST)
