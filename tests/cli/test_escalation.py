"""``hullwatch escalation``: what people are shown of who would be told."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.in_process import command
from tests.escalation.files import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.in_process import Command

__all__ = ["command"]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "escalation.yaml"
    path.write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield str(path)
    time.tzset()


def test_a_good_file_is_counted_and_a_gap_is_remarked(command: Command, file: str, tmp_path: Path) -> None:
    assert command("escalation", "check", "-f", file) == (0, ["good: policies 2, rosters 1, people 3"], "")
    (tmp_path / "gap.yaml").write_text(TEXT.replace('hours: "14:00-02:00"', 'hours: "14:00-15:00"'))
    code, lines, _ = command("escalation", "check", "-f", str(tmp_path / "gap.yaml"))
    assert code == 0
    assert lines[0].startswith('remark: roster "on-call": nobody is on call from ')


def test_the_example_is_good_and_can_be_begun_with(command: Command, tmp_path: Path) -> None:
    (tmp_path / "escalation.yaml").write_text("\n".join(command("escalation", "example")[1]))
    code, lines, said = command("escalation", "check", "-f", str(tmp_path / "escalation.yaml"))
    assert (code, said) == (0, "")
    assert lines[-1].startswith("good: ")


def test_who_is_told_is_shown_with_when_by_what_and_why(command: Command, file: str) -> None:
    at = ("--at", "2026-11-28T22:30:00Z")
    code, lines, _ = command("escalation", "test", "-f", file, *at)
    assert code == 0
    assert lines[0] == "urgent: it is for this incident"
    assert [line.split("  ")[0][:20].strip() for line in lines[2:]] == [
        f"Sat 28 Nov 22:{minute} UTC" for minute in ("30", "35", "40", "45", "45")
    ]
    documents = [json.loads(line) for line in command("escalation", "test", "-f", file, *at, "-o", "json")[1]]
    assert [(one["step"], one["repeat"], one["person"], one["output"]) for one in documents] == [
        *((1, repeat, "carla", "mail-carla") for repeat in range(3)),
        (2, 0, "carla", "mail-carla"),
        (2, 0, None, "channel"),
    ]


def test_nobody_is_told_of_what_no_policy_is_for_and_it_says_why(command: Command, file: str) -> None:
    lines = command("escalation", "test", "-f", file, "--score", "4")[1]
    assert lines == [
        "urgent: the score 4 is below 70", "normal: the score 4 is below 30", "No policy is for it: nobody is told."
    ]  # fmt: skip


def test_who_is_on_call_is_shown_roster_by_roster(command: Command, file: str) -> None:
    found = command("escalation", "who", "-f", file, "--at", "2026-12-24T12:00:00Z", "--days", "2", "-o", "json")[1]
    assert [json.loads(line)["who"] for line in found] == ["bob", "anna"]
    lines = command("escalation", "who", "-f", file, "--at", "2026-12-24T12:00:00Z", "--days", "2")[1]
    assert lines[0].split() == ["ROSTER", "on-call", "UNTIL", "ON", "CALL", "WHY"]
    assert "Anna" in lines[2]
    assert lines[2].endswith("stands in")


def test_without_a_file_people_are_told_how_to_get_one(command: Command) -> None:
    code, _, said = command("escalation", "who")
    assert code == 2
    assert "'hullwatch escalation example' prints one" in said


def test_names_with_terminal_escapes_come_out_escaped(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(TEXT.replace("name: Anna", r'name: "\e[31mAnna"'))
    lines = command("escalation", "who", "-f", str(path), "--at", "2026-11-30T12:00:00Z", "--days", "1")[1]
    assert "\x1b" not in "".join(lines)
    assert any("Anna" in line for line in lines)


WRONG = """\
[escalation]
file = "escalation.yaml"
[respond]
actions = [{do = "kill", rule = "x", condition = "proc.nam = x"}]
"""


def test_a_wrong_file_and_a_wrong_condition_are_found_before_anything_is_watched(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "hullwatch.toml").write_text(WRONG)
    (tmp_path / "escalation.yaml").write_text(TEXT)
    code, lines, _ = command("config", "check", str(tmp_path / "hullwatch.toml"))
    assert code == 2
    said = "\n".join(lines)
    assert 'There is no output "pager-anna" in the configuration' in said
    assert "There is no field 'proc.nam'" in said
    code, _, said = command("run", "--config", str(tmp_path / "hullwatch.toml"), "--duration", "1s")
    assert code == 2
    assert 'There is no output "pager-anna" in the configuration' in said
