"""What the sensor is asked to send."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection


class Interest(NamedTuple):
    """Which calls are to be sent; what carries state always comes.

    Attributes:
        wanted: names of event types; None for all.
        narrowed: those of them that the sensor asks about, process by process: it leaves out what it is told that
            no rule can match for a process (``Answer``).
        succeeded: those of which failed calls are of no interest.
    """

    wanted: Collection[str] | None
    narrowed: Collection[str] = ()
    succeeded: Collection[str] = ()


class Void(enum.IntEnum):
    """What is not so any more of what a sensor was told to leave out."""

    NOTHING = 0
    CALLS = 1
    """What no rule can match when certain processes do it: something else is known of processes now."""
    ALL = 2
    """Also what no rule can match whoever does it: the rules are others."""


class Answer(NamedTuple):
    """What a process is ruled out for, as long as nothing of it changes.

    Attributes:
        fingerprint: of the process, as the sensor's question had it.
        types: event types of ``Interest.narrowed``, as u16 numbers behind each other.
    """

    fingerprint: int
    types: bytes
