"""What the engine and the process that writes kept events say to each other, one message each."""

from __future__ import annotations

from typing import Any

import msgspec

from hullwatch.config.events_settings import EventsSettings

FRAME = 96 << 10  # bytes of events in a frame, if one alone is not longer
LONGEST = 48 << 10  # bytes of an event, and of what is said of its process; what is longer has its texts cut
SHORTENED = (4096, 512, 64)  # characters of each text, tried in turn


class SentEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event: which of the frame's processes did it, when (ns since the epoch), for which rule's alert, its values.

    ``rule`` is empty where no alert is the reason; ``values`` are those of ``OF_EVENT``.
    """

    process: int
    time: int
    rule: str
    values: msgspec.Raw


class EventFrame(msgspec.Struct, frozen=True, array_like=True):
    """Events, and what is said of their processes: the values of ``OF_PROCESS``, each as bytes of its own.

    ``limits``: other settings that hold from now on, which the supervisor sends.
    """

    processes: list[bytes] = []
    events: list[SentEvent] = []
    limits: EventsSettings | None = None


class WriterTold(msgspec.Struct, frozen=True, array_like=True):
    """What the writer says.

    Attributes:
        written: events since it said so last.
        problem: what keeps it from writing, a sentence; empty when all is well.
        counts: what it removed, or could not keep, since it said so last, by reason.
    """

    written: int
    problem: str = ""
    counts: dict[str, int] = {}


ENCODER = msgspec.msgpack.Encoder()
FRAMES = msgspec.msgpack.Decoder(EventFrame)
VALUES = msgspec.msgpack.Decoder(list[Any])
TOLD = msgspec.msgpack.Decoder(WriterTold)
