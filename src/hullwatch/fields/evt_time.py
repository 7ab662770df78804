"""Fields of the time of an event (``evt.time``, ``evt.datetime``, ``evt.rawtime``)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hullwatch.fields.field import field

if TYPE_CHECKING:
    from hullwatch.events.event import Event

SECOND = 1_000_000_000  # ns


def _local(event: Event, form: str) -> str:
    return time.strftime(form, time.localtime(event.time // SECOND))


@field("evt.time")
def clock(event: Event) -> str:
    """Time of day with nanoseconds, in the host's time zone."""
    return f"{_local(event, '%H:%M:%S')}.{event.time % SECOND:09d}"


@field("evt.outputtime")
def output_time(event: Event) -> str:
    """The same as evt.time."""
    return clock(event)


@field("evt.time.s")
def clock_seconds(event: Event) -> str:
    """Time of day without nanoseconds, in the host's time zone."""
    return _local(event, "%H:%M:%S")


@field("evt.time.iso8601")
def iso8601(event: Event) -> str:
    """Date and time with nanoseconds in UTC."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(event.time // SECOND))
    return f"{moment}.{event.time % SECOND:09d}+0000"


@field("evt.datetime")
def datetime(event: Event) -> str:
    """Date and time with nanoseconds, in the host's time zone."""
    return f"{_local(event, '%Y-%m-%d %H:%M:%S')}.{event.time % SECOND:09d}"


@field("evt.datetime.s")
def datetime_seconds(event: Event) -> str:
    """Date and time without nanoseconds, in the host's time zone."""
    return _local(event, "%Y-%m-%d %H:%M:%S")


@field("evt.rawtime")
def rawtime(event: Event) -> int:
    """Time, ns since the epoch."""
    return event.time


@field("evt.rawtime.s")
def rawtime_seconds(event: Event) -> int:
    """Time, whole seconds since the epoch."""
    return event.time // SECOND


@field("evt.rawtime.ns")
def rawtime_nanoseconds(event: Event) -> int:
    """Nanoseconds of the time within its second."""
    return event.time % SECOND
