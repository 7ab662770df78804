"""``hullwatch formats``, and alerts of a replay in each of them."""

import json
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import typer.main

from hullwatch.cli.errors import run_safely
from hullwatch.cli.main import app
from hullwatch.cli.watch_options import OUTPUTS
from hullwatch.config.settings import OutputSettings
from hullwatch.formats.registry import FORMATS
from tests.cli.in_process import Command, command

__all__ = ["command"]

RULES = """
- rule: Shadow
  desc: x
  condition: evt.type = openat and fd.name = /etc/shadow
  output: read (file=%fd.name command=%proc.cmdline)
  priority: WARNING
"""
EVENT = {
    "evt.type": "openat",
    "fd.name": "/etc/shadow",
    "proc.name": "cat",
    "proc.cmdline": "cat\x1b[2J|=",
    "proc.pid": 7,
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "events.ndjson").write_text(f"{json.dumps(EVENT)}\n" * 2)
    return str(tmp_path / "events.ndjson"), str(tmp_path / "rules.yaml")


def replay(*arguments: str) -> int:
    """Run ``hullwatch replay`` and return its exit code; alerts go to the descriptor of standard output."""
    main = typer.main.get_command(app).main
    return run_safely(lambda: main(["replay", *arguments], prog_name="hullwatch", standalone_mode=False))


def test_the_settings_and_the_options_know_every_format() -> None:
    known = get_args(get_type_hints(OutputSettings)["format"])
    assert sorted(known) == sorted(OUTPUTS) == FORMATS.names()


def test_the_list_names_each_format(command: Command) -> None:
    code, lines, _ = command("formats", "list")
    assert code == 0
    assert [line.split()[0] for line in lines] == FORMATS.names()
    _, documents, _ = command("formats", "list", "-o", "json")
    assert json.loads(documents[0]) == {
        "name": "cef",
        "content_type": "text/plain; charset=utf-8",
        "about": "Common Event Format, for ArcSight, Sentinel, QRadar, Splunk and what else takes CEF.",
        "source": "ArcSight Common Event Format (CEF) Implementation Standard, CEF:0",
    }


def test_an_example_is_a_line_of_the_format_with_or_without_an_incident(command: Command) -> None:
    code, lines, _ = command("formats", "show", "ocsf")
    assert (code, len(lines)) == (0, 1)
    assert json.loads(lines[0])["metadata"]["correlation_uid"] == "n2f"
    _, lines, _ = command("formats", "show", "ocsf", "--alone")
    assert "correlation_uid" not in json.loads(lines[0])["metadata"]


def test_a_format_that_there_is_not_is_told_with_the_nearest_one(command: Command) -> None:
    code, _, said = command("formats", "show", "oscf")
    assert code == 2
    assert "did you mean 'ocsf'?" in said
    assert command("replay", "x", "-o", "oscf")[0] == 2


@pytest.mark.parametrize("name", [name for name in FORMATS.names() if name != "sarif"])
def test_a_replay_prints_its_alerts_in_any_format_one_line_each(
    capfdbinary: pytest.CaptureFixture[bytes], files: tuple[str, str], name: str
) -> None:
    assert replay(files[0], "-r", files[1], "-o", name) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert len(lines) == 2
    assert b"Shadow" in lines[0]
    assert b"\x1b" not in lines[0]


def test_sarif_is_one_document_with_all_alerts(
    capfdbinary: pytest.CaptureFixture[bytes], files: tuple[str, str]
) -> None:
    assert replay(files[0], "-r", files[1], "-o", "sarif") == 0
    run = json.loads(capfdbinary.readouterr().out)["runs"][0]
    assert [one["ruleId"] for one in run["results"]] == ["shadow", "shadow"]
    assert [one["name"] for one in run["tool"]["driver"]["rules"]] == ["Shadow"]


def test_a_replay_without_alerts_is_a_sarif_document_too(
    capfdbinary: pytest.CaptureFixture[bytes], files: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "none.ndjson").write_text("")
    replay(str(tmp_path / "none.ndjson"), "-r", files[1], "-o", "sarif")
    assert json.loads(capfdbinary.readouterr().out)["runs"][0]["results"] == []


def test_events_are_printed_as_text_or_json_alone(command: Command) -> None:
    code, _, said = command("events", "x.hwcap", "-o", "ocsf")
    assert code == 2
    assert "text or json" in said
