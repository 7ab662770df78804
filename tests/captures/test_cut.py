"""Parts of captures: judged, they raise what the whole raised of them; what is left out is not in the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hullwatch.captures import writer
from hullwatch.captures.chunk import RECORDS, STATE, Description, Summary, make_chunk, make_head
from hullwatch.captures.cut import Cut, Wanted, containers_called, cut
from hullwatch.captures.reader import CaptureReader
from hullwatch.enrich import saved_state
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.errors import UsageError
from hullwatch.events.codec import encode, walk
from hullwatch.events.table import BY_NAME, BY_NUMBER, VERSION
from tests.captures.capture_files import CONTAINER, OFFSET, Recorded, clock, exits, forks, no_answer, opens, runs
from tests.captures.test_writer import chunks, history, judged
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from pathlib import Path


def condition(text: str) -> str:
    """Return a rule that has a condition."""
    return f"- {{rule: event, desc: d, condition: '{text}', output: x, priority: DEBUG}}"


def recorded(folder: Path, *more: bytes) -> Recorded:
    """Return the history as a recording in one chunk."""
    made = Recorded(folder)
    made.feed([*history(), *more])
    made.writer.close()
    return made


def part_of(whole: Path, wanted: Wanted) -> tuple[Path, Cut]:
    """Cut a part out of a file; return its path and what was said of it."""
    part = whole.with_name("part.hwcap")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with whole.open("rb") as stream:
            return part, cut(CaptureReader(stream, "whole"), descriptor, wanted)
    finally:
        os.close(descriptor)


def types_of(path: Path) -> list[str]:
    """Return the names of the records of a capture."""
    return [
        BY_NUMBER[header.type].name
        for chunk in chunks(path)
        if chunk.head.kind == RECORDS
        for _, header in walk(chunk.data)
    ]


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(("begin", "end"), [(0, 0), (4000, 7000), (5000, 0), (0, 5000), (8001, 9001), (1, 1500)])
def test_a_time_is_judged_as_within_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, begin: int, end: int
) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", size)
    monkeypatch.setattr(writer, "STATE_SIZE", size)
    made = recorded(tmp_path)
    wanted = Wanted(OFFSET + begin if begin else 0, OFFSET + end if end else 0)
    part, told = part_of(made.path(), wanted)
    expected = [match for match in made.matches if wanted.begin <= match[2] <= wanted.until]
    assert judged(chunks(part)) == expected
    assert told == Cut(sum(BY_NAME[name].is_event for name in types_of(part)))


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_of_a_container_there_is_what_it_did_and_what_its_relatives_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", size)
    monkeypatch.setattr(writer, "STATE_SIZE", size)
    made = Recorded(tmp_path)
    made.feed(
        [
            clock() + runs(10, "shell", 2000) + runs(20, "stranger", 2001),
            forks(10, 11, 3000) + forks(20, 21, 3001),  # 11 comes into the container later
            opens(11, 3500) + opens(21, 3501),
            forks(11, 12, 4000) + runs(11, "web", 5000, inside=True) + opens(11, 5001, inside=True) + no_answer(5002),
            runs(12, "helper", 6000) + opens(12, 6001) + runs(21, "other", 6002) + opens(21, 6003),
            opens(11, 7000, inside=True) + exits(11, 8000) + exits(12, 8001) + exits(20, 8002),
        ]
    )
    made.writer.close()
    part, told = part_of(made.path(), Wanted(containers=[CONTAINER]))
    assert types_of(part) == [
        "clock", "execve", "clone", "clone", "execve", "openat", "container_timeout",
        "execve", "openat", "procexit", "procexit",
    ]  # fmt: skip
    assert (told.events, told.left_out) == (9, 8)
    rules_of_parents = condition("evt.type = openat and proc.pname = shell")
    assert [time for _, _, time in judged(chunks(part), load_text(rules_of_parents))] == [OFFSET + 5001, OFFSET + 7000]
    late, told = part_of(made.path(), Wanted(begin=OFFSET + 6500, containers=[CONTAINER]))
    assert types_of(late) == ["openat", "procexit", "procexit"]
    state = saved_state.decode(chunks(late)[0].data)
    assert {one.pid for one in state.processes} >= {10, 11}
    assert not {one.pid for one in state.processes} & {20, 21}
    assert [time for _, _, time in judged(chunks(late), load_text(rules_of_parents))] == [OFFSET + 7000]


def test_of_a_condition_there_is_what_it_holds_for_and_all_state(tmp_path: Path) -> None:
    made = recorded(tmp_path)
    rules = load_text(condition("evt.type = openat and proc.pname = shell and fd.name = /etc/secret"))
    part, told = part_of(made.path(), Wanted(rules=rules, left_out="what does not match"))
    assert types_of(part) == [
        "clock", "execve", "clone", "execve", "openat", "execve", "container_timeout", "clone", "execve", "openat",
    ]  # fmt: skip
    assert told == Cut(8, 2)
    assert [match[2] for match in judged(chunks(part)) if match[0] == "Secret"] == [OFFSET + 5000, OFFSET + 9001]
    with part.open("rb") as stream:
        assert CaptureReader(stream, "part").description.left_out == "what does not match"


@pytest.mark.parametrize("place", range(6))
def test_what_waits_for_a_containers_metadata_is_decided_on_when_that_comes(tmp_path: Path, place: int) -> None:
    container = Container(id=CONTAINER[:12], full_id=CONTAINER, name="web")
    web = encode("container", {"time": 6900}, json=encode_container(container))
    records = [opens(5, 6100 + number, inside=True) for number in range(5)]
    records.insert(place, web)
    made = Recorded(tmp_path)
    made.feed([clock() + runs(5, "web", 6000, inside=True), *records, opens(8, 9000), opens(5, 9001, inside=True)])
    made.writer.close()
    part, told = part_of(made.path(), Wanted(rules=load_text(condition("evt.type = openat and container.name = web"))))
    assert types_of(part) == [*["clock", "execve"], *_names(records), "openat"]
    assert told == Cut(8, 1)
    none, told = part_of(made.path(), Wanted(rules=load_text(condition("evt.type = openat and container.name = db"))))
    assert types_of(none) == ["clock", "execve", "container"]
    assert told == Cut(2, 7)


def _names(records: list[bytes]) -> list[str]:
    return [BY_NUMBER[header.type].name for record in records for _, header in walk(record)]


def test_what_waits_at_the_end_of_a_part_has_its_answer_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    made = recorded(tmp_path)
    wanted = Wanted(end=OFFSET + 7000)
    by_container = wanted._replace(containers=[CONTAINER])
    assert types_of(part_of(made.path(), wanted)[0])[-2:] == ["openat", "container_timeout"]
    assert types_of(part_of(made.path(), by_container)[0])[-2:] == ["openat", "container_timeout"]


def test_what_waited_before_a_part_waits_no_longer_than_it_did(tmp_path: Path) -> None:
    made = recorded(tmp_path, opens(12, 9100, inside=True))
    part, _ = part_of(made.path(), Wanted(begin=OFFSET + 7001))
    state = saved_state.decode(chunks(part)[0].data)
    assert state.gate.waiting == ((CONTAINER, 6000),)
    assert judged(chunks(part)) == [match for match in made.matches if match[2] > OFFSET + 7000]


def test_a_container_is_found_by_its_name_and_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    other = Container(id="cd" * 6, full_id="cd" * 32, name="web")
    made = recorded(tmp_path, encode("container", {"time": 9500}, json=encode_container(other)))
    with made.path().open("rb") as stream:
        reader = CaptureReader(stream, "whole")
        found = containers_called(reader, ["web", CONTAINER[:12], CONTAINER, "ab", "nothing"])
    assert found == {
        "web": {other.full_id}, CONTAINER[:12]: {CONTAINER}, CONTAINER: {CONTAINER}, "ab": set(), "nothing": set(),
    }  # fmt: skip


def test_a_whole_that_is_damaged_is_cut_up_to_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    made = recorded(tmp_path)
    data = bytearray(made.path().read_bytes())
    heads = [chunk.head for chunk in chunks(made.path())]
    data[heads[-2].position + 3] ^= 1
    made.path().write_bytes(data)
    for wanted in (Wanted(), Wanted(containers=[CONTAINER])):
        with made.path().open("rb") as stream, (tmp_path / "part").open("wb") as part:
            reader = CaptureReader(stream, "whole")
            cut(reader, part.fileno(), wanted)
        assert reader.damaged
        assert "is damaged" in reader.problem
        chunks(tmp_path / "part")


def test_records_that_contradict_themselves_are_a_sentence(tmp_path: Path) -> None:
    made = Recorded(tmp_path)
    made.feed([clock()])
    made.writer.close()
    state, batch = chunks(made.path())[0], b"x" * 60
    broken = make_head(Description("0", VERSION, "host")) + make_chunk(STATE, state.data, 0, 0, Summary())
    length = (60).to_bytes(4, "little") + batch[4:]  # no record is that long
    broken += make_chunk(RECORDS, length, 1, 1, Summary())
    made.path().write_bytes(broken)
    matching = Wanted(rules=load_text(condition("proc.name = x")))
    for wanted in (Wanted(begin=2), Wanted(containers=[CONTAINER]), matching):
        with (
            made.path().open("rb") as stream,
            (tmp_path / "part").open("wb") as part,
            pytest.raises(UsageError, match="The capture whole is damaged"),
        ):
            cut(CaptureReader(stream, "whole"), part.fileno(), wanted)
