from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.outputs import standard_error
from hullwatch.service.log import A_SECOND, BURST, LONGEST_LINE, Log, reads_journal, speak
from hullwatch.service.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator


class Lines(list[str]):
    """What was written, and a log that writes it."""

    def __init__(self, *, journal: bool = False) -> None:
        super().__init__()
        self.now = 0.0
        self.log = Log("engine", self.append, journal=journal, clock=lambda: self.now)

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self]


def test_a_sentence_is_one_object_on_one_line() -> None:
    lines = Lines()
    lines.log.say("Watching this host.")
    lines.log.say("Warning: something is odd.")
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    first, second = lines.entries()
    assert (first["level"], first["message"]) == ("info", "Watching this host.")
    assert (first["process"], first["pid"]) == ("engine", os.getpid())
    assert first["time"].endswith("Z")
    assert (second["level"], second["message"]) == ("warning", "something is odd.")


@pytest.mark.parametrize("hostile", ["a\x1b[31mred\x07", '"},{"level":"error', "\u202edrow", "\x9b31m", "\udc80"])
def test_hostile_text_stays_inside_its_string(hostile: str) -> None:
    lines = Lines()
    lines.log.say(hostile)
    assert lines[0].isprintable() or lines[0][:-1].isprintable()
    (entry,) = lines.entries()
    assert entry["level"] == "info"
    assert set(entry) == {"time", "level", "process", "pid", "message"}


def test_more_lines_are_the_detail_and_long_ones_are_cut() -> None:
    lines = Lines()
    lines.log.say("Summary:\n  1 alert\n" + "x" * 10_000)
    (entry,) = lines.entries()
    assert entry["detail"][0] == "  1 alert"
    assert len(entry["detail"][1]) == LONGEST_LINE


def test_too_many_lines_are_left_out_and_counted() -> None:
    lines = Lines()
    for number in range(BURST + 50):
        lines.log.say(str(number))
    assert len(lines) == BURST
    lines.now = 1.0
    for number in range(50):
        lines.log.say(str(number))
    entries = lines.entries()[BURST:]
    assert len(entries) == A_SECOND
    assert [entry.get("left_out") for entry in entries[:2]] == [50, None]


def test_the_journal_is_told_how_severe_a_line_is() -> None:
    lines = Lines(journal=True)
    lines.log.say("all is well")
    lines.log.say("Warning: not quite")
    assert [line[:3] for line in lines] == ["<6>", "<4>"]
    assert json.loads(lines[1][3:])["message"] == "not quite"


def test_the_journal_is_known_by_its_stream() -> None:
    read, write = os.pipe()
    found = os.fstat(write)
    assert reads_journal({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}, write)
    assert not reads_journal({"JOURNAL_STREAM": "1:2"}, write)
    assert not reads_journal({}, write)
    os.close(read)
    os.close(write)
    assert not reads_journal({}, write)


@pytest.fixture
def _plain_again() -> Iterator[None]:
    yield
    standard_error.through(None)


@pytest.mark.usefixtures("_plain_again")
def test_what_is_said_goes_through_the_log_in_the_form_that_was_set(capfd: pytest.CaptureFixture[str]) -> None:
    assert not speak("engine", "text")
    assert not speak("engine", "auto")  # this is no journal
    standard_error.say("plain")
    assert speak("engine", "json")
    standard_error.say("as JSON")
    standard_error.say_lines("a summary:\n  1\n")
    plain, one, two = capfd.readouterr().err.splitlines()
    assert plain == "plain"
    assert json.loads(one)["message"] == "as JSON"
    assert json.loads(two)["detail"] == ["  1"]


def test_what_the_sensor_says_becomes_entries_line_by_line() -> None:
    lines = Lines()
    relay = Relay(lines.log)
    relay.take()  # nothing yet
    os.write(relay.write_end, b"hullwatch-sensor: one\nhullwatch-sens")
    relay.take()
    os.write(relay.write_end, b"or: two \xff\n\n" + b"y" * 10_000)
    relay.take()
    relay.close()
    one, two, three = (entry["message"] for entry in lines.entries())
    assert (one, two) == ("hullwatch-sensor: one", "hullwatch-sensor: two \ufffd")
    assert three == "y" * LONGEST_LINE
