"""A capture of a watched host: judged again it raises the alerts that it raised live."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests import lab
    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

INTERNAL = {"internal"}  # the source of alerts that Hullwatch raises of itself


def alerts_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return alerts without what belongs to that run and its reader, and without those about Hullwatch itself."""
    found = [{key: value for key, value in alert.items() if key not in {"received", "capture"}} for alert in lines]
    return [alert for alert in found if alert["source"] not in INTERNAL]


def hullwatch(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hullwatch", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.engine
def test_a_recorded_attack_raises_the_same_alerts_again(
    watch: Callable[..., Watch], docker_engine: lab.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = tmp_path / "attack.hwcap"
    monkeypatch.setenv("HULLWATCH_RECORD_FILE", str(capture))
    watching = watch(docker_host=docker_engine.url)
    assert any("recording it to" in line for line in watching.said)
    victim = docker_engine.run(name="recorded")
    docker_engine.exec(victim, ["sh", "-c", "cat /etc/shadow; cp /bin/busybox /tmp/x; /tmp/x true; rm /tmp/x"])
    watching.alert({"Sensitive file read"}, victim.name)
    docker_engine.remove(victim)
    assert watching.end() == 0
    monkeypatch.delenv("HULLWATCH_RECORD_FILE")
    live = alerts_of(watching.alerts)
    assert live
    again = hullwatch("replay", str(capture), "-o", "json")
    assert again.returncode == 0, again.stderr
    assert alerts_of([json.loads(line) for line in again.stdout.splitlines()]) == live
    told = json.loads(hullwatch("capture", "info", "-o", "json", str(capture)).stdout)
    assert not told["problem"]
    assert told["host"] == os.uname().nodename
    assert len(told["containers"]) >= 1


def test_a_recording_without_rules_has_what_rules_ask_for_later(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("watching the kernel needs root")
    capture, rules = tmp_path / "a.hwcap", tmp_path / "rules.yaml"
    rules.write_text(
        "- {rule: Marked, desc: d, condition: evt.type = chmod and fs.path.name endswith marked, output: x, "
        "priority: INFO}"
    )
    environment = {
        **os.environ,
        "HULLWATCH_DIRECTORIES_STATE": str(tmp_path / "state"),
        "HULLWATCH_DIRECTORIES_RUN": str(tmp_path / "run"),
    }
    command = [sys.executable, "-m", "hullwatch", "record", "-w", str(capture)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as recording:
        assert recording.stderr is not None
        try:
            assert any("recording it to" in line for line in recording.stderr)
            (tmp_path / "marked").touch()
            (tmp_path / "marked").chmod(0o600)
        finally:
            recording.terminate()
        recording.stderr.read()
    assert recording.returncode == 0
    assert capture.stat().st_mode & 0o777 == 0o600
    again = hullwatch("replay", str(capture), "-r", str(rules), "-o", "json")
    assert [json.loads(line)["rule"] for line in again.stdout.splitlines()] == ["Marked"]
    assert hullwatch("record", "-w", str(capture)).returncode == 2  # it is there already
