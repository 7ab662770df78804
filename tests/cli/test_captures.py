"""``hullwatch record``, ``replay`` of captures and ``capture info``: parts, answers, and what is wrong."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.captures import writer
from hullwatch.cli.record import parse_rotation
from hullwatch.errors import UsageError
from hullwatch.events.codec import encode
from tests.captures.capture_files import OFFSET, RULES, Recorded
from tests.captures.test_writer import history
from tests.cli.in_process import Command, command

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the paths of a capture in several chunks, with states between, and of its rules."""
    folder = tmp_path_factory.mktemp("captures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_SIZE", 1)
        patch.setattr(writer, "STATE_SIZE", 1)
        recorded = Recorded(folder)
        recorded.feed(history())
        recorded.writer.close()
    (folder / "rules.yaml").write_text(RULES)
    return str(recorded.path()), str(folder / "rules.yaml")


def at(nanoseconds: int) -> str:
    """Return a time after boot as a flag takes it; the history has whole microseconds."""
    seconds, rest = divmod(OFFSET + nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:06d}Z"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ([], ["Run", "Secret", "Secret", "Run", "Secret"]),
        (["--from", at(5000)], ["Secret", "Secret", "Run", "Secret"]),
        (["--from", at(6000)], ["Secret", "Run", "Secret"]),
        (["--to", at(5000)], ["Run", "Secret"]),
        (["--from", at(5000), "--to", at(7000)], ["Secret", "Secret"]),
        (["--from", at(10_000_000)], []),
        (["--speed", "1x"], ["Run", "Secret", "Secret", "Run", "Secret"]),
    ],
)
def test_a_part_of_a_capture_is_judged_with_what_was_known_before_it(
    command: Command, files: tuple[str, str], part: list[str], expected: list[str]
) -> None:
    code, alerts, _ = command("replay", files[0], "-r", files[1], "-o", "json", *part)
    assert code == 0
    assert [json.loads(alert)["rule"] for alert in alerts] == expected


def test_what_the_stream_says_of_hullwatch_itself_is_said_again(
    command: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    recorded = Recorded(tmp_path)
    recorded.feed([encode("tampered", {"time": 5000}, what="the settings were changed", repaired=1)])
    recorded.writer.close()
    code, alerts, _ = command("replay", str(recorded.path()), "-r", files[1], "-o", "json")
    assert code == 0
    assert [json.loads(alert)["rule"] for alert in alerts] == ["Sensor tampered with"]


def test_a_capture_that_is_cut_off_is_judged_up_to_there_with_a_warning(
    command: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    with open(files[0], "rb") as stream:  # noqa: PTH123 - a text
        data = stream.read()
    cut, damaged = tmp_path / "cut.hwcap", tmp_path / "damaged.hwcap"
    cut.write_bytes(data[:-10])
    damaged.write_bytes(data[:-40] + b"!" + data[-39:])
    code, alerts, said = command("replay", str(cut), "-r", files[1], "-o", "json")
    assert code == 0
    assert [json.loads(alert)["rule"] for alert in alerts] == ["Run", "Secret", "Secret"]
    assert "Warning: The capture" in said
    assert "it ends within a chunk" in said
    code, alerts, said = command("replay", str(damaged), "-r", files[1], "-o", "json")
    assert code == 2
    assert len(alerts) == 3
    assert "is damaged (its checksum is wrong)" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "yesterday"], "is not a time"),
        (["--to", "2026-13-01"], "is not a time"),
        (["--speed", "fast"], "write max, 1x or 2.5x"),
        (["--speed", "0x"], "write max, 1x or 2.5x"),
        (["--source", "scapp"], "--source is auto, container_log, fields, hwcap, k8s_audit or scap"),
    ],
)
def test_a_wrong_part_is_a_sentence(
    command: Command, files: tuple[str, str], arguments: list[str], sentence: str
) -> None:
    code, alerts, said = command("replay", files[0], "-r", files[1], *arguments)
    assert (code, alerts) == (2, [])
    assert sentence in said


def test_what_is_in_a_capture_is_told_as_text_and_as_json(command: Command, files: tuple[str, str]) -> None:
    code, lines, _ = command("capture", "info", files[0])
    assert code == 0
    assert any("abababababab" in line for line in lines)
    code, lines, _ = command("capture", "info", "-o", "json", files[0])
    told = json.loads(lines[0])
    assert (told["events"], told["types"]["openat"], told["types"]["execve"]) == (10, 4, 4)
    assert told["problem"] == ""
    assert command("capture", "info", files[1])[0] == 2


def test_a_copy_without_secrets_can_be_made_and_says_so(command: Command, tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    program = encode("execve", {"time": 5000, "pid": 9}, argv=b"app\0--password=hunter2\0", comm="app", vpid=9)
    recorded.feed([*history(), program])
    recorded.writer.close()
    copy = tmp_path / "copy.hwcap"
    assert any("not masked" in line for line in command("capture", "info", str(recorded.path()))[1])
    code, lines, _ = command("capture", "mask", str(recorded.path()), "-w", str(copy))
    assert (code, lines) == (0, [f"1 value masked in {copy}"])
    told = json.loads(command("capture", "info", "-o", "json", str(copy))[1][0])
    assert (told["is_masked"], told["masked_values"], told["problem"]) == (True, 1, "")
    _, lines, _ = command("events", str(copy), "proc.name = app", "-p", "%proc.cmdline")
    assert lines == ["app --password=***"]
    code, _, said = command("capture", "mask", str(recorded.path()), "-w", str(copy))
    assert code == 2
    assert "is there already" in said


def test_events_are_printed_as_the_format_says_those_that_the_condition_holds_for(
    command: Command, files: tuple[str, str]
) -> None:
    code, lines, said = command("events", files[0])
    assert (code, said, len(lines)) == (0, "", 10)
    assert lines[1].split()[0] == "2"
    assert lines[-1].split()[2:8] == ["0", "host", "dd", "(13)", "openat", "fd=3(<f>/etc/secret)"]
    condition = "evt.type = openat and proc.pname = shell"
    code, lines, _ = command("events", files[0], condition, "-p", "%proc.name %fd.name")
    assert (code, lines) == (0, ["cat /etc/secret", "cat /etc/other", "dd /etc/secret"])
    code, lines, _ = command(
        "events", files[0], condition, "-p", "%proc.name %fd.name", "-o", "json", "--from", at(9000)
    )
    assert [json.loads(line) for line in lines] == [{"proc.name": "dd", "fd.name": "/etc/secret"}]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["proc.nam = x"], "There is no field 'proc.nam'"),
        (["evt.type = execve", "-p", "%proc.nam"], "There is no field 'proc.nam'"),
        (["evt.type ="], "The condition is wrong at character 10"),
        (["evt.type = execve", "--from", "noon"], "is not a time"),
    ],
)
def test_a_wrong_condition_or_format_is_a_sentence_without_a_file_that_nobody_wrote(
    command: Command, files: tuple[str, str], arguments: list[str], sentence: str
) -> None:
    code, lines, said = command("events", files[0], *arguments)
    assert (code, lines) == (2, [])
    assert sentence in said
    assert "arguments" not in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100MB,10", {"rotate_size": 100 << 20, "rotate_files": 10}),
        ("1G", {"rotate_size": 1 << 30}),
        ("512kB", {"rotate_size": 512 << 10}),
        ("4096", {"rotate_size": 4096}),
    ],
)
def test_a_rotation_is_a_size_and_a_number_of_files(text: str, expected: dict[str, int]) -> None:
    assert parse_rotation(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "100MB,0", "100TB", "10,10,10", "1e9", "9" * 40])
def test_other_rotations_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="100MB,10"):
        parse_rotation(text)


def test_a_recording_to_a_wrong_place_is_refused_before_anything_is_started(command: Command, tmp_path: Path) -> None:
    code, _, said = command("record", "-w", str(tmp_path / "no" / "x.hwcap"))
    assert code == 2
    assert "There is no directory" in said
