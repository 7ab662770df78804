"""Names of addresses in captures: known after a cut, from the middle, and without what other containers were told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.captures import writer
from hullwatch.captures.cut import Wanted
from hullwatch.captures.family import Family
from hullwatch.captures.passing import Passes
from hullwatch.captures.recording import begin_recording
from hullwatch.config.settings import RecordSettings, Settings
from hullwatch.counters import Counters
from hullwatch.detect.plan import HEARD
from hullwatch.detect.stream import Stream
from hullwatch.enrich import saved_state
from hullwatch.enrich.assembler import Assembler
from hullwatch.enrich.names import pack
from hullwatch.events.codec import encode
from hullwatch.events.dns_message import write_message
from hullwatch.fields.address import write_tuple
from hullwatch.rules.condition import condition_rules
from tests.captures.capture_files import CONTAINER, OFFSET, Recorded, clock, no_answer, no_container, runs
from tests.captures.test_cut import part_of, types_of
from tests.captures.test_passing import judged as judged_passing
from tests.captures.test_writer import chunks, judged

if TYPE_CHECKING:
    from pathlib import Path

CONDITION = "evt.type = connect and fd.sip.name = good.example"


def _header(pid: int, time: int, *, inside: bool) -> dict[str, int]:
    return {"time": time, "pid": pid, "tid": pid, "process_start": pid, "cgroup_id": 7 if inside else 1}


def asks(pid: int, time: int, name: str, address: str, *, inside: bool = False) -> bytes:
    """Return a record of an answer that a process got."""
    ends = write_tuple(("10.0.0.9", 40000), ("10.0.0.53", 53))
    data = write_message(name, "A", (address,))
    return encode("dns", _header(pid, time, inside=inside), fd=3, tuple=ends, l4proto=17, data=data)


def connects(pid: int, time: int, address: str, *, inside: bool = False) -> bytes:
    """Return a record of a connection."""
    ends = write_tuple(("10.0.0.9", 40000), (address, 443))
    return encode("connect", _header(pid, time, inside=inside), res=0, fd=4, tuple=ends, l4proto=6)


def resolves(time: int, name: str, *addresses: bytes) -> bytes:
    """Return the record of what a rule's name stands for."""
    return encode("name_addresses", {"time": time}, name=name, addresses=pack(addresses))


def history() -> list[bytes]:
    """Return a stream in which a container and the host are told the same name."""
    return [
        clock() + runs(10, "shell", 2000) + runs(11, "web", 2500, inside=True),
        asks(11, 3000, "good.example", "192.0.2.1", inside=True)
        + asks(10, 3001, "good.example", "192.0.2.2")
        + no_answer(3500),
        connects(11, 4000, "192.0.2.1", inside=True) + connects(10, 4001, "192.0.2.2"),
        runs(12, "ls", 5000),
        connects(11, 6000, "192.0.2.2", inside=True) + connects(10, 6001, "192.0.2.2"),
        resolves(7000, "good.example", b"\xc0\0\2\x09") + connects(11, 7001, "192.0.2.9", inside=True),
    ]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a capture with a state before each batch of records."""
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    monkeypatch.setattr(writer, "STATE_SIZE", 1)
    made = Recorded(tmp_path, heard=HEARD)
    made.feed(history())
    made.writer.close()
    return made.path()


def times(path: Path) -> list[int]:
    """Return the times of what the condition holds for."""
    return [time - OFFSET for _, _, time in judged(chunks(path), condition_rules(CONDITION))]


@pytest.mark.parametrize("native", [False, True])
def test_a_stream_is_judged_the_same_as_it_comes_and_from_the_capture(path: Path, *, native: bool) -> None:
    stream = Stream(condition_rules(CONDITION), Counters(), no_container, 100, native=native)
    live = [match.event.time - OFFSET for batch in history() for match in stream.feed(batch)]
    assert live == times(path) == [4000, 4001, 6001, 7001]


@pytest.mark.parametrize("begin", [3500, 5500, 7001])
def test_a_part_knows_the_names_of_before(path: Path, begin: int) -> None:
    part, _ = part_of(path, Wanted(begin=OFFSET + begin))
    assert times(part) == [time for time in (4000, 4001, 6001, 7001) if time >= begin]


@pytest.mark.parametrize("begin", [0, 3500])
def test_a_part_of_a_container_has_its_names_and_no_other_s(path: Path, begin: int) -> None:
    part, _ = part_of(path, Wanted(begin=OFFSET + begin if begin else 0, containers=[CONTAINER]))
    assert times(part) == [4000, 7001]
    assert types_of(part).count("dns") == (0 if begin else 1)
    for chunk in chunks(part):
        assert b"\xc0\0\2\2" not in chunk.data.replace(b"\xc0\0\2\2\xbb\1", b"")  # but where it connects to
        assert "192.0.2.2" not in str(chunk.data)


def test_a_part_of_a_condition_has_the_answers_that_it_needs(path: Path) -> None:
    part, _ = part_of(path, Wanted(rules=condition_rules(CONDITION)))
    assert times(part) == [4000, 4001, 6001, 7001]
    assert (types_of(part).count("dns"), types_of(part).count("connect")) == (2, 4)
    inside, _ = part_of(path, Wanted(containers=[CONTAINER], rules=condition_rules(CONDITION)))
    assert types_of(inside).count("dns") == 1
    without, _ = part_of(path, Wanted(rules=condition_rules("evt.type = connect")))
    assert "dns" not in types_of(without)
    late, _ = part_of(path, Wanted(begin=OFFSET + 5500, rules=condition_rules("evt.type = connect")))
    assert times(late) == [6001, 7001]  # of which it has the state, whatever its condition


def test_answers_are_not_passed_over_where_a_condition_asks_for_names(path: Path) -> None:
    assert judged_passing(path, CONDITION, passes=True) == judged_passing(path, CONDITION, passes=False)
    assert Passes(condition_rules(CONDITION)).may_have(chunks(path)[3].head)


def test_a_recording_with_a_filter_asks_for_answers_only_if_it_needs_them(tmp_path: Path) -> None:
    for condition, needs in ((CONDITION, True), ("evt.type = connect", False)):
        settings = msgspec.structs.replace(Settings(), record=RecordSettings(file="x", filter=condition))
        file = tmp_path / str(needs)
        made = begin_recording(
            settings, lambda _, file=file: os.open(file, os.O_WRONLY | os.O_CREAT),
            Assembler(Counters(), no_container, 1), no_container,
        )  # fmt: skip
        assert made is not None
        assert ("dns" in made.wanted) is needs
        for batch in history():
            made.take(batch)
        made.close()
        assert types_of(file).count("dns") == 2 * needs
    assert times(tmp_path / "True") == [4000, 4001, 6001, 7001]


def test_the_flight_recorder_saves_what_its_containers_were_told(path: Path) -> None:
    state = saved_state.decode(chunks(path)[-2].data)
    assert {one.container_id for one in state.names} == {"", CONTAINER}
    assert {one.container_id for one in Family(CONTAINER).restrict(state).names} == {CONTAINER}
    assert {one.container_id for one in Family("").restrict(state).names} == {""}
