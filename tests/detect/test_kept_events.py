"""What is kept though no rule can match it: changes and connections are sent again and again, reading is not."""

from __future__ import annotations

import struct

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.interest import interest
from hullwatch.detect.kept_events import CHANGES, widened
from hullwatch.detect.plan import Plan
from hullwatch.detect.stream import Stream
from hullwatch.events.codec import encode
from hullwatch.events.table import BY_NAME, FLAGS
from hullwatch.sources.interest import Interest, Void
from tests.rules.conftest import load_text

RULES = load_text(
    '- {rule: a, desc: d, condition: "evt.type = openat and fd.name = /etc/shadow", output: x, priority: NOTICE}\n'
    '- {rule: b, desc: d, condition: "evt.type = connect and fd.sip = 1.1.1.1", output: x, priority: NOTICE}'
)
HEADER = {"pid": 5, "process_start": 50}
BITS = FLAGS["file_flags"]


def told(stream: Stream, *records: bytes) -> list[int]:
    for _ in stream.feed(b"".join(records)):
        pass
    fingerprints = stream.take_ruled_out()[1]
    return list(struct.unpack(f"<{len(fingerprints) // 8}Q", fingerprints))


def opened(fingerprint: int, *flags: str) -> bytes:
    bits = sum(BITS[flag] for flag in flags)
    return encode("openat", HEADER, fd=3, name="/quiet", fingerprint=fingerprint, flags=bits)


def connected(fingerprint: int) -> bytes:
    peer = struct.pack("<B4sH4sH", 2, b"\1\2\3\4", 1000, b"\5\6\7\10", 80)
    return encode("connect", HEADER, tuple=peer, fd=3, fingerprint=fingerprint)


def stream(*kept: str) -> Stream:
    made = Stream(RULES, Counters(), lambda _: None, 20)
    made.keep(kept)
    told(made, encode("execve", HEADER, comm="x", argv=b"x\0"))
    told(made, opened(0), opened(0), *[opened(0, "O_RDWR", "O_CREAT")] * 2, connected(0), connected(0))
    return made


def test_of_opens_only_those_that_read_are_ruled_out() -> None:
    calls = [
        opened(11, "O_RDONLY"), opened(12, "O_WRONLY"), opened(13, "O_RDWR"), opened(14, "O_RDONLY", "O_CREAT"),
        opened(15, "O_RDONLY", "O_CLOEXEC"), opened(16, "O_RDONLY", "O_TRUNC"),
    ]  # fmt: skip
    assert told(stream(*CHANGES), *calls, *calls) == [11, 15]
    assert told(stream(), *calls, *calls) == [11, 12, 13, 14, 15, 16]


def test_connections_are_never_ruled_out() -> None:
    assert told(stream(), connected(21), connected(21)) == [21]
    assert told(stream(*CHANGES), connected(21), connected(21)) == []


def test_what_was_ruled_out_before_is_void_when_more_is_to_be_kept() -> None:
    made = stream()
    made.take_ruled_out()
    made.keep(CHANGES)
    assert made.take_ruled_out() == (Void.ALL, b"")
    made.keep(CHANGES)
    assert made.take_ruled_out() == (Void.NOTHING, b"")


def test_the_sensor_is_asked_for_all_changes_and_for_opens_that_succeed() -> None:
    few = load_text(
        '- {rule: r, desc: d, condition: evt.type = ptrace and proc.name = x, output: "x", priority: NOTICE}'
    )
    asked = interest(few, Plan(few))
    wide = widened(asked, CHANGES)
    assert set(wide.wanted or ()) == set(asked.wanted or ()) | CHANGES
    assert set(wide.narrowed) == {"ptrace"}
    assert set(wide.succeeded) >= {"open", "openat", "openat2"}
    assert not set(wide.succeeded) & (CHANGES - {"open", "openat", "openat2"})
    assert widened(asked, frozenset()) is asked
    assert widened(Interest(None), CHANGES) == Interest(None)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_every_kept_event_is_one_that_the_sensor_sends(name: str) -> None:
    assert BY_NAME[name].origin == "sensor"
    assert BY_NAME[name].is_event
