"""Recordings: what was fed can be judged again, from the beginning and from the middle, and a full disk is told."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.captures import writer
from hullwatch.captures.chunk import RECORDS, STATE
from hullwatch.captures.reader import CaptureReader
from hullwatch.captures.writer import WriteError
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.enrich import saved_state
from tests.captures.capture_files import (
    CONTAINER,
    Recorded,
    clock,
    forks,
    found,
    no_answer,
    no_container,
    opens,
    rules,
    runs,
)

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.captures.reader import Chunk
    from hullwatch.rules.loader import RuleSet


def history() -> list[bytes]:
    """Return batches in which later records need what earlier ones told."""
    return [
        clock() + runs(10, "shell", 2000),
        forks(10, 11, 3000) + runs(11, "cat", 4000),
        opens(11, 5000) + opens(11, 5001, "/etc/other"),
        runs(12, "web", 6000, inside=True) + opens(12, 7000, inside=True) + no_answer(7001),
        forks(10, 13, 8000) + runs(13, "dd", 9000) + opens(13, 9001),
    ]


def chunks(path: Path) -> list[Chunk]:
    """Return the chunks of a file that is whole."""
    with path.open("rb") as stream:
        reader = CaptureReader(stream, path.name)
        read = list(reader.chunks())
        assert not reader.problem
        return read


def judged(read: list[Chunk], by: RuleSet | None = None) -> list[tuple[str, int, int]]:
    """Judge chunks of which the first is one of state."""
    stream = Stream(by or rules(), Counters(), no_container, 100)
    stream.assembler.restore(saved_state.decode(read[0].data))
    return [one for chunk in read if chunk.head.kind == RECORDS for one in found(stream.feed(chunk.data))]


def test_a_recording_has_all_records_in_order_and_judges_as_it_was_judged(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    recorded.writer.close()
    read = chunks(recorded.path())
    assert b"".join(chunk.data for chunk in read if chunk.head.kind == RECORDS) == b"".join(history())
    assert [rule for rule, _, _ in recorded.matches] == ["Run", "Secret", "Secret", "Run", "Secret"]
    assert judged(read) == recorded.matches


def test_a_chunk_tells_its_times_event_types_and_containers(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    recorded.writer.close()
    (head,) = [chunk.head for chunk in chunks(recorded.path()) if chunk.head.kind == RECORDS]
    offset = recorded.stream.assembler.clock_offset
    assert (head.first, head.last) == (offset + 1000, offset + 9001)
    assert head.summary.containers == (CONTAINER,)
    assert sum(head.summary.types.values()) == head.events == 12


def test_judging_can_begin_at_every_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    monkeypatch.setattr(writer, "STATE_SIZE", 1)
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    recorded.writer.close()
    read = chunks(recorded.path())
    states = [place for place, chunk in enumerate(read) if chunk.head.kind == STATE]
    assert len(states) == len(history())
    rest = [judged(read[place:]) for place in states]
    assert rest[0] == recorded.matches
    for later in rest:
        assert later == recorded.matches[len(recorded.matches) - len(later) :]
    assert [len(later) for later in rest] == [5, 5, 4, 3, 2]  # nothing is missed behind any of them


def test_a_recording_goes_on_in_another_file_that_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    recorded = Recorded(tmp_path, rotate=1)
    recorded.feed(history())
    recorded.writer.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) > 2
    assert [match for file in files for match in judged(chunks(file))] == recorded.matches
    with files[1].open("rb") as stream:
        assert CaptureReader(stream, "second").description.number == 1


def test_what_has_waited_for_a_second_is_written(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history()[:1])
    recorded.time = 0.9
    recorded.writer.tick()
    assert not [chunk for chunk in chunks(recorded.path()) if chunk.head.kind == RECORDS]
    recorded.time = 1.0
    recorded.writer.tick()
    assert [chunk.data for chunk in chunks(recorded.path()) if chunk.head.kind == RECORDS] == history()[:1]


@pytest.mark.parametrize("broken", [b"x", bytes(200), b"\xff" * 200, opens(11, 5)[:-8]])
def test_of_what_a_broken_sensor_sends_the_whole_records_are_kept(tmp_path: Path, broken: bytes) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history()[:1])
    recorded.writer.take(history()[1] + broken)
    recorded.writer.take(history()[2])
    recorded.writer.close()
    (data,) = [chunk.data for chunk in chunks(recorded.path()) if chunk.head.kind == RECORDS]
    assert data == b"".join(history()[:3])


def test_a_full_disk_ends_the_recording_with_a_sentence_and_leaves_whole_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history()[:2])
    recorded.writer.flush()
    recorded.feed(history()[2:3])
    real = os.write
    room = [10]

    def write(descriptor: int, data: memoryview) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[: room.pop()])

    monkeypatch.setattr(writer.os, "write", write)
    with pytest.raises(WriteError, match=r"No space left on device.*whole up to byte"):
        recorded.writer.flush()
    monkeypatch.undo()
    assert [chunk.data for chunk in chunks(recorded.path()) if chunk.head.kind == RECORDS] == [b"".join(history()[:2])]


def test_a_saved_state_that_refers_to_nothing_is_refused(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed(history())
    state = recorded.stream.assembler.saved()
    assert saved_state.decode(state.encode()).encode() == state.encode()
    first = state.processes[0]
    for wrong in (msgspec.structs.replace(first, parent=10**9), msgspec.structs.replace(first, program=10**9)):
        broken = msgspec.structs.replace(state, processes=(*state.processes, wrong))
        with pytest.raises(ValueError, match="refers to one that is not there"):
            recorded.stream.assembler.restore(broken)
