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


def test_people_get_a_block_for_what_is_left_out_alike_and_one_for_what_is_not_sent(tmp_path: Path) -> None:
    done = run(tmp_path, "--show-pushdown")
    assert (done.returncode, done.stderr) == (0, "")
    words, *blocks = [" ".join(block.split()) for block in done.stdout.split("\n\n")]
    assert "failed calls that failed, for no rule looks at those" in words
    opens = next(block for block in blocks if " events openat " in block)
    assert opens.startswith("LEFT OUT: calls, failed events openat rules 1: Opens why Not sent: ")
    assert blocks[-1].startswith("NOT SENT AT ALL: no rule looks at them events open,")
    assert " connect," in blocks[-1]
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
    assert done.stdout.startswith("For these rules the kernel sends every call of these events.\n")


def test_a_rules_file_that_is_wrong_is_a_sentence_and_2(tmp_path: Path) -> None:
    done = run(tmp_path, "--show-pushdown", "-r", str(tmp_path / "nothing.yaml"))
    assert done.returncode == 2
    assert "nothing.yaml" in done.stderr
