"""The flight recorder on a watched host: an alert's capture has what was before it and after it, and judges alike."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.reader import CaptureReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import lab
    from tests.e2e.watch import Watch

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

RULES = """
- rule: Marked
  desc: d
  condition: evt.type in (open, openat) and fd.name endswith flight-marked
  output: "%fd.name by %proc.cmdline below %proc.pname in %container.name"
  priority: NOTICE
  capture: true
  capture_duration: 1500
- rule: Unmarked
  desc: d
  condition: evt.type in (open, openat) and fd.name endswith flight-unmarked
  output: "%fd.name"
  priority: NOTICE
"""
# Opens again and again, which are ruled out, and what no rule asks for; at the end what is saved.
TIMES = 300
WRITES = f"""
import os, socket, sys, time
folder = sys.argv[1]
for number in range({TIMES}):
    for name, flags in (("written", os.O_WRONLY), ("read", os.O_RDONLY)):
        os.close(os.open(folder + "/" + name, flags))
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.7.9.7", 9777))
    if number % 50 == 49:
        time.sleep(0.05)  # in which is told what can be left out
os.unlink(folder + "/removed")
os.close(os.open(folder + "/flight-marked", os.O_RDONLY))
print(os.getpid())
"""


def hullwatch(*arguments: str) -> str:
    command = [sys.executable, "-m", "hullwatch", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def commands(capture: str) -> list[str]:
    """Return what was run, of a capture, with the container."""
    found = hullwatch("events", capture, "evt.type = execve", "-p", "%proc.cmdline %container.name", "-o", "json")
    return [f"{one['proc.cmdline']} in {one['container.name']}" for one in lines_of(found)]


def has(capture: Path, text: str) -> bool:
    """Tell whether a text is in the records of a capture that is being written."""
    with capture.open("rb") as stream:
        chunks = list(CaptureReader(stream, capture.name).chunks()) if capture.stat().st_size else []
    return any(text.encode() in chunk.data for chunk in chunks if chunk.head.kind == RECORDS)


def without_reader(alert: dict[str, Any]) -> dict[str, Any]:
    """Return an alert without what belongs to who received it."""
    return {key: value for key, value in alert.items() if key not in {"received", "capture"}}


@pytest.mark.engine
def test_an_alert_of_a_container_is_saved_with_what_was_before_and_after_it(
    watch: Callable[..., Watch], docker_engine: lab.Engine, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    watching = watch("-r", str(rules), docker_host=docker_engine.url)
    victim, other = docker_engine.run(name="flying"), docker_engine.run(name="standing")
    docker_engine.exec(other, ["sh", "-c", "echo elsewhere; echo > /tmp/flight-unmarked"])
    docker_engine.exec(victim, ["sh", "-c", "echo before"])
    docker_engine.exec(victim, ["sh", "-c", "echo > /tmp/flight-marked"])
    alert = watching.alert({"Marked"})
    watching.alert({"Unmarked"})
    docker_engine.exec(victim, ["sh", "-c", "echo after"])
    capture = Path(alert["capture"])
    assert capture.name.endswith(f"-{victim.id[:12]}.hwcap")
    assert watching.end() == 0
    assert not any("capture" in one for one in watching.alerts if one["rule"] == "Unmarked")
    assert [one.name for one in capture.parent.iterdir()] == [capture.name]
    assert capture.stat().st_mode & 0o777 == 0o600
    (again,) = lines_of(hullwatch("replay", str(capture), "-r", str(rules), "-o", "json"))
    assert without_reader(again) == without_reader(alert)
    ran = commands(str(capture))
    mine = [one for one in ran if one.startswith("sh -c")]
    words = ("echo before", "echo > /tmp/flight-marked", "echo after")
    assert mine == [f"sh -c {word} in {victim.name}" for word in words], ran
    assert any("runc" in one and one.endswith("in host") for one in ran), ran
    told = json.loads(hullwatch("capture", "info", "-o", "json", str(capture)))
    assert told["why"] == f"Marked | {victim.name}"
    assert told["containers"] == [victim.id]
    assert not told["problem"]


def test_a_capture_of_an_engine_that_is_killed_is_whole_up_to_there(
    watch: Callable[..., Watch], tmp_path: Path
) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.replace("capture_duration: 1500", "capture_duration: 600000"))
    marked = tmp_path / "flight-marked"
    marked.touch()
    watching = watch("-r", str(tmp_path / "rules.yaml"))
    subprocess.run(["/bin/true", "before"], check=True)
    subprocess.run(["/bin/cat", str(marked)], check=True)
    capture = Path(watching.alert({"Marked"})["capture"])
    assert watching.wait(lambda: has(capture, str(marked)), 20)
    os.kill(watching.child("hullwatch-engin"), signal.SIGKILL)
    watching.alert({"Engine restarted"}, timeout=30)
    assert [one for one in commands(str(capture)) if str(marked) in one or "true before" in one] == [
        "true before in host", f"cat {marked} in host",
    ]  # fmt: skip


@pytest.mark.parametrize("events", ["rules", "changes"])
def test_with_changes_a_capture_has_every_open_that_writes_though_no_rule_can_match_it(
    watch: Callable[..., Watch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: str
) -> None:
    monkeypatch.setenv("HULLWATCH_FLIGHT_RECORDER_EVENTS", events)
    (tmp_path / "rules.yaml").write_text(RULES)
    for name in ("written", "read", "removed", "flight-marked"):
        (tmp_path / name).touch()
    watching = watch("-r", str(tmp_path / "rules.yaml"))
    done = subprocess.run([sys.executable, "-I", "-S", "-c", WRITES, str(tmp_path)], check=True, stdout=subprocess.PIPE)
    alert = watching.alert({"Marked"})
    watching.end()
    form = "%evt.type %fd.name %fs.path.name %fd.sport"
    found = hullwatch("events", alert["capture"], f"proc.pid = {int(done.stdout)}", "-p", form)
    counts = {
        word: sum(word in line for line in found.splitlines()) for word in ("/written", "/read", "/removed", "9777")
    }
    if events == "changes":
        assert counts.pop("/read") < TIMES  # it is told of until it is ruled out
        assert counts == {"/written": TIMES, "/removed": 1, "9777": TIMES}
    else:
        assert counts["/written"] < TIMES
        assert (counts["/removed"], counts["9777"]) == (0, 0)


def test_a_directory_that_is_not_there_is_a_sentence_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("watching the kernel needs root")
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HULLWATCH_DIRECTORIES_RUN", str(tmp_path / "run"))
    monkeypatch.setenv("HULLWATCH_FLIGHT_RECORDER_DIRECTORY", str(tmp_path / "nowhere"))
    command = [sys.executable, "-m", "hullwatch", "run", "--duration", "1s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert done.stderr.startswith(f"There is no directory {tmp_path}/nowhere for captures: make it")
    assert len(done.stderr.splitlines()) == 1
