"""The pack for logs of containers: what every rule of it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hullwatch.rules.attack_techniques import TACTICS, TECHNIQUES
from hullwatch.rules.cases import read_cases
from hullwatch.rules.describe import RuleBook
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.validate import validate
from tools.repository import ROOT

BOOK = RuleBook(builtin_files("container_log"))
RULES = {rule.name: BOOK.describe(rule.name) for rule in BOOK.rules()}
CASES = read_cases(Path(__file__).parent / "cases" / "logs" / "logs.yaml")
TIERS = {"maturity_stable", "maturity_incubating"}
PAGE = (ROOT / "docs" / "container-logs.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z][^|]*) \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)


def test_the_pack_has_no_errors_and_no_warnings() -> None:
    assert validate(builtin_files("container_log")) == []


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_a_tier_a_tactic_and_a_technique_and_says_whose_line_it_was(name: str) -> None:
    rule = RULES[name].definition
    tags = set(rule.tags)
    assert len(tags & TIERS) == 1
    assert "container_log" in tags
    assert tags & set(TACTICS)
    assert {tag for tag in tags if re.fullmatch(r"T\d{4}(\.\d{3})?", tag)} & set(TECHNIQUES)
    for field in ("container.name", "container.id", "container.image", "k8s.pod.name", "k8s.ns.name"):
        assert f"%{field}" in rule.output.text


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_a_case_in_which_it_alerts_and_one_in_which_nothing_does(name: str) -> None:
    of = [case for case in CASES if case.name.startswith(f"{name}: ")]
    assert any(case.alerts == (name,) for case in of)
    assert any(case.alerts == () for case in of)


def test_the_page_lists_every_rule_with_its_priority_tier_and_time() -> None:
    assert {name: row for name, *row in ROWS} == {
        name: [
            str(rule.definition.priority),
            (set(rule.definition.tags) & TIERS).pop().removeprefix("maturity_"),
            re.findall(r"within: (\w+)", rule_text(name))[0],
        ]
        for name, rule in RULES.items()
    }


def rule_text(name: str) -> str:
    """Return a rule as its file has it."""
    text = "".join(file.text.decode() for file in builtin_files("container_log"))
    return text.partition(f"- rule: {name}\n")[2].partition("\n- ")[0]


def test_the_rule_and_the_case_of_the_page_are_right(tmp_path: Path) -> None:
    rule, cases = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert [
        one.name for one in load([RulesFile("page.yaml", rule.encode())], sources=frozenset({"container_log"})).rules
    ]
    (tmp_path / "page.rules").write_text(rule)
    path = tmp_path / "cases.yaml"
    path.write_text(f"rules: page.rules\n{cases}")
    (case,) = read_cases(path)
    assert (len(case.events), case.alerts) == (10, ("Payments failed",))
