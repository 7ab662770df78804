"""``hullwatch run --show-pushdown``: what would be sent and left out, without watching anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
- {rule: Opens, desc: d, condition: evt.type = openat and fd.name = /etc/shadow, output: x, priority: INFO}
- {rule: "Hostile\\e[31m", desc: d, condition: evt.type = chmod and evt.failed = true, output: x, priority: INFO}
"""


def run(folder: Path, *arguments: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
    rules = folder / "rules.yaml"
    rules.write_text(RULES)
    command = [sys.executable, "-m", "hullwatch", "run", "-r", str(rules), *arguments]
    environment = {**os.environ, "HULLWATCH_DIRECTORIES_STATE": str(folder), "HULLWATCH_DIRECTORIES_RUN": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment, user=user)


def test_people_get_a_row_for_what_is_sent_and_a_line_for_the_rest(tmp_path: Path) -> None:
    done = run(tmp_path, "--show-pushdown")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    row = next(line for line in lines if line.startswith("openat "))
    assert "calls, failed" in row
    assert "Opens" in row
    assert any(line.startswith("Not sent, for no rule looks at them: ") and "connect" in line for line in lines)
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("flags", "remembered"), [((), True), (("--no-pushdown",), False)])
def test_programs_get_an_object_for_every_event(tmp_path: Path, flags: tuple[str, ...], *, remembered: bool) -> None:
    done = run(tmp_path, "--show-pushdown", "-o", "json", *flags)
    events = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert events["openat"]["remembered"] is remembered
    assert events["openat"]["failed"] is not remembered
    assert events["openat"]["rules"] == ["Opens"]
    assert (events["chmod"]["sent"], events["connect"]["sent"]) == (True, False)


def test_switched_off_it_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "--show-pushdown", "--no-pushdown")
    assert "Pushdown is off: every call is sent." in done.stdout
    assert "Not sent: " not in done.stdout


def test_a_rules_file_that_is_wrong_is_a_sentence_and_2(tmp_path: Path) -> None:
    done = run(tmp_path, "--show-pushdown", "-r", str(tmp_path / "nothing.yaml"))
    assert done.returncode == 2
    assert "nothing.yaml" in done.stderr
