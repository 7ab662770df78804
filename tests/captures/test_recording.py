"""A run's recording with a filter: what the condition holds for, what state needs, in the order of the stream."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.captures import writer
from hullwatch.captures.chunk import RECORDS, STATE
from hullwatch.captures.reader import CaptureReader
from hullwatch.captures.recording import EVERYTHING, Recording, begin_recording
from hullwatch.config.settings import RecordSettings, Settings
from hullwatch.counters import Counters
from hullwatch.enrich import saved_state
from hullwatch.enrich.assembler import Assembler
from hullwatch.enrich.container import Container
from hullwatch.enrich.container import encode as encode_container
from hullwatch.errors import UsageError
from hullwatch.events.codec import encode
from hullwatch.events.table import EVENTS
from tests.captures.capture_files import CONTAINER, clock, forks, no_container, opens, runs
from tests.captures.test_cut import types_of
from tests.captures.test_writer import chunks

if TYPE_CHECKING:
    from pathlib import Path


def begun(path: Path, condition: str, asked: list[str]) -> Recording:
    """Begin a recording with a filter; the containers that it asks for are noted."""
    settings = msgspec.structs.replace(Settings(), record=RecordSettings(file=str(path), filter=condition))

    def open_file(_: int) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    made = begin_recording(settings, open_file, Assembler(Counters(), asked.append, 100), asked.append)
    assert made is not None
    return made


def test_only_what_the_condition_holds_for_is_written_and_what_state_needs(tmp_path: Path) -> None:
    path, asked = tmp_path / "a.hwcap", list[str]()
    recording = begun(path, "evt.type = openat and proc.pname = shell", asked)
    recording.take(clock() + runs(10, "shell", 2000) + opens(10, 2001))
    recording.take(forks(10, 11, 3000) + runs(11, "cat", 4000) + opens(11, 5000) + encode("mkdir", {"pid": 11}))
    recording.close()
    assert types_of(path) == ["clock", "execve", "clone", "execve", "openat"]
    assert recording.words == "4 events were recorded, 2 were left out by the filter."
    with path.open("rb") as stream:
        about = CaptureReader(stream, "a").description
    assert about.left_out == "what this does not hold for: evt.type = openat and proc.pname = shell"


def test_a_container_is_asked_for_and_its_events_wait_for_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHUNK_SIZE", 1)
    monkeypatch.setattr(writer, "STATE_SIZE", 1)
    path, asked = tmp_path / "a.hwcap", list[str]()
    recording = begun(path, "evt.type = openat and container.name = web", asked)
    recording.take(clock() + runs(10, "sh", 2000, inside=True) + opens(10, 2001, inside=True))
    assert asked == [CONTAINER]
    recording.take(opens(99, 2002) + runs(98, "other", 2003))
    web = Container(id=CONTAINER[:12], full_id=CONTAINER, name="web")
    recording.take(encode("container", {"time": 2004}, json=encode_container(web)) + opens(10, 2005, inside=True))
    recording.take(opens(98, 2006))
    recording.close()
    assert types_of(path) == ["clock", "execve", "openat", "execve", "container", "openat"]
    # No state was written while something waited: it would have told of what stands behind it.
    read = chunks(path)
    assert [chunk.head.kind for chunk in read] == [STATE, RECORDS, RECORDS, STATE]
    assert len(saved_state.decode(read[-1].data).processes) == 3


def test_what_waits_too_long_is_decided_without_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.hwcap"
    recording = begun(path, f"evt.type = openat and (container.name = web or container.id = {CONTAINER[:12]})", [])
    recording.take(clock() + runs(10, "sh", 2000, inside=True) + opens(10, 2001, inside=True))
    recording.take(opens(99, 600_000_000))  # after half a second
    recording.tick()
    recording.take(opens(10, 600_000_001, inside=True))
    recording.close()
    assert types_of(path) == ["clock", "execve", "openat", "openat"]


def test_the_sensor_is_asked_for_what_the_condition_and_the_state_need(tmp_path: Path) -> None:
    changing = {event.name for event in EVENTS if event.changes}
    some = begun(tmp_path / "a", "evt.type = connect", [])
    assert some.wanted == {"connect"} | changing
    every = begun(tmp_path / "b", "proc.name = x", [])
    assert every.wanted >= EVERYTHING - {"drift"}
    settings = msgspec.structs.replace(Settings(), record=RecordSettings(file="x"))
    assembler = Assembler(Counters(), no_container, 0)
    descriptor = os.open(tmp_path / "c", os.O_WRONLY | os.O_CREAT)
    whole = begin_recording(settings, lambda _: descriptor, assembler, no_container)
    assert whole is not None
    assert whole.wanted == EVERYTHING
    assert not whole.rules.rules
    for recording in (some, every, whole):
        recording.close()


def test_a_wrong_condition_is_a_sentence_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The condition is wrong at character 1"):
        begun(tmp_path / "a", "evt.typ = connect", [])
    assert not list(tmp_path.iterdir())
