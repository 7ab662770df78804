"""Kept events to test with: made up, and written as the writer does it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.alerts.mask import Masker
from hullwatch.config.events_settings import EventsSettings
from hullwatch.store.frames import MAXIMUM_MESSAGE, make_pair
from hullwatch.store.kept.columns import OF_EVENT, OF_PROCESS
from hullwatch.store.kept.frames import ENCODER, TOLD, EventFrame, SentEvent
from hullwatch.store.kept.reading import KeptReader, Wanted
from hullwatch.store.kept.writing import EventWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEGIN = 1_795_000_000_000_000_000 // 3_600_000_000_000 * 3_600_000_000_000  # ns; the begin of an hour in 2026
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
EVERY = "evt.num >= 0"
MASKER = Masker()

Made = dict[str, Any]


def made(number: int, **values: Any) -> Made:
    """Return an event; names are those of fields, with _ for the dots."""
    event: Made = {
        "evt.num": number, "evt.type": "openat", "fd.name": f"/etc/{number}", "proc.name": "curl",
        "proc.cmdline": "curl -s x", "proc.pid": 7, "container.id": "host", "user.uid": 0, "evt.failed": False,
    }  # fmt: skip
    return event | {name.replace("_", "."): value for name, value in values.items()}


def frame(events: Sequence[Made], begin: int = BEGIN, step: int = 1_000_000) -> bytes:
    """Return the message of events that follow each other; ``time`` and ``rule`` may be among their values."""
    processes: dict[bytes, int] = {}
    sent: list[SentEvent] = []
    for event in events:
        process = processes.setdefault(ENCODER.encode([event.get(name) for name in OF_PROCESS]), len(processes))
        values = msgspec.Raw(ENCODER.encode([event.get(name) for name in OF_EVENT]))
        moment = event.get("time", begin + event["evt.num"] * step)
        sent.append(SentEvent(process, moment, event.get("rule", ""), values))
    return ENCODER.encode(EventFrame(list(processes), sent))


def write(root: Path, *frames: bytes, settings: EventsSettings | None = None) -> dict[str, int]:
    """Have frames written by a writer that ends then; return what it has counted."""
    ours, theirs = make_pair()
    writer = EventWriter([theirs], settings or EventsSettings(age=100 * 365 * 86_400.0), root, MASKER)
    serving = threading.Thread(target=writer.serve)
    counts: dict[str, int] = {}
    serving.start()
    ours.settimeout(10)
    for one in frames:
        ours.send(one)
    ours.shutdown(socket.SHUT_WR)
    serving.join(20)
    assert not serving.is_alive()
    theirs.close()
    while data := ours.recv(MAXIMUM_MESSAGE):
        for reason, number in TOLD.decode(data).counts.items():
            counts[reason] = counts.get(reason, 0) + number
    ours.close()
    return counts


def numbers(root: Path, condition: str = EVERY, **wanted: Any) -> list[int]:
    """Return the numbers of the events that a condition holds for."""
    reader = KeptReader(root, Wanted(condition, "%evt.num", **wanted))
    found = [event.number for event in reader.events()]
    assert reader.problems == []
    return found
