"""From a program that is run to the person who is told: kept, grouped, escalated and delivered."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.respond.settled import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

RULES = """
- rule: Marked program
  desc: a program of the test
  condition: evt.type = execve and proc.args contains escalation-mark
  output: "%proc.args"
  priority: CRITICAL
"""
ESCALATION = """
people:
  anna: {name: Anna, output: pager}
policies:
  - name: all
    steps:
      - {tell: [anna], repeat: 1s, most: 100}
"""
CONFIGURATION = """
[incidents]
minimum_score = 1
[escalation]
file = "escalation.yaml"
[outputs.pager]
type = "program"
when = "escalation"
command = ["/bin/sh", "-c", "cat >> {told}; echo >> {told}"]
"""


def test_who_is_to_be_told_is_told_until_somebody_acknowledges(watch: Callable[..., Watch], tmp_path: Path) -> None:
    told = Path("/var/tmp") / f"hullwatch-told-{tmp_path.name}-{tmp_path.parent.name}"
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "escalation.yaml").write_text(ESCALATION)
    (tmp_path / "hullwatch.toml").write_text(CONFIGURATION.format(told=told))
    watching = watch("-r", str(tmp_path / "rules.yaml"), "--config", str(tmp_path / "hullwatch.toml"))

    def hullwatch(*arguments: str) -> str:
        command = [sys.executable, "-m", "hullwatch", *arguments, "--state-directory", str(watching.state)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def times() -> int:
        return told.read_text(encoding="utf-8").count("Escalation: all") if told.exists() else 0

    def followed() -> str:
        with sqlite3.connect(f"file:{watching.state}/store.db?mode=ro", uri=True) as database:
            return str(database.execute("SELECT value FROM meta WHERE name = 'escalation'").fetchone()[0])

    try:
        subprocess.run(["sh", "-c", "exit 0", "escalation-mark"], check=True)
        until(lambda: times() >= 2, 40)
        assert "for Anna" in told.read_text(encoding="utf-8")
        (incident,) = [line.split()[0] for line in hullwatch("incidents").splitlines()[1:]]
        hullwatch("incidents", "ack", incident)
        until(lambda: followed() == "[]", 20)  # nobody is followed any more, so nobody is told
        assert " acknowledged " in hullwatch("incidents")
    finally:
        told.unlink(missing_ok=True)
