"""What is walked over in C changes nothing: the same events, numbers, fields and counts come as from Python alone."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

import pytest

from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.conversion import convert, newest
from hullwatch.captures.scap.lookup import from_scap
from hullwatch.captures.scap.raw_event import RawEvent
from hullwatch.captures.scap.table import KINDS
from hullwatch.detect.native import library
from hullwatch.fields.catalogue import catalogue
from tests.captures.scap.scap_files import CAPTURES, unpacked

if TYPE_CHECKING:
    from collections.abc import Collection

    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.fields.field import FieldValue

pytestmark = pytest.mark.skipif(library() is None, reason="the library in C was not built")

WANTED = [
    frozenset({"openat", "open", "execve", "connect", "accept"}),
    frozenset({"close", "procexit", "clone", "container"}),
    frozenset({"futex", "mprotect", "fadvise64", "switch"}),
    frozenset[str](),
]
FIELDS = [
    (name, function, field.argument != "none")
    for name, field in catalogue().items()
    if field.argument != "required" and (function := from_scap(field, None)) is not None
]


def fields_of(event: ScapEvent) -> dict[str, FieldValue | None]:
    """Return the value of every field that needs no argument."""
    return {name: function(event, None) if takes else function(event) for name, function, takes in FIELDS}


def judged(data: bytes, wanted: Collection[str], *, native: bool) -> tuple[list[object], dict[str, int], object]:
    """Return what comes of a capture: the fields of its events, the counts, and how it ended."""
    capture = ScapCapture(io.BytesIO(data), "x.scap")
    events: list[object] = [fields_of(event) for event in capture.judged(wanted, native=native)]
    reader = capture.reader
    threads = sorted((one.tid, one.key.pid, one.program.comm, len(one.files)) for one in capture.state.threads)
    return events, capture.counts(), (reader.problem, reader.blocks_read, reader.position, capture.unknown, threads)


@pytest.mark.parametrize(("capture", "wanted"), [(one, WANTED[place % 4]) for place, one in enumerate(CAPTURES)])
def test_captures_give_the_same_events_state_and_counts(capture: str, wanted: frozenset[str]) -> None:
    data = unpacked(capture)
    assert judged(data, wanted, native=True) == judged(data, wanted, native=False)


def test_all_events_are_counted_whether_they_are_looked_at_or_not() -> None:
    data = unpacked("curl_google.scap")
    made = list(ScapCapture(io.BytesIO(data), "x.scap").events())
    _, counts, _ = judged(data, frozenset(), native=True)
    assert sum(counts.values()) == len(made)


def test_damaged_captures_give_the_same_too() -> None:
    random_numbers = random.Random(20261128)
    for round_ in range(15):
        data = bytearray(unpacked(random_numbers.choice(CAPTURES)))
        for _ in range(random_numbers.choice((1, 3, 20))):
            data[random_numbers.randrange(len(data) // 2, len(data))] = random_numbers.choice((0, 1, 127, 255))
        wanted = random_numbers.choice(WANTED)
        assert judged(bytes(data), wanted, native=True) == judged(bytes(data), wanted, native=False), round_


def test_what_an_event_becomes_is_known_from_its_type_and_the_number_of_its_values() -> None:
    for kind in KINDS.values():
        for count in range(len(kind.parameters) + 1):
            event = RawEvent(1, 0, 7, 0, 0, kind, (b"",) * count)
            becomes = convert(event, {})
            assert (becomes.kind.number if becomes is not None else None) == newest(kind.number, count)
