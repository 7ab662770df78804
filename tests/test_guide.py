"""What the guide to rules shows is true: its examples load, pass, and change the pack as it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hullwatch.detect.case_judge import judging
from hullwatch.rules.cases import run_cases
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.pack import builtin_files
from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
RULES, REMEMBERING, ITS_CASES, CASES, CHANGES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize(("rules", "cases", "count"), [(RULES, CASES, 2), (REMEMBERING, ITS_CASES, 1)])
def test_the_guides_rules_pass_the_guides_cases(tmp_path: Path, rules: str, cases: str, count: int) -> None:
    (tmp_path / "my_rules.yaml").write_text(rules)
    path = tmp_path / "cases.yaml"
    path.write_text(cases)
    results = run_cases([path], judging)
    assert [result.passed for result in results] == [True] * count


def test_the_guides_changes_load_behind_the_pack() -> None:
    changed = load([*builtin_files(), RulesFile(name="my_changes.yaml", text=CHANGES.encode())])
    plain = load(builtin_files())
    assert [rule.name for rule in changed.rules] == [rule.name for rule in plain.rules]
