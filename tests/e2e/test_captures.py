"""A capture of a watched host: judged again it raises the alerts that it raised live."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.rules.pack import PACK_FOLDER

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
    attack = "cat /etc/shadow; cp /bin/busybox /tmp/x; /tmp/x true --password=hunter2; rm /tmp/x"
    docker_engine.exec(victim, ["sh", "-c", attack])
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
    assert told["is_masked"]
    assert told["masked_values"] >= 1
    look_at_evidence(tmp_path, capture, next(alert for alert in live if alert["rule"] == "Sensitive file read"))
    same = hullwatch("backtest", "-r", str(PACK_FOLDER), str(capture), "-o", "json")
    assert same.returncode == 0, same.stderr
    total = json.loads(same.stdout.splitlines()[-1])
    assert (total["before"], total["after"]) == (len(live), len(live))

    part = tmp_path / "part.hwcap"
    cut = hullwatch("capture", "cut", str(capture), "-w", str(part), "--container", victim.name, "-o", "json")
    assert cut.returncode == 0, cut.stderr
    assert 0 < json.loads(cut.stdout)["events"] < told["events"]
    of_part = [said(json.loads(line)) for line in hullwatch("replay", str(part), "-o", "json").stdout.splitlines()]
    everything = [said(alert) for alert in live]
    assert [alert for alert in of_part if alert not in everything] == []
    assert [alert for alert in everything if f"container={victim.name}" in alert[2] and alert not in of_part] == []


def look_at_evidence(folder: Path, capture: Path, alert: dict[str, Any]) -> None:
    """Make a bundle of an alert, and look into it as whoever gets it does."""
    (folder / "alert.json").write_text(json.dumps(alert))
    made = hullwatch("capture", "bundle", str(folder / "alert.json"), str(capture), "-w", str(folder / "evidence"))
    assert made.returncode == 0, made.stderr
    evidence = folder / "evidence"
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=evidence, check=True)
    assert "hunter2" not in "".join(path.read_text(errors="replace") for path in evidence.iterdir())
    (focus,) = [line for line in (evidence / "process-tree.txt").read_text().splitlines() if "<== the alert" in line]
    assert "uid 0) in recorded" in focus
    (container,) = json.loads((evidence / "containers.json").read_text())
    assert container["name"] == alert["output_fields"]["container.name"]
    files = {file["path"]: file for file in json.loads((evidence / "files.json").read_text())}
    assert "changed" in files["/tmp/x"]["why"]
    assert "named by the alert" in files["/etc/shadow"]["why"]
    again = hullwatch("replay", str(evidence / "capture.hwcap"), "-o", "json")
    assert alert in alerts_of([json.loads(line) for line in again.stdout.splitlines()])


def said(alert: dict[str, Any]) -> tuple[str, str, str]:
    """Return what does not depend on how the events are numbered."""
    return alert["time"], alert["rule"], alert["output"]


class Started:
    """A verb that watches this host, which tells on standard error when it does."""

    def __init__(self, folder: Path, *arguments: str, docker_host: str = "") -> None:
        if os.geteuid() != 0:
            pytest.skip("watching the kernel needs root")
        environment = {
            **os.environ,
            "HULLWATCH_DIRECTORIES_STATE": str(folder / "state"),
            "HULLWATCH_DIRECTORIES_RUN": str(folder / "run"),
            "HULLWATCH_STORE_ENABLED": "false",
            "DOCKER_HOST": docker_host or f"unix://{folder}/no-engine.sock",
        }
        command = [sys.executable, "-m", "hullwatch", *arguments]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        assert any("Ctrl-C ends it" in line for line in self.process.stderr)

    def end(self) -> tuple[str, str]:
        """End it as Ctrl-C does; return what it wrote."""
        self.process.send_signal(signal.SIGINT)
        with self.process:
            written = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, written
        return written


@pytest.mark.engine
def test_a_filtered_recording_has_what_a_container_did_from_its_first_call_on(
    docker_engine: lab.Engine, tmp_path: Path
) -> None:
    capture = tmp_path / "a.hwcap"
    condition = "evt.type = openat and container.name = filtered"
    recording = Started(tmp_path, "record", "-w", str(capture), "--filter", condition, docker_host=docker_engine.url)
    victim = docker_engine.run(name="filtered")
    docker_engine.exec(victim, ["cat", "/etc/shadow"])
    docker_engine.remove(victim)
    _, words = recording.end()
    assert "were left out by the filter" in words
    form = "%container.name %proc.name %fd.name"
    lines = hullwatch("events", str(capture), "evt.type = openat", "-p", form).stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"filtered"}
    assert any(line.split()[2] == "/etc/shadow" for line in lines)
    known = hullwatch("events", str(capture), "evt.type = openat and proc.pname exists", "-p", form).stdout.splitlines()
    assert known == lines  # of each the parent is known


def test_events_are_printed_as_they_happen(tmp_path: Path) -> None:
    name = f"seen-{os.getpid()}"
    condition = f"evt.type = openat and fd.name endswith {name}"
    live = Started(tmp_path, "events", "live", condition, "-p", "%proc.pid %fd.name")
    (tmp_path / name).touch()
    assert live.process.stdout is not None
    assert live.process.stdout.readline().split() == [str(os.getpid()), str(tmp_path / name)]  # before it ends
    printed, words = live.end()
    assert printed == ""
    assert " dropped, 1 printed." in words


def test_a_recording_without_rules_has_what_rules_ask_for_later(tmp_path: Path) -> None:
    capture, rules = tmp_path / "a.hwcap", tmp_path / "rules.yaml"
    rules.write_text(
        "- {rule: Marked, desc: d, condition: evt.type = chmod and fs.path.name endswith marked, output: x, "
        "priority: INFO}"
    )
    recording = Started(tmp_path, "record", "-w", str(capture))
    (tmp_path / "marked").touch()
    (tmp_path / "marked").chmod(0o600)
    recording.end()
    assert capture.stat().st_mode & 0o777 == 0o600
    again = hullwatch("replay", str(capture), "-r", str(rules), "-o", "json")
    assert [json.loads(line)["rule"] for line in again.stdout.splitlines()] == ["Marked"]
    assert hullwatch("record", "-w", str(capture)).returncode == 2  # it is there already
