"""The alert that evidence is asked for: which line of a file, and what no alert is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hullwatch.errors import UsageError
from hullwatch.evidence.subject import read_subject

TIME = 1_790_000_000_123_456_789
ALERT: dict[str, Any] = {
    "rule": "Reverse shell", "time": "2026-09-21T14:13:20.123456789Z", "output": "x",
    "output_fields": {"evt.time": TIME, "container.id": "0123456789ab", "proc.name": "sh"},
}  # fmt: skip


def line(**changed: Any) -> bytes:
    return json.dumps({**ALERT, **changed}).encode() + b"\n"


def test_the_only_alert_of_a_file_is_meant_and_another_is_named_by_its_line() -> None:
    found = read_subject(b"\n" + line(), None, "x")
    assert (found.time, found.rule, found.container, found.process) == (TIME, "Reverse shell", "0123456789ab", "sh")
    two = line() + line(rule="Second")
    assert read_subject(two, 2, "x").rule == "Second"
    with pytest.raises(UsageError, match="has 2 lines: say with --line"):
        read_subject(two, None, "x")
    with pytest.raises(UsageError, match="no alert in line 3"):
        read_subject(two, 3, "x")


def test_an_alert_that_was_written_over_several_lines_is_read() -> None:
    assert read_subject(json.dumps(ALERT, indent=2).encode(), None, "x").rule == "Reverse shell"


def test_the_time_is_taken_from_the_date_where_the_number_is_not_there() -> None:
    assert read_subject(line(output_fields={}), None, "x").time == TIME
    assert read_subject(line(output_fields={"evt.time": "noon"}), None, "x").time == TIME


def test_a_folder_is_called_by_the_time_alone() -> None:
    assert read_subject(line(rule="../../x"), None, "x").name == "evidence-20260921T141320Z"


@pytest.mark.parametrize("container", ["host", "", "../etc", "0123456789AB", 5, None])
def test_what_is_no_id_of_a_container_is_the_host(container: object) -> None:
    fields = {"evt.time": TIME, "container.id": container}
    assert read_subject(line(output_fields=fields), None, "x").container == ""


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty: an alert is wanted"),
        (b"no alert", "is no JSON object"),
        (b"[1]", "is no JSON object"),
        (b"{}", "names no rule"),
        (line(rule=7), "names no rule"),
        (line(time="yesterday", output_fields={}), "has no time"),
        (line(time="2026-13-41T00:00:00Z", output_fields={}), "has no time"),
        (line(time=None, output_fields={"evt.time": -1}), "has no time"),
        (b"\xff\xfe", "is no JSON object"),
        (b"[" * 100_000, "is no JSON object"),
    ],
)
def test_what_is_no_alert_is_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_subject(data, None, "x")
