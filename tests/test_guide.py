"""What the guide to rules shows is true: its examples load, pass, and change the pack as it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hullwatch.rules.cases import run_cases
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.pack import builtin_files
from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
RULES, CASES, CHANGES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guides_rule_passes_the_guides_cases(tmp_path: Path) -> None:
    (tmp_path / "my_rules.yaml").write_text(RULES)
    cases = tmp_path / "cases.yaml"
    cases.write_text(CASES)
    results = run_cases([cases])
    assert [result.passed for result in results] == [True, True]


def test_the_guides_changes_load_behind_the_pack() -> None:
    changed = load([*builtin_files(), RulesFile(name="my_changes.yaml", text=CHANGES.encode())])
    plain = load(builtin_files())
    assert [rule.name for rule in changed.rules] == [rule.name for rule in plain.rules]


def test_the_guides_table_names_every_rule_of_the_pack_with_its_priority() -> None:
    rows = dict(re.findall(r"^\| ([A-Z][^|]*) \|[^|]*\| (\w+) \|$", GUIDE, re.MULTILINE))
    assert rows == {rule.name: str(rule.priority) for rule in load(builtin_files()).rules}
