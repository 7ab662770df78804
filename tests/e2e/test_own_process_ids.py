"""Hullwatch in a container with process ids of its own, as one that is not given the host's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

RULE = """
- rule: Marked file opened
  desc: a file whose name nobody else uses
  condition: evt.type in (open, openat) and fd.name endswith hullwatch-own-ids-file
  output: Opened %fd.name by %proc.pid
  priority: WARNING
"""


def unshared(*command: str) -> list[str]:
    return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *command]


def test_it_knows_its_own_processes_and_nobody_cries_tampering(watch: Callable[..., Watch], tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULE)
    watching = watch("-r", str(rules), before=unshared)
    (supervisor,) = Path(f"/proc/{watching.process.pid}/task/{watching.process.pid}/children").read_text().split()
    try:
        assert any("process ids of its own here" in line for line in watching.said)
        touching = subprocess.Popen(["/bin/touch", str(tmp_path / "hullwatch-own-ids-file")])
        assert touching.wait(10) == 0
        alert = watching.alert({"Marked file opened"})
        assert alert["output_fields"]["proc.pid"] == touching.pid  # as the host counts

        # Every two seconds the engine opens this file itself: the sensor leaves that out and counts it.
        def left_out() -> int:
            status = json.loads((watching.state / "status.json").read_bytes())
            return int(status["excluded"])

        assert watching.wait(lambda: left_out() > 0, 15), watching.describe()
    finally:
        os.kill(int(supervisor), signal.SIGINT)  # `unshare` itself waits for it
        watching.process.wait(30)
    assert watching.end() == 0
    assert {one["rule"] for one in watching.alerts} == {"Marked file opened"}, watching.describe()
