"""Captures of sysdig and Falco on the command line: replayed, printed and described, whatever the file is called."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hullwatch.cli.main import app
from tests.captures.scap.scap_files import DATA, opened, section, small_capture, unpacked

if TYPE_CHECKING:
    from pathlib import Path

parquet: Any = importlib.import_module("pyarrow.parquet")  # it says nothing of its types

RULE = """
- rule: notes opened
  desc: for the test
  condition: evt.type = openat and fd.name = /tmp/notes
  output: "%proc.name opened %fd.name"
  priority: WARNING
"""


def run(*arguments: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines of a verb that writes through typer."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output.splitlines()


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Replay in a process of its own: alerts are written to its standard output."""
    return process("replay", *arguments)


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb in a process of its own."""
    command = [sys.executable, "-m", "hullwatch", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    """Return the path of a small capture whose name says nothing."""
    path = tmp_path / "found"
    path.write_bytes(small_capture())
    return str(path)


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """Return the path of a rules file."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULE)
    return str(path)


def test_a_replay_raises_alerts_and_tells_what_it_read(capture: str, rules: str) -> None:
    done = replay(capture, "-r", rules, "-o", "json", "--fail-on", "warning")
    alert = json.loads(done.stdout)
    assert (alert["rule"], alert["output"].partition(": ")[2]) == ("notes opened", "Warning cat opened /tmp/notes")
    assert alert["time"] == "2023-11-14T22:13:20.000000000Z"
    assert "4 events, 0 dropped, 1 alert." in done.stderr
    assert done.returncode == 1


def test_a_capture_that_was_changed_is_judged_up_to_there_and_ends_with_2(tmp_path: Path, rules: str) -> None:
    path = tmp_path / "changed.scap"
    data = small_capture()
    path.write_bytes(data + b"\0" * 64)
    done = replay(str(path), "-r", rules, "-o", "json")
    assert json.loads(done.stdout)["rule"] == "notes opened"
    assert f"can be read up to byte {len(data)}: a block claims 0 bytes" in done.stderr
    assert done.returncode == 2
    path.write_bytes(data[:-3])
    done = replay(str(path), "-r", rules, "-o", "json")
    assert "Warning: The capture" in done.stderr
    assert "it ends within a block" in done.stderr
    assert done.returncode == 0


def test_events_are_printed_that_the_condition_holds_for(capture: str) -> None:
    assert run("events", capture, "evt.is_io = true", "-p", "%evt.num %evt.type %fd.name %evt.buffer") == (
        0, ["2 read /tmp/notes hello"],
    )  # fmt: skip
    code, lines = run("events", capture, "-o", "json", "-p", "%proc.name %evt.type")
    assert code == 0
    assert json.loads(lines[0]) == {"proc.name": "cat", "evt.type": "openat"}


def test_the_beginnings_of_calls_are_printed_when_they_are_asked_for(capture: str) -> None:
    path = str(DATA / "cat_write.scap")
    condition, form = "evt.type = open", "%evt.num %evt.dir %fd.num"
    assert run("events", path, condition, "-p", form)[1][:2] == ["137 < 3", "143 < 3"]
    assert run("events", path, condition, "-p", form, "--raw")[1][:2] == ["140 > -1", "141 < 3"]
    assert run("events", capture, "--raw", "-p", "%evt.num")[1] == ["1", "2", "3", "4"]


def test_only_captures_of_that_kind_have_beginnings_of_calls(tmp_path: Path) -> None:
    path = tmp_path / "x.hwcap"
    path.write_bytes(b"HWCAP")
    done = process("events", str(path), "--raw")
    assert "--raw is for .scap files" in done.stderr
    assert done.returncode == 2


def test_what_is_in_a_capture_is_told() -> None:
    code, lines = run("capture", "info", str(DATA / "run_as_user_0_container.scap"), "-o", "json")
    found = json.loads(lines[0])
    assert code == 0
    assert {name: found[name] for name in ("format", "host", "events", "records", "containers", "problem")} == {
        "format": "scap, gzip", "host": "ubuntu", "events": 2786, "records": 4143, "containers": ["697956520d89"],
        "problem": "",
    }  # fmt: skip
    assert found["types"]["switch"] == 1082
    code, lines = run("capture", "info", str(DATA / "empty.scap"))
    assert code == 0
    assert any(line.startswith("format") and "sysdig" in line for line in lines)


def test_what_is_damaged_is_told_with_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "x.scap"
    path.write_bytes(section() + opened("/a") + bytes(64))
    done = process("capture", "info", str(path))
    assert "can be read up to byte" in done.stdout
    assert done.returncode == 2


def test_the_parts_of_a_capture_can_be_asked_for() -> None:
    path = str(DATA / "curl_google.scap")
    _, every = run("events", path, "-p", "%evt.time.iso8601")
    middle = every[len(every) // 2].removesuffix("+0000") + "Z"
    _, later = run("events", path, "-p", "%evt.time.iso8601", "--from", middle)
    assert 0 < len(later) < len(every)
    assert min(later) >= every[len(every) // 2]


def test_a_capture_is_told_from_field_values_by_its_content(tmp_path: Path, rules: str) -> None:
    path = tmp_path / "events.scap"
    path.write_text('{"evt.type": "openat", "fd.name": "/tmp/notes", "proc.name": "dd"}\n')
    done = replay(str(path), "-r", rules, "-o", "json")
    assert json.loads(done.stdout)["output"].endswith("dd opened /tmp/notes")
    (tmp_path / "x").write_bytes(unpacked("cat_write.scap"))
    assert replay(str(tmp_path / "x"), "-r", rules).returncode == 0


def test_its_events_are_exported_as_objects_and_as_a_table(capture: str, tmp_path: Path) -> None:
    fields = "evt.num,evt.time,evt.type,proc.name,fd.name"
    code, lines = run("capture", "export", capture, "evt.type = openat", "-p", fields)
    assert code == 0
    (found,) = [json.loads(line) for line in lines]
    printed = run("events", capture, "evt.type = openat", "-p", "%evt.num %evt.type %proc.name %fd.name")[1][0].split()
    assert [str(found[name]) for name in ("evt.num", "evt.type", "proc.name", "fd.name")] == printed
    made = tmp_path / "x.parquet"
    code, lines = run("capture", "export", str(DATA / "curl_google.scap"), "-w", str(made), "-o", "json")
    table = parquet.read_table(made)
    assert (code, json.loads(lines[0])["events"]) == (0, table.num_rows)
    assert table.num_rows == len(run("events", str(DATA / "curl_google.scap"))[1])
    assert table.schema.metadata[b"format"] == b"scap"
    assert "curl" in table.column("proc.name").to_pylist()


def test_what_can_be_read_of_a_damaged_one_is_exported(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.scap"
    damaged.write_bytes(small_capture()[:-5])
    whole, cut = tmp_path / "whole.ndjson", tmp_path / "cut.ndjson"
    (tmp_path / "whole.scap").write_bytes(small_capture())
    run("capture", "export", str(tmp_path / "whole.scap"), "-w", str(whole))
    code, lines = run("capture", "export", str(damaged), "-w", str(cut))
    assert code == 0
    assert whole.read_text().startswith(cut.read_text())
    assert 0 < len(cut.read_text()) < len(whole.read_text())
    assert lines
