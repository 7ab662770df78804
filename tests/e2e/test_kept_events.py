"""Events that are kept of this host, from the kernel to the answer, also when what writes them is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.store.kept import folder
from hullwatch.store.kept.reading import KeptReader, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import lab
    from tests.e2e.watch import Watch

pytestmark = pytest.mark.kernel
PATIENCE = 20.0
FORM = "%evt.num %evt.type %proc.name %proc.cmdline %fd.name %user.uid %alert.rule"


def ask(watch: Watch, condition: str) -> list[Any]:
    """Return the kept events that a condition holds for."""
    root = watch.state / folder.NAME
    return list(KeptReader(root, Wanted(condition, FORM)).events()) if root.exists() else []


def ask_as_people_do(watch: Watch, condition: str) -> list[dict[str, Any]]:
    """Return what the command line says of them."""
    command = [sys.executable, "-m", "hullwatch", "events", condition, "--since", "1h", "-o", "json"]
    done = subprocess.run(
        [*command, "-p", FORM, "--state-directory", str(watch.state)], capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def wait_for(watch: Watch, condition: str) -> None:
    """Wait until the condition holds for a kept event."""
    end = time.monotonic() + PATIENCE
    while not ask(watch, condition):
        assert time.monotonic() < end, condition
        time.sleep(0.1)


def writer_of(watch: Watch) -> int:
    """Return the id of the process that writes."""
    children = Path(f"/proc/{watch.process.pid}/task/{watch.process.pid}/children").read_text().split()
    return next(int(one) for one in children if Path(f"/proc/{one}/comm").read_text() == "hullwatch-event\n")


def test_what_a_condition_asks_for_is_kept_and_found_again(watch: Callable[..., Watch], tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[events]\nkeep = "evt.type in (execve, unlinkat) and proc.pname startswith kept"\n')
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: Marked\n  desc: d\n  keep: true\n  priority: NOTICE\n  output: '%proc.name'\n"
        "  condition: evt.type in (mkdir, mkdirat) and fs.path.name endswith /kept_marked\n"
    )
    running = watch("--config", str(settings), "-r", str(rules))
    shell = tmp_path / "kept_shell"
    shell.symlink_to("/bin/sh")
    subprocess.run([shell, "-c", "/bin/true --first; :"], check=True)
    subprocess.run(["/bin/true", "--not-kept"], check=True)
    subprocess.run(["/bin/mkdir", str(tmp_path / "kept_marked")], check=True)
    wait_for(running, "proc.cmdline contains --first")
    wait_for(running, "alert.rule = Marked and fs.path.name endswith /kept_marked and proc.name = mkdir")
    (first,) = ask_as_people_do(running, "proc.cmdline contains --first")
    assert (first["evt.type"], first["proc.name"], first["user.uid"]) == ("execve", "true", os.getuid())
    writer = writer_of(running)
    os.kill(writer, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while not ask(running, "proc.cmdline contains --second") and time.monotonic() < end:
        subprocess.run([shell, "-c", "/bin/true --second; :"], check=True)
    assert ask(running, "proc.cmdline contains --second")
    assert len(ask(running, "proc.cmdline contains --first")) == 1
    settings.write_text(settings.read_text().replace("startswith kept", "startswith other"))
    os.kill(running.process.pid, signal.SIGHUP)
    assert "In force now: events.keep." in running.alert({"Settings reloaded"})["output"]
    running.alert({"Rules reloaded"})
    other = tmp_path / "other_shell"
    other.symlink_to("/bin/sh")
    subprocess.run([shell, "-c", "/bin/true --third; :"], check=True)
    subprocess.run([other, "-c", "/bin/true --fourth; :"], check=True)
    wait_for(running, "proc.cmdline contains --fourth")
    running.end(signal.SIGINT)
    assert not ask(running, "proc.cmdline contains not-kept or proc.cmdline contains --third")
    assert not list((running.state / folder.NAME).rglob("*.open"))
    assert any("events kept" in line for line in running.said)
    assert [alert["rule"] for alert in running.alerts if alert["rule"] == "Kept events lost"]


@pytest.mark.engine
def test_events_of_a_container_are_found_by_its_name(
    watch: Callable[..., Watch], docker_engine: lab.Engine, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[events]\nkeep = "container.id != host and evt.type = execve"\n')
    running = watch("--config", str(settings), docker_host=docker_engine.url)
    box = docker_engine.run("busybox", "sleep", "60", name="kept-box")
    docker_engine.exec(box, ["busybox", "echo", "kept\x1b[2Jinside"])
    condition = "container.name = kept-box and proc.cmdline contains inside"
    wait_for(running, condition)
    docker_engine.remove(box)
    (event,) = ask(running, f"container.id = {box.id[:12]} and proc.cmdline contains inside")
    assert event.values["proc.cmdline"].endswith("echo kept\x1b[2Jinside")
    assert not ask(running, "container.id = host")
