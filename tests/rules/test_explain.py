"""Why a rule matches an event or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.rules.case_events import read_event
from hullwatch.rules.cases import case_files, read_cases
from hullwatch.rules.describe import RuleBook
from hullwatch.rules.document import read_documents
from hullwatch.rules.explain import Explainer, explain
from hullwatch.rules.loader import RulesFile
from hullwatch.rules.pack import builtin_files

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.explain import Explanation

CASES = Path(__file__).with_name("cases")
RULE = "- rule: {name}\n  desc: d\n  condition: {condition}\n  output: x\n  priority: INFO\n"


def event(text: str) -> Event:
    return read_event(read_documents("event", text.encode())[0], 1)


def explained(condition: str, text: str = "{type: execve, proc: {name: bash}}") -> Explanation:
    rules = RULE.format(name="R", condition=f"|\n    {condition}")
    return explain(RuleBook([RulesFile("a.yaml", rules.encode())]), "R", event(text))


def results(explanation: Explanation) -> list[str]:
    return [f"{'*' if line.decisive else ''}{line.result} {line.text}" for line in explanation.lines]


def test_only_the_false_checks_decide_that_an_and_is_false() -> None:
    found = explained("evt.type = execve and proc.name = zsh and proc.pname = sshd")
    assert not found.matches
    assert results(found) == [
        "*false and",
        "true evt.type = execve",
        "*false proc.name = zsh",
        "*absent proc.pname = sshd",
    ]
    assert [line.text for line in found.decided_by] == ["proc.name = zsh", "proc.pname = sshd"]
    assert [line.values[0].value for line in found.decided_by] == ["bash", None]


def test_only_the_true_parts_decide_that_an_or_is_true() -> None:
    found = explained("evt.type = execve and (proc.name = zsh or proc.name = bash)")
    assert found.matches
    assert results(found) == [
        "*true and",
        "*true evt.type = execve",
        "*true or",
        "false proc.name = zsh",
        "*true proc.name = bash",
    ]


def test_not_turns_absent_into_true() -> None:
    found = explained("evt.type = execve and not proc.pname = sshd")
    assert results(found)[2:] == ["*true not", "*absent proc.pname = sshd"]


def test_a_field_that_nothing_answers_is_told_from_one_that_the_event_has_not() -> None:
    found = explained("evt.type = execve and (proc.pname = x or evt.pluginname = /x)")
    assert [line.values[0].answered for line in found.lines if line.kind == "check"] == [True, True, False]


def test_both_sides_of_a_comparison_of_fields_are_shown() -> None:
    found = explained("evt.type = execve and proc.name = val(proc.pname)")
    assert [(value.field, value.value) for value in found.lines[2].values] == [
        ("proc.name", "bash"),
        ("proc.pname", None),
    ]


def test_addresses_that_no_output_shows_are_shown() -> None:
    connection = '{type: connect, params: {tuple: "10.0.0.2:40000->93.184.216.34:443"}, proc: {name: nc}}'
    found = explained("evt.type = connect and fd.snet = 93.184.0.0/16 and fd.ip = 10.0.0.2", connection)
    assert found.matches
    assert [line.values[0].value for line in found.lines[2:]] == ["93.184.216.34", "(10.0.0.2, 93.184.216.34)"]


def test_a_rule_that_comes_first_is_named() -> None:
    rules = "".join(RULE.format(name=name, condition="evt.type = execve") for name in ("First", "Second"))
    book = RuleBook([RulesFile("a.yaml", rules.encode())])
    happened = event("{type: execve, proc: {name: bash}}")
    assert explain(book, "Second", happened).taken_by == "First"
    assert explain(book, "First", happened).taken_by is None


def test_every_check_says_where_it_stands() -> None:
    found = explained("evt.type = execve and proc.name = zsh")
    assert [(line.file, line.line, line.column) for line in found.lines if line.kind == "check"] == [
        ("a.yaml", 3, 14),
        ("a.yaml", 4, 27),
    ]


def test_a_macro_that_is_doubled_again_and_again_is_judged_once() -> None:
    macros = ["- macro: m0\n  condition: (proc.name = zsh)\n"]
    macros += [f"- macro: m{number}\n  condition: m{number - 1} or m{number - 1}\n" for number in range(1, 13)]
    rules = "".join(macros) + RULE.format(name="R", condition="evt.type = execve and m12")
    found = explain(RuleBook([RulesFile("a.yaml", rules.encode())]), "R", event("{type: execve, proc: {name: bash}}"))
    assert len(found.lines) > 4096
    assert [line.text for line in found.decided_by] == ["proc.name = zsh"]


def test_the_explanation_agrees_with_the_engine_on_every_case_of_the_pack() -> None:
    book = RuleBook(builtin_files())
    explainer = Explainer(book)
    for happened in [one for path in case_files([CASES]) for case in read_cases(path) for one in case.events]:
        for rule in book.rule_set.for_type(happened.type.name):
            assert explainer.explain(rule.name, happened).matches == rule.matches(happened)


SEQUENCE = """
- rule: R
  desc: d
  sequence:
    - condition: evt.type = execve and proc.name = bash
    - condition: evt.type = execve and proc.name = zsh
  within: 5m
  output: x
  priority: INFO
"""


def test_an_event_is_judged_with_every_step_of_a_sequence() -> None:
    book = RuleBook([RulesFile("a.yaml", SEQUENCE.encode())])
    found = explain(book, "R", event("{type: execve, proc: {name: bash}}"))
    assert [(one.step, one.matches) for one in found.steps] == [(1, True), (2, False)]
    assert (found.step, found.matches, found.taken_by) == (1, True, None)
    assert found.remembers == ("2 steps in order within 5m", "by nothing: all events together")
    none = explain(book, "R", event("{type: execve, proc: {name: sh}}"))
    assert (none.step, none.matches) == (2, False)


def test_an_explanation_says_what_a_threshold_counts() -> None:
    text = RULE.format(name="R", condition="evt.type = execve")
    text += "  threshold: {count: 3, within: 1m, distinct: proc.name}\n  by: [user, container]\n"
    found = explain(RuleBook([RulesFile("a.yaml", text.encode())]), "R", event("{type: execve, proc: {name: bash}}"))
    assert found.matches
    assert found.remembers == ("3 different values of proc.name within 1m", "by user, container")
    assert [(one.field, one.value) for one in found.grouped] == [
        ("user", "0"),
        ("container", "host"),
        ("proc.name", "bash"),
    ]
