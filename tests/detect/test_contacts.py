"""The first connection of each container to each peer is seen, whatever rules ask for, and others are not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.contacts import with_contacts
from hullwatch.detect.stream import Stream
from hullwatch.events.codec import encode
from hullwatch.fields.connection import connection_of
from hullwatch.sources.interest import Interest
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from hullwatch.events.event import Event

NONE_ASKS = load_text(
    "- {rule: a, desc: d, condition: evt.type = execve and proc.name = x, output: o, priority: NOTICE}"
)
OTHERS_ASKED = load_text(
    '- {rule: b, desc: d, condition: "evt.type = connect and fd.sip = 1.1.1.1", output: x, priority: NOTICE}'
)
REFUSED, BEGUN = -111, -115


class Seen:
    """What was handed on."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.has_room = True

    def take(self, event: Event) -> None:
        connection = connection_of(event)
        assert connection is not None
        self.ports.append(connection.server.port)


def connected(port: int, cgroup: int = 1, *, own_port: int = 4000, pid: int = 5, res: int = 0) -> bytes:
    peer = struct.pack("<B4sH4sH", 2, b"\1\2\3\4", own_port, b"\5\6\7\10", port)
    header = {"pid": pid, "process_start": 50, "cgroup_id": cgroup}
    return encode("connect", header, tuple=peer, fd=3, res=res, l4proto=6, fingerprint=0)


def fed(stream: Stream, *records: bytes) -> None:
    for record in records:  # each alone: what is learnt by one counts for the next
        for _ in stream.feed(record):
            pass


@pytest.fixture(params=[True, False], ids=["in C", "in Python"])
def native(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_each_container_s_first_call_to_a_peer_is_seen_though_no_rule_asks(native: bool) -> None:  # noqa: FBT001
    seen = Seen()
    stream = Stream(NONE_ASKS, Counters(), lambda _: None, 20, native=native, contacts=seen)
    fed(stream, connected(80), connected(80, own_port=4001), connected(80, pid=6), connected(81), connected(80))
    assert seen.ports == [80, 81]
    fed(stream, connected(80, cgroup=2), connected(81, cgroup=2))
    assert seen.ports == [80, 81, 80, 81]
    stream.forget_contacts()
    fed(stream, connected(80), connected(80))
    assert seen.ports == [80, 81, 80, 81, 80]


def test_a_call_that_failed_hides_no_later_one_and_one_that_does_not_wait_counts(native: bool) -> None:  # noqa: FBT001
    seen = Seen()
    stream = Stream(NONE_ASKS, Counters(), lambda _: None, 20, native=native, contacts=seen)
    fed(stream, connected(80, res=REFUSED), connected(80, res=BEGUN), connected(80))
    assert seen.ports == [80]


def test_what_rules_look_at_is_seen_too_and_ruled_out_as_without(native: bool) -> None:  # noqa: FBT001
    seen = Seen()
    stream = Stream(OTHERS_ASKED, Counters(), lambda _: None, 20, native=native, contacts=seen)
    fed(stream, *[connected(80)] * 50)
    assert set(seen.ports) == {80}
    assert len(seen.ports) <= 3  # until its values are known, and once by itself


def test_where_there_is_no_room_nothing_is_made_and_where_nobody_wants_it_nothing_is_seen(native: bool) -> None:  # noqa: FBT001
    seen = Seen()
    seen.has_room = False
    stream = Stream(NONE_ASKS, Counters(), lambda _: None, 20, native=native, contacts=seen)
    fed(stream, connected(80))
    assert seen.ports == []
    fed(Stream(NONE_ASKS, Counters(), lambda _: None, 20, native=native), connected(80))


def test_the_sensor_is_asked_for_connections_of_all_processes_and_for_those_that_are_begun() -> None:
    asked = with_contacts(Interest({"execve"}, {"connect", "open"}, {"connect", "open"}))
    assert (set(asked.wanted or ()), set(asked.narrowed), set(asked.succeeded)) == (
        {"execve", "connect"}, {"open"}, {"open"},
    )  # fmt: skip
    assert with_contacts(Interest(None)) == Interest(None)
