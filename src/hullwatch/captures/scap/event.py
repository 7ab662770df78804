"""The event of a capture as rules see it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, EventType

if TYPE_CHECKING:
    from hullwatch.captures.scap.descriptors import Descriptor
    from hullwatch.captures.scap.raw_event import RawEvent
    from hullwatch.captures.scap.state import Around, State
    from hullwatch.captures.scap.threads import Thread

_LAYOUT = BY_NAME["container"].layout  # the values are not in params: nothing reads it


class ScapEvent(Event):
    """An event with the state around it.

    Attributes:
        raw: the event in its newest form.
        thread: that it belongs to; None when it belongs to none.
        fd_number: of the descriptor that it is about; None for events that are about none.
        descriptor: what that is of; None when it is not known.
        state: of the capture, for what is looked up when somebody asks.
    """

    __slots__ = ("descriptor", "fd_number", "raw", "state", "thread")

    raw: RawEvent
    thread: Thread | None
    fd_number: int | None
    descriptor: Descriptor | None
    state: State


def make_event(raw: RawEvent, around: Around, state: State, name: str, category: str) -> ScapEvent:
    """Return the event that rules see.

    Args:
        raw: in its newest form.
        around: what is known around it.
        state: of the capture.
        name: ``evt.type``.
        category: ``evt.category``.
    """
    thread = around.thread
    event = ScapEvent(
        number=raw.number,
        time=raw.time,
        type=_type(name, category),
        params={},
        process=thread,
        container=state.container_of(raw, thread),
        uid=thread.uid if thread is not None else 0,
        tid=raw.tid,
        cpu=raw.cpu,
    )
    event.raw, event.thread, event.state = raw, thread, state
    event.fd_number, event.descriptor = around.number, around.descriptor
    return event


@functools.lru_cache(4096)
def _type(name: str, category: str) -> EventType:
    return EventType(number=0, name=name, index=0, layout=_LAYOUT, category=category, doc="")
