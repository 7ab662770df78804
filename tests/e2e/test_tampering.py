"""Somebody with root's power works against a running Hullwatch: people are told, and it goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Alert, Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

BPFTOOL = shutil.which("bpftool", path="/usr/sbin:/usr/local/sbin:/usr/bin") or ""
RULE = """
- rule: Marked file opened
  desc: a file whose name nobody else uses
  condition: evt.type in (open, openat) and fd.name endswith hullwatch-tampered-file
  output: Opened %fd.name
  priority: WARNING
"""


def table(pid: int, name: str) -> str:
    """Return the number of a table of a sensor, as anybody can find it."""
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        number = next((line.split()[1] for line in entry.read_text().splitlines() if line.startswith("map_id:")), "")
        command = [BPFTOOL, "-j", "map", "show", "id", number]
        if number and json.loads(subprocess.run(command, capture_output=True, check=True).stdout).get("name") == name:
            return number
    raise AssertionError(f"there is no table {name}")


@pytest.mark.skipif(not BPFTOOL, reason="bpftool is not installed")
def test_changed_tables_and_a_stopped_sensor_are_alerts_and_it_sees_again(
    watch: Callable[..., Watch], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULE)
    watching = watch("-r", str(rules))
    sensor = watching.child("hullwatch-senso")

    def tampered(words: str) -> Alert:
        def found() -> list[Alert]:
            return [one for one in watching.alerts if words in one["output"]]

        assert watching.wait(lambda: bool(found()), 15), watching.describe()
        (alert,) = found()
        assert (alert["rule"], alert["priority"]) == ("Sensor tampered with", "Critical")
        assert alert["source"] == "internal"
        return alert

    entry = {"x86_64": "257", "aarch64": "56"}[os.uname().machine]  # openat
    key = [str(int(entry) & 0xFF), str(int(entry) >> 8), "0", "0"]
    intruder = subprocess.Popen([BPFTOOL, "map", "delete", "id", table(sensor, "syscall_handler"), "key", *key])
    assert intruder.wait(10) == 0
    told = tampered("taken out of the kernel's table (openat)")
    assert told["output_fields"]["proc.name"] == "bpftool"
    assert told["output_fields"]["proc.pid"] == intruder.pid
    assert "It was put right." in told["output"]

    os.kill(sensor, signal.SIGSTOP)
    (tmp_path / "hullwatch-tampered-file").touch()  # while nobody reads: it waits in a ring buffer
    tampered("stopped by a signal (SIGSTOP)")
    watching.alert({"Marked file opened"})
    assert watching.end() == 0
    assert not [one for one in watching.alerts if one["rule"] == "Sensor lost"]
    assert any("changed by others" in line for line in watching.said)
