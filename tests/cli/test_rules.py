import json
from pathlib import Path

import pytest

from hullwatch.cli.rules import run_tests, validate
from hullwatch.errors import UsageError

RULE = """
- rule: Bash
  desc: d
  condition: evt.type = execve and proc.name = bash
  output: Bash ran (%proc.cmdline)
  priority: INFO
"""


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good.yaml").write_text(RULE)
    return str(tmp_path / "good.yaml")


@pytest.fixture
def bad(tmp_path: Path) -> str:
    (tmp_path / "bad.yaml").write_text(RULE.replace("proc.name", "proc.nam"))
    return str(tmp_path / "bad.yaml")


def test_a_valid_file_is_called_valid(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate([good]) == 0
    assert capsys.readouterr().out == f"{good}: valid\n"


def test_an_unknown_field_is_told_with_its_place_and_exit_code_2(
    good: str, bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate([good, bad]) == 2
    problem, *verdicts = capsys.readouterr().out.splitlines()
    assert problem.startswith(f"{bad}:4:36: error: ")
    assert "proc.name" in problem
    assert verdicts == [f"{good}: valid", f"{bad}: invalid, 1 error"]


def test_json_is_an_object_for_each_problem_and_file(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate([bad], output="json") == 2
    problem, verdict = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (problem["type"], problem["severity"], problem["file"], problem["line"]) == ("problem", "error", bad, 4)
    assert verdict == {"type": "file", "file": bad, "valid": False, "errors": 1, "warnings": 0}


def test_a_file_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="No such file"):
        validate(["/nowhere.yaml"])


def test_what_a_hostile_file_says_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a\x1b[2J.yaml"
    path.write_text('- rule: "\\e[2J\\u202e"\n  desc: d\n  condition: x\n  output: y\n  priority: INFO\n')
    assert validate([str(path)]) == 2
    said = capsys.readouterr().out
    assert "\\x1b[2J" in said
    assert not {"\x1b", "\u202e"} & set(said)


CASES = """
rules: good.yaml
cases:
  - it: alerts on bash
    events: [{type: execve, proc: {name: bash}}]
    alerts: [Bash]
  - it: alerts on dash
    events: [{type: execve, proc: {name: dash}}]
    alerts: [%s]
"""


def test_cases_that_pass_are_told_with_their_number(
    good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cases.yaml").write_text(CASES % "")
    assert run_tests([str(tmp_path / "cases.yaml")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pass  cases.yaml: alerts on bash",
        "pass  cases.yaml: alerts on dash",
        "2 passed, 0 failed",
    ]


def test_a_case_that_fails_is_told_with_its_place_and_exit_code_1(
    good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(CASES % "Bash")
    assert run_tests([str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(f"FAIL  {path}:7: alerts on dash: Expected 'Bash', got no alert")
    assert lines[2] == "1 passed, 1 failed"


def test_cases_as_json_are_an_object_each(good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cases.yaml").write_text(CASES % "Bash")
    assert run_tests([str(tmp_path / "cases.yaml")], output="json") == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["passed"]) for row in rows] == [("alerts on bash", True), ("alerts on dash", False)]


def test_cases_that_are_not_there_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no file or directory /nowhere"):
        run_tests(["/nowhere"])


def test_a_mistake_in_a_file_of_cases_is_a_usage_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text("cases:\n  - its: x\n")
    with pytest.raises(UsageError, match=r"cases\.yaml:2:"):
        run_tests([str(path)])


def test_a_folder_without_cases_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no test cases in"):
        run_tests([str(tmp_path)])


def test_with_match_all_every_rule_that_matches_is_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.yaml").write_text(RULE + RULE.replace("rule: Bash", "rule: Also"))
    path = tmp_path / "cases.yaml"
    path.write_text(
        "rules: good.yaml\ncases: [{it: x, alerts: [Bash, Also], events: [{type: execve, proc: {name: bash}}]}]"
    )
    assert run_tests([str(path)]) == 1
    assert "Expected 'Bash', 'Also', got 'Bash'." in capsys.readouterr().out
    assert run_tests([str(path)], match="all") == 0


def test_match_is_first_or_all() -> None:
    with pytest.raises(UsageError, match='--match is first or all, not "every"'):
        run_tests([], match="every")
