"""Events that are given as field values, for ``rules explain``."""

from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING

import pytest

from hullwatch.cli.event_file import read_field_values
from hullwatch.cli.rules_explain import explain
from hullwatch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
- rule: Odd
  desc: d
  condition: evt.type = openat and evt.pluginname = x and fd.snet = 10.0.0.0/8 and proc.aname[2] = sshd
  output: o
  priority: INFO
- rule: Counted
  desc: d
  condition: evt.type = openat
  threshold: {count: 2, within: 1m, distinct: fd.name}
  by: [container, process]
  output: o
  priority: INFO
"""
LINES = (
    '{"evt.type": "execve"}\n'
    "\n"
    '{"fields": {"evt.type": "openat", "evt.pluginname": "x", "fd.snet": "10.1.2.3", "proc.aname[2]": "bash"}}\n'
    '{"evt.type": "openat", "container.id": "c1", "proc.pid": 7, "proc.nam": "x"}\n'
    '{"proc.pid": "many"}\n'
)


@pytest.fixture
def rules(tmp_path: Path) -> str:
    (tmp_path / "rules.yaml").write_text(RULES)
    return str(tmp_path / "rules.yaml")


@pytest.fixture
def events(tmp_path: Path) -> str:
    (tmp_path / "events.ndjson").write_text(LINES)
    return str(tmp_path / "events.ndjson")


def test_every_field_is_what_the_line_says_also_one_that_nothing_else_answers(
    rules: str, events: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain("Odd", events, [rules], "json", source="fields", line=3) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["matches"]
    assert [(line["result"], line["values"][0]["value"]) for line in found["lines"] if line["kind"] == "check"] == [
        ("true", "openat"),
        ("true", "x"),
        ("true", "10.1.2.3"),
        ("false", "bash"),
    ]


def test_a_field_that_the_line_does_not_name_is_absent(
    rules: str, events: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain("Odd", events, [rules], source="fields", line=4) == 0
    said = capsys.readouterr()
    assert "evt.pluginname is absent" in said.out
    assert "has values of 'proc.nam', and there is no such field (did you mean proc.name?)" in said.err


def test_what_a_rule_groups_by_is_what_the_line_says(
    rules: str, events: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain("Counted", events, [rules], source="fields", line=4) == 0
    assert 'Grouped by: container is "c1", process is "7", fd.name is absent' in capsys.readouterr().out


def test_a_compressed_file_and_standard_input_with_one_event_need_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.gz").write_bytes(gzip.compress(LINES.splitlines()[0].encode()))
    assert read_field_values(str(tmp_path / "one.gz")).type.name == "execve"

    class Standard:
        buffer = io.BytesIO(LINES.splitlines()[2].encode())

    monkeypatch.setattr("sys.stdin", Standard)
    assert read_field_values("-").type.name == "openat"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (None, "has several events: say which with --line, such as --line 1"),
        (2, "has no event in line 2"),
        (9, "has no event in line 9"),
        (5, "line 5, is no event: proc.pid is a whole number"),
    ],
)
def test_a_line_that_is_no_event_is_a_usage_error(events: str, line: int | None, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_field_values(events, line)


def test_a_file_that_is_empty_or_not_there_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match="has no event"):
        read_field_values(str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="cannot be read"):
        read_field_values("/nowhere")


@pytest.mark.parametrize("flags", [{"source": "tables"}, {"line": 3}, {"source": "fields", "line": 0}])
def test_wrong_flags_are_a_usage_error(rules: str, events: str, flags: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"--(source|line) is"):
        explain("Odd", events, [rules], **flags)  # type: ignore[arg-type]
