"""What is walked over in C changes nothing: the same events, numbers, fields and counts come as from Python alone."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

import pytest

from hullwatch.captures.scap import threads as known_threads
from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.conversion import convert, newest
from hullwatch.captures.scap.lookup import from_scap
from hullwatch.captures.scap.raw_event import RawEvent
from hullwatch.captures.scap.table import KINDS
from hullwatch.detect.native import library
from hullwatch.fields.catalogue import catalogue
from tests.captures.scap.made_up_streams import beginning, made_up_stream
from tests.captures.scap.scap_files import (
    CAPTURES,
    closed,
    event,
    i64,
    machine,
    opened,
    section,
    thread,
    threads,
    u32,
    unpacked,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Collection

    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.fields.field import FieldValue

pytestmark = pytest.mark.skipif(library() is None, reason="the library in C was not built")

LAST = 4_000_000  # id of a thread
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
    """Return what comes of a capture: the fields of its events, the counts, how it ended, and the state then."""
    data += event(131, i64(0), i64(1), b"\x09", tid=LAST)  # one at least is looked at: it begins what is known
    capture = ScapCapture(InPieces(data) if native else io.BytesIO(data), "x.scap")
    events: list[object] = [fields_of(event) for event in capture.judged(wanted, native=native)]
    reader = capture.reader
    return (
        events,
        capture.counts(),
        (reader.problem, reader.blocks_read, reader.position, capture.unknown, known(capture)),
    )


def known(capture: ScapCapture) -> list[tuple[object, ...]]:
    """Return what is known of threads and their descriptors."""
    return sorted(
        (one.tid, one.key.pid, one.program.comm, one.uid, one.cwd, one.ptid, sorted(one.files.items()))
        for one in capture.state.threads
    )


class InPieces(io.BytesIO):
    """A file of which each read gives a few bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return a piece."""
        return super().read(min(size or 0, 300) if size is not None and size >= 0 else size)


@pytest.mark.parametrize(("capture", "wanted"), [(one, WANTED[place % 4]) for place, one in enumerate(CAPTURES)])
def test_captures_give_the_same_events_state_and_counts(capture: str, wanted: frozenset[str]) -> None:
    data = unpacked(capture)
    assert judged(data, wanted, native=True) == judged(data, wanted, native=False)


def test_all_events_are_counted_whether_they_are_looked_at_or_not() -> None:
    data = unpacked("curl_google.scap")
    made = list(ScapCapture(io.BytesIO(data), "x.scap").events())
    _, counts, _ = judged(data, frozenset(), native=True)
    assert sum(counts.values()) == len(made) + 1


def test_damaged_captures_give_the_same_too() -> None:
    random_numbers = random.Random(20261128)
    for round_ in range(15):
        data = bytearray(unpacked(random_numbers.choice(CAPTURES)))
        for _ in range(random_numbers.choice((1, 3, 20))):
            data[random_numbers.randrange(len(data) // 2, len(data))] = random_numbers.choice((0, 1, 127, 255))
        wanted = random_numbers.choice(WANTED)
        assert judged(bytes(data), wanted, native=True) == judged(bytes(data), wanted, native=False), round_


@pytest.mark.parametrize("seed", range(12))
def test_made_up_streams_give_the_same(seed: int) -> None:
    data = beginning() + made_up_stream(random.Random(seed), 250)
    wanted = (WANTED[0] | {"socket", "creat"}, WANTED[1], WANTED[3])[seed % 3]
    assert judged(data, wanted, native=True) == judged(data, wanted, native=False)


def test_made_up_streams_give_the_same_where_there_is_room_for_few_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_threads, "DESCRIPTORS_KEPT", 5)
    for seed in range(3):
        data = beginning() + made_up_stream(random.Random(seed), 250)
        assert judged(data, WANTED[0], native=True) == judged(data, WANTED[0], native=False)


def looked_at(events: bytes, wanted: Collection[str] = frozenset()) -> tuple[int, ScapCapture]:
    """Return how many events Python looks at, and what is known then."""
    start = section() + machine() + threads(thread(10, 10, 1, "cat", "/tmp"))
    capture = ScapCapture(io.BytesIO(start + event(131, i64(0), i64(1), b"\x09") + events), "x.scap")
    assert list(capture.judged(wanted)) == []
    assert capture.skipper is not None
    return capture.reader.blocks_read - 3 - capture.skipper.blocks, capture


def test_what_makes_the_same_descriptor_again_is_looked_at_once() -> None:
    again = b"".join(opened("notes", fd) + closed(fd) for fd in (3, 4, 5)) + opened("notes", 6) + opened("notes", 7)
    number, capture = looked_at(again)
    assert number == 2  # the first event, by which the thread is known, and the first open
    found = next(one for one in capture.state.threads if one.tid == 10).files
    assert {number: one.name for number, one in found.items()} == {6: "/tmp/notes", 7: "/tmp/notes"}


def test_a_descriptor_that_differs_in_nothing_but_its_inode_has_its_own() -> None:
    def made(inode: int, fd: int) -> bytes:
        return event(307, i64(fd), i64(-100), b"/a\0", u32(1), u32(0), u32(0), i64(inode))

    number, capture = looked_at(made(7, 3) + made(8, 4))
    assert number == 2
    found = next(one for one in capture.state.threads if one.tid == 10).files
    assert {number: one.ino for number, one in found.items()} == {3: 7, 4: 8}


def test_another_working_directory_is_noticed() -> None:
    number, capture = looked_at(opened("notes", 3) + event(95, i64(0), b"/etc\0") + opened("notes", 4))
    assert number == 4
    found = next(one for one in capture.state.threads if one.tid == 10).files
    assert {number: one.name for number, one in found.items()} == {3: "/tmp/notes", 4: "/etc/notes"}


def test_paths_below_another_directory_are_looked_at_each_time() -> None:
    number, _ = looked_at(opened("/etc", 3) + 2 * opened("passwd", 4, directory=3))
    assert number == 4


def test_the_beginning_of_a_call_is_looked_at_with_its_end_or_not_at_all() -> None:
    both = event(306, i64(-100), b"/etc/hosts\0", u32(1), u32(0)) + opened("<NA>")
    number, capture = looked_at(3 * both)
    assert number == 2
    assert next(one for one in capture.state.threads if one.tid == 10).files[3].name == "/etc/hosts"


def test_what_an_event_becomes_is_known_from_its_type_and_the_number_of_its_values() -> None:
    for kind in KINDS.values():
        for count in range(len(kind.parameters) + 1):
            event = RawEvent(1, 0, 7, 0, 0, kind, (b"",) * count)
            becomes = convert(event, {})
            assert (becomes.kind.number if becomes is not None else None) == newest(kind.number, count)
