"""The pack's test cases, each a test of its own, and what the runner says of wrong files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hullwatch.detect.case_judge import judging
from hullwatch.rules.cases import Case, case_files, read_cases, run_case, run_cases
from hullwatch.rules.loader import SOURCES, load
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.problem import RulesError
from hullwatch.rules.validate import validate

CASES = Path(__file__).with_name("cases")
ALL_CASES = [case for path in case_files([CASES]) for case in read_cases(path)]


@pytest.mark.parametrize("case", ALL_CASES, ids=[f"{Path(one.location.file).stem}: {one.name}" for one in ALL_CASES])
def test_the_pack_does_what_its_cases_say(case: Case) -> None:
    result = run_case(case, judging)
    assert result.passed, result.sentence


def test_every_rule_of_the_pack_has_a_case_in_which_it_alerts_and_one_in_which_nothing_does() -> None:
    for path in case_files([CASES]):
        cases = read_cases(path)
        assert any(not case.alerts for case in cases), f"{path.name} has no quiet case"
    alerted = {alert for case in ALL_CASES for alert in case.alerts}
    pack = load(builtin_files(*SOURCES), sources=SOURCES)
    assert alerted == {rule.name for rule in pack.rules} | set(pack.disabled)


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
    good, bad = run_cases([tmp_path], judging)
    assert good.passed
    assert good.messages == ("A shell (command=sh -c id)",)
    assert not bad.passed
    assert (bad.file, bad.line) == (str(path), 7)
    assert bad.sentence == "Expected no alert, got 'Shell'."


BOTH = RULES + RULES.replace("rule: Shell", "rule: Also")
TWO_ALERT = "{it: two, alerts: [Shell, Also], events: [{type: execve, proc: {name: sh}}]}"
ONE_ALERTS = "{it: one, alerts: [Shell], events: [{type: execve, proc: {name: sh}}]}"


@pytest.mark.parametrize(
    ("cases", "every", "passed"),
    [
        (f"cases: [{ONE_ALERTS}, {TWO_ALERT}]", False, [True, False]),
        (f"cases: [{ONE_ALERTS}, {TWO_ALERT}]", True, [False, True]),
        (f"match: all\ncases: [{ONE_ALERTS}, {TWO_ALERT}]", False, [False, True]),
        (f"match: first\ncases: [{ONE_ALERTS}, {TWO_ALERT}]", True, [True, False]),
        (f"match: all\ncases: [{ONE_ALERTS.replace('it:', 'match: first, it:')}, {TWO_ALERT}]", False, [True, True]),
    ],
)
def test_a_case_is_judged_with_the_first_match_or_all_as_it_says_or_its_file_or_the_caller(
    tmp_path: Path, cases: str, *, every: bool, passed: list[bool]
) -> None:
    (tmp_path / "both.rules").write_text(BOTH)
    (tmp_path / "cases.yaml").write_text(f"rules: both.rules\n{cases}\n")
    results = run_cases([tmp_path / "cases.yaml"], judging, every=every)
    assert [result.passed for result in results] == passed


def test_an_event_happens_as_long_after_the_one_before_as_it_says(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
cases:
  - it: has times
    events: [{type: open, time: 5}, {type: open}, {type: open, after: 1m}, {type: open, after: 500ms}]
    alerts: []
""",
    )
    (case,) = read_cases(path)
    assert [event.time for event in case.events] == [5, 5, 60_000_000_005, 60_500_000_005]


def test_each_case_begins_with_nothing_remembered(tmp_path: Path) -> None:
    (tmp_path / "twice.rules").write_text(RULES + "  threshold: {count: 2, within: 1m}\n")
    path = tmp_path / "cases.yaml"
    once = "\n  - {it: x, alerts: [], events: [{type: execve, proc: {name: sh}}]}"
    twice = (
        "\n  - {it: y, alerts: [Shell], events: [{type: execve, proc: {name: sh}}, {type: execve, proc: {name: sh}}]}"
    )
    path.write_text(f"rules: twice.rules\ncases:{once}{once}{twice}")
    assert [result.passed for result in run_cases([path], judging)] == [True] * 3


def test_a_rule_with_state_alerts_besides_the_first_match(tmp_path: Path) -> None:
    counted = RULES.replace("rule: Shell", "rule: Shells") + "  threshold: {count: 1, within: 1m}\n"
    (tmp_path / "both.rules").write_text(RULES + counted)
    path = tmp_path / "cases.yaml"
    path.write_text(
        "rules: both.rules\ncases:\n  - {it: x, alerts: [Shell, Shells], events: [{type: execve, proc: {name: sh}}]}"
    )
    assert [result.passed for result in run_cases([path], judging)] == [True]


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        (
            "cases:\n  - it: x\n    events: [{type: open, after: soon}]\n    alerts: []",
            '3:34: "soon" is not a duration',
        ),
        (
            "cases:\n  - it: x\n    events: [{type: open, time: 1, after: 1s}]\n    alerts: []",
            "3:43: An event has a 'time' in ns since 1970, or 'after' the one before it, such as 30s.",
        ),
        ("rules: none.yaml\ncases: []", "1:8: The file"),
        ("match: every\ncases: []", "1:8: 'match' is first or all"),
        ("cases:\n  - it: x\n    match: [all]\n    events: [{type: open}]\n    alerts: []", "3:12: 'match' is first"),
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
