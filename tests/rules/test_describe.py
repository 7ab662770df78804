"""A rule taken apart: its condition written out, and what it refers to."""

from __future__ import annotations

import pytest

from hullwatch.cli.rules_describe import condition_lines, condition_text
from hullwatch.errors import UsageError
from hullwatch.rules.compile import compile_condition
from hullwatch.rules.describe import RuleBook, read_definitions, walk, write_check
from hullwatch.rules.document import Scalar, Source
from hullwatch.rules.grammar import parse_condition
from hullwatch.rules.loader import RulesFile
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.syntax import Check, SourceText

RULES = """
- list: inner
  items: [bash, "two words"]
- list: outer
  items: [inner, zsh]
- macro: spawned
  condition: evt.type = execve
- macro: shell
  condition: spawned and proc.name in (outer)
- rule: Used
  desc: why
  condition: shell and not proc.pname in (inner)
  output: "%proc.name %k8s.ns.name"
  priority: NOTICE
  tags: [b, a]
  exceptions:
    - name: known
      fields: [proc.name, user.uid]
      values: [[zsh, 0]]
- rule: Off
  desc: d
  condition: evt.type = open
  output: x
  priority: INFO
  enabled: false
- rule: Elsewhere
  desc: d
  condition: ka.verb = get
  output: x
  priority: INFO
  source: aws_cloudtrail
"""


def book(text: str = RULES) -> RuleBook:
    return RuleBook([RulesFile("a.yaml", text.encode())])


def source(text: str) -> SourceText:
    return SourceText(Scalar(text, Source("x", text), 0))


def one_rule(condition: str, before: str = "") -> RuleBook:
    return book(f"{before}\n- rule: R\n  desc: d\n  condition: |\n    {condition}\n  output: x\n  priority: INFO\n")


def test_macros_lists_and_exceptions_are_written_out() -> None:
    description = book().describe("Used")
    assert condition_text(description.condition) == (
        '( ( evt.type = execve and proc.name in (bash, "two words", zsh) ) '
        'and not proc.pname in (bash, "two words") ) '
        "and not ( proc.name = zsh and user.uid = 0 )"
    )
    assert description.macros == ("shell", "spawned")
    assert description.lists == {"outer": ("bash", "two words", "zsh"), "inner": ("bash", "two words")}
    assert description.event_types == {"execve"}


def test_each_part_knows_the_macro_or_exception_that_it_stands_for() -> None:
    origins = [part.origins for part, _ in walk(book().describe("Used").condition) if part.origins]
    assert origins == [("macro shell",), ("macro spawned",), ("exception known",)]


def test_rules_that_are_not_in_use_are_told_apart() -> None:
    found = book()
    assert {rule.name: found.state(rule.name) for rule in found.rules()} == {
        "Used": "enabled",
        "Off": "disabled",
        "Elsewhere": "left out",
    }
    assert found.describe("Off").event_types == {"open"}


def test_a_wrong_name_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"no rule 'used' \(did you mean Used\?\)"):
        book().find("used")
    with pytest.raises(UsageError, match="rules list shows the names"):
        book().find("something quite different")
    with pytest.raises(UsageError, match="is left out here; hullwatch rules validate says why"):
        book().find("Elsewhere")


@pytest.mark.parametrize(
    "condition",
    [
        "proc.name = bash",
        'proc.name != "a b"',
        r'proc.cmdline contains "say \"hi\" \\ \n"',
        "proc.name exists",
        "proc.tty >= 10",
        "proc.name in ()",
        'proc.name in (a, "b c", "and")',
        "proc.aname[2] = init",
        "proc.name contains anyof (a, b)",
        "proc.name = val(proc.pname)",
        "tolower(proc.name) = toupper(proc.pname)",
        'concat(proc.name, "-", 1) = a-1',
        'join("/", (proc.name, b)) = "a/b"',
        "fd.snet = 10.0.0.0/8",
        "fd.name pmatch (/etc, /usr)",
        "evt.arg.flags contains O_WRONLY",
    ],
)
def test_a_check_is_written_as_the_parser_reads_it(condition: str) -> None:
    parsed = parse_condition(source(condition))
    assert isinstance(parsed, Check)
    written = write_check(parsed)
    again = parse_condition(source(written))
    assert isinstance(again, Check)
    assert write_check(again) == written
    assert compile_condition(again, "x").code == compile_condition(parsed, "x").code


def test_a_long_list_is_cut_for_people() -> None:
    parsed = parse_condition(source("proc.name in (a, b, c, d)"))
    assert isinstance(parsed, Check)
    assert write_check(parsed, 2) == "proc.name in (a, b, ... 2 more)"


def test_the_written_out_conditions_of_the_pack_are_conditions_of_the_same_meaning() -> None:
    pack = RuleBook(builtin_files())
    for rule in pack.rules():
        for step in pack.describe(rule.name).steps:
            again = compile_condition(parse_condition(source(condition_text(step.condition))), "x")
            assert again.event_types == step.compiled.event_types
            assert again.fields == step.compiled.fields


def test_a_check_of_a_field_that_nothing_answers_is_warned_of_where_it_stands() -> None:
    warned = one_rule(
        "evt.type = execve and odd", before="- macro: odd\n  condition: proc.name = x or evt.pluginname = /y"
    ).absent_checks()
    assert [(one.sentence, one.line, one.column, one.item) for one in warned] == [
        ("The field evt.pluginname has no value here: this check is always false.", 2, 31, "rule R")
    ]


def test_the_pack_has_no_check_that_is_always_false() -> None:
    assert RuleBook(builtin_files()).absent_checks() == []


def test_macros_that_only_name_other_macros_are_written_out_without_recursion() -> None:
    macros = ["- macro: m0\n  condition: proc.name = x"]
    macros += [f"- macro: m{number}\n  condition: m{number - 1}" for number in range(1, 3000)]
    found = one_rule("evt.type = execve and m2999", before="\n".join(macros)).describe("R")
    assert condition_lines(found.condition) == ["evt.type = execve", "and proc.name = x"]
    assert found.condition.parts[1].origins[0] == "macro m2999"


def test_definitions_are_read_although_a_condition_is_wrong() -> None:
    broken = RULES.replace("evt.type = open", "evt.type = ")
    assert list(read_definitions([RulesFile("a.yaml", broken.encode())]).rules) == ["Used", "Off", "Elsewhere"]


SEQUENCE = """
- macro: spawned
  condition: evt.type = execve
- rule: Chain
  desc: d
  sequence:
    - condition: evt.type = openat and evt.pluginname = x
      by: fd.name
    - condition: spawned and proc.name = sh
      by: proc.exepath
  by: container
  within: 90s
  output: x
  priority: INFO
  exceptions:
    - {name: known, fields: [user.uid], values: [[0]]}
"""


def test_each_step_of_a_sequence_is_taken_apart() -> None:
    description = book(SEQUENCE).describe("Chain")
    first, last = description.steps
    assert condition_text(first.condition) == ("( evt.type = openat and evt.pluginname = x ) and not user.uid = 0")
    assert condition_text(last.condition) == "( evt.type = execve and proc.name = sh ) and not user.uid = 0"
    assert (first.by, last.by) == (("fd.name",), ("proc.exepath",))
    assert description.event_types == {"openat", "execve"}
    assert {"container.id", "fd.name", "proc.exepath"} <= description.fields
    assert description.macros == ("spawned",)
    assert description.definition.stateful is not None
    assert description.definition.stateful.describe() == ["2 steps in order within 1m30s", "by container"]


def test_a_check_of_any_step_that_nothing_answers_is_warned_of() -> None:
    assert [one.line for one in book(SEQUENCE).absent_checks()] == [7]
