"""The pack's test cases, each a test of its own, and what the runner says of wrong files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hullwatch.rules.cases import Case, case_files, read_cases, run_case, run_cases
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.problem import RulesError
from hullwatch.rules.validate import validate

CASES = Path(__file__).with_name("cases")
ALL_CASES = [case for path in case_files([CASES]) for case in read_cases(path)]


@pytest.mark.parametrize("case", ALL_CASES, ids=[f"{Path(one.location.file).stem}: {one.name}" for one in ALL_CASES])
def test_the_pack_does_what_its_cases_say(case: Case) -> None:
    result = run_case(case)
    assert result.passed, result.sentence


def test_every_rule_of_the_pack_has_a_case_in_which_it_alerts_and_one_in_which_nothing_does() -> None:
    for path in case_files([CASES]):
        cases = read_cases(path)
        assert any(not case.alerts for case in cases), f"{path.name} has no quiet case"
    alerted = {alert for case in ALL_CASES for alert in case.alerts}
    assert alerted == {rule.name for rule in ALL_CASES[0].rules.rules}


def test_the_pack_has_no_errors_and_no_warnings() -> None:
    assert validate(builtin_files()) == []


RULES = """
- rule: Shell
  desc: a shell
  condition: evt.type = execve and proc.name = sh
  output: A shell (command=%proc.cmdline)
  priority: NOTICE
"""


def write(folder: Path, cases: str) -> Path:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "shell.rules").write_text(RULES)
    path = folder / "cases.yaml"
    path.write_text(cases)
    return path


def test_a_case_of_a_users_own_rules_passes_and_a_wrong_one_says_what_it_got(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
rules: rules/shell.rules
cases:
  - it: alerts
    events: [{type: execve, proc: {cmdline: sh -c id}}]
    alerts: [Shell]
  - it: is wrong
    events: [{type: execve, proc: {cmdline: sh -c id}}]
    alerts: []
""",
    )
    good, bad = run_cases([tmp_path])
    assert good.passed
    assert good.messages == ("A shell (command=sh -c id)",)
    assert not bad.passed
    assert (bad.file, bad.line) == (str(path), 7)
    assert bad.sentence == "Expected no alert, got 'Shell'."


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ("rules: none.yaml\ncases: []", "1:8: The file"),
        (
            "cases:\n  - it: x\n    events: [{typ: execve}]\n    alerts: []",
            "3:15: An event has no key 'typ' (did you mean type?).",
        ),
        (
            "cases:\n  - it: x\n    events: [{type: execv}]\n    alerts: []",
            "3:21: There is no event 'execv' here (did you mean execve?).",
        ),
        ("cases:\n  - it: x\n    events: []\n    alerts: []", "3:13: A case needs 'events'"),
        (
            "cases:\n  - it: x\n    events: [{type: open, params: {nam: x}}]\n    alerts: []",
            "3:36: The event open has no key 'nam'",
        ),
        (
            "cases:\n  - it: x\n    events: [{type: open, params: {flags: O_NO}}]\n    alerts: []",
            "There is no flag 'O_NO'",
        ),
        (
            "cases:\n  - it: x\n    events: [{type: connect, params: {tuple: x}}]\n    alerts: []",
            "'x' is no connection",
        ),
        (
            "cases:\n  - it: x\n    events: [{type: open, proc: {nme: x}}]\n    alerts: []",
            "A process has no key 'nme' (did you mean name?).",
        ),
        (
            "cases:\n  - it: x\n    events: [{type: open, container: {imge: x}}]\n    alerts: []",
            "A container has no key 'imge'",
        ),
        (
            "cases:\n  - it: x\n    events: [{type: open, container: {privileged: 3}}]\n    alerts: []",
            "This container is not valid",
        ),
        (
            "cases:\n  - it: x\n    events: [{type: open}]\n    alerts: [Nothing]",
            "4:14: 'alerts' names a rule that is not loaded.",
        ),
        ("cases:\n  - events: []", "2:5: A case needs 'it'"),
        ("- x", "1:1: A file of cases is a map"),
    ],
)
def test_a_wrong_file_of_cases_gives_a_sentence_with_its_place(tmp_path: Path, cases: str, message: str) -> None:
    path = write(tmp_path, cases)
    with pytest.raises(RulesError) as caught:
        read_cases(path)
    assert str(caught.value).startswith(f"{path}:")
    assert message in str(caught.value)
