"""``hullwatch replay``: from a file of events to alerts, sentences and an exit code."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
- rule: first
  desc: d
  condition: evt.type = openat and fd.name startswith /etc
  output: first (%fd.name by %proc.name)
  priority: WARNING
- rule: second
  desc: d
  condition: evt.type in (openat, brk)
  output: second (%proc.name)
  priority: INFO
"""
EVENTS = [
    {"evt.type": "openat", "fd.name": "/etc/shadow", "proc.name": "cat\x1b[31m"},
    {"evt.type": "brk", "proc.name": "cat"},
    {"evt.type": "close", "proc.name": "cat"},
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return the paths of events and rules."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "events.ndjson").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    return str(tmp_path / "events.ndjson"), str(tmp_path / "rules.yaml")


def replay(*arguments: str, data: bytes = b"") -> tuple[int, list[str], str]:
    """Return the exit code, the lines of standard output, and standard error."""
    command = [sys.executable, "-m", "hullwatch", "replay", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


def test_the_first_rule_that_matches_an_event_alerts(files: tuple[str, str]) -> None:
    code, alerts, said = replay(files[0], "-r", files[1])
    assert code == 0
    assert [line.partition(" | ")[0].split()[1:] for line in alerts] == [
        ["Warning", "first"],
        ["Informational", "second"],
    ]
    assert "\x1b" not in "".join(alerts)
    assert "3 events, 0 dropped, 2 alerts" in said


def test_with_match_all_every_rule_that_matches_alerts_and_json_is_an_object_a_line(files: tuple[str, str]) -> None:
    code, alerts, _ = replay(files[0], "-r", files[1], "--match", "all", "-o", "json")
    assert code == 0
    assert [json.loads(line)["rule"] for line in alerts] == ["first", "second", "second"]
    assert json.loads(alerts[0])["output_fields"]["fd.name"] == "/etc/shadow"


def test_fail_on_and_priority_work_as_in_run(files: tuple[str, str]) -> None:
    assert replay(files[0], "-r", files[1], "--fail-on", "warning")[0] == 1
    assert replay(files[0], "-r", files[1], "--fail-on", "error")[0] == 0
    assert len(replay(files[0], "-r", files[1], "--priority", "warning")[1]) == 1


def test_standard_input_may_be_compressed(files: tuple[str, str]) -> None:
    data = gzip.compress(json.dumps(EVENTS[0]).encode())
    code, alerts, _ = replay("-", "-r", files[1], data=data)
    assert (code, len(alerts)) == (0, 1)


def test_wrong_lines_are_told_with_their_number_and_the_others_are_judged(files: tuple[str, str]) -> None:
    data = b'nonsense\n{"proc.pid": "x"}\n' + json.dumps(EVENTS[0] | {"proc.nam": 1}).encode()
    code, alerts, said = replay("-", "-r", files[1], data=data)
    assert (code, len(alerts)) == (0, 1)
    assert "standard input, line 1, is left out: it is no JSON object" in said
    assert "standard input, line 2, is left out: proc.pid is a whole number, and 'x' is not." in said
    assert "'proc.nam', and there is no such field (did you mean proc.name?)" in said
    assert "1 event, 2 dropped, 1 alert" in said


def test_after_many_wrong_lines_the_others_are_only_counted(files: tuple[str, str]) -> None:
    said = replay("-", "-r", files[1], data=b"x\n" * 100)[2]
    assert said.count("is left out") == 20
    assert "80 more lines of standard input were left out." in said
    assert "100 dropped" in said


def test_input_that_ends_in_the_middle_is_a_sentence_after_the_summary_and_exit_code_2(files: tuple[str, str]) -> None:
    whole = gzip.compress(b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS) * 2000)
    code, _, said = replay("-", "-r", files[1], data=whole[:-12])
    assert code == 2
    assert said.splitlines()[-1].startswith("The compressed data of standard input is damaged behind line")
    assert "Judged in" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nosuch.ndjson"], "The file nosuch.ndjson cannot be read: No such file or directory."),
        (["-", "--source", "pcap"], '--source is auto, container_log, fields, hwcap, k8s_audit or scap, not "pcap".'),
        (["-", "--match", "some"], "unknown value 'some'; it is one of first, all."),
        (["-", "-r", "nosuch.yaml"], "The rules file nosuch.yaml cannot be read"),
        ([], "Missing argument 'FILE'"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(arguments: list[str], sentence: str) -> None:
    code, alerts, said = replay(*arguments)
    assert (code, alerts) == (2, [])
    assert sentence in said
    assert "Traceback" not in said


def test_a_reader_that_has_gone_ends_the_replay(files: tuple[str, str]) -> None:
    command = f"{sys.executable} -m hullwatch replay - -r {files[1]} | head -1"
    data = json.dumps(EVENTS[0]).encode() + b"\n"
    done = subprocess.run(["sh", "-c", command], input=data * 20_000, capture_output=True, check=False, timeout=60)
    assert len(done.stdout.splitlines()) == 1
    assert b"Traceback" not in done.stderr


def test_a_file_without_any_event_is_bad_input(files: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "no.ndjson").write_text("nothing\n[1]\n")
    code, alerts, said = replay(str(tmp_path / "no.ndjson"), "-r", files[1])
    assert (code, alerts) == (2, [])
    assert "0 events, 2 dropped" in said
    assert "No line of" in said.splitlines()[-1]


def test_what_was_parsed_is_kept_where_the_settings_say(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_CACHE", str(tmp_path / "kept"))
    first = replay(files[0], "-r", files[1])
    (kept,) = (tmp_path / "kept").iterdir()
    assert replay(files[0], "-r", files[1])[:2] == first[:2]
    kept.write_bytes(b"broken")
    code, alerts, said = replay(files[0], "-r", files[1])
    assert (code, alerts) == first[:2]
    assert f"Warning: The cache of rules {kept} is ignored: it is broken." in said
