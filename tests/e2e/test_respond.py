"""What is configured is done about real processes in real containers, and there is a way back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.errors import CannotError
from hullwatch.respond import groups
from tests.lab_containerd import Containerd
from tests.respond.settled import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch
    from tests.lab import Engine

pytestmark = [pytest.mark.kernel, pytest.mark.engine, pytest.mark.timeout(180)]

RULES = "".join(
    f"""
- rule: Deed {deed}
  desc: a program of the test in a container
  condition: evt.type = execve and container.id != host and proc.args contains deed-{deed}
  output: "%proc.args"
  priority: WARNING
"""
    for deed in ("kill", "pause", "stop", "disconnect", "dry")
)
CONFIGURATION = """
[respond]
enabled = true
dry_run = {dry}
actions = [
  {{do = "kill", rule = "Deed kill"}},
  {{do = "pause", rule = "Deed pause", condition = "proc.args contains pause and container.image contains bb"}},
  {{do = "stop", rule = "Deed stop", priority = "warning"}},
  {{do = "disconnect", rule = "Deed disconnect"}},
  {{do = "kill", rule = "Nothing that is there"}},
]
"""
LABELLED = """
- rule: Suspect did something
  desc: a container that was labelled runs a program
  condition: evt.type = execve and container.label[state] = suspect and proc.args contains deed-label
  output: "%proc.args by %container.label[state] %container.name"
  priority: WARNING
- rule: Deed label
  desc: a program of the test in a container
  condition: evt.type = execve and container.id != host and proc.args contains deed-label
  output: "%proc.args"
  priority: WARNING
"""
LABELS = """
[respond]
enabled = true
dry_run = false
actions = [
  {do = "label", rule = "Deed label", labels = {state = "suspect"}, expires = "1h"},
  {do = "capture", rule = "Suspect*"},
]
"""
LOOP = "while true; do busybox sleep 1; done"


def start(watch: Callable[..., Watch], folder: Path, engine: Engine | None, *, dry: bool = False) -> Watch:
    (folder / "rules.yaml").write_text(RULES)
    (folder / "hullwatch.toml").write_text(CONFIGURATION.format(dry=str(dry).lower()))
    arguments = ("-r", str(folder / "rules.yaml"), "--config", str(folder / "hullwatch.toml"))
    return watch(*arguments, docker_host=engine.url if engine else "")


def said(watching: Watch, words: str, rule: str = "Response") -> None:
    def found() -> bool:
        return any(one["rule"] == rule and words in one["output"] for one in watching.alerts)

    assert watching.wait(found, 20), f"no {rule!r} with {words!r}: {watching.describe()}"


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_deeds_are_done_within_a_second_to_the_container_that_is_meant_and_no_other(
    docker_engine: Engine, watch: Callable[..., Watch], tmp_path: Path
) -> None:
    watching = start(watch, tmp_path, docker_engine)
    assert any("'kill on rule \"Nothing that is there\"' is for no rule" in line for line in watching.said)
    network = docker_engine.create_network("hullwatch-respond")
    other = docker_engine.run("busybox", "sh", "-c", LOOP)
    script = "busybox sleep 300 & exec busybox sh -c '{}' deed-{}"
    doing = {
        deed: docker_engine.run("busybox", "sh", "-c", script.format(LOOP, deed), network=network)
        for deed in ("stop", "pause", "disconnect")
    }
    said(watching, "Ended all ")
    said(watching, "Paused container ")
    assert _state(docker_engine, doing["pause"].id) == "paused"
    said(watching, "Took eth0 of container ")
    until(lambda: not groups_of(doing["stop"].id))
    frozen = groups.find(doing["pause"].id)
    assert groups.is_frozen(next(groups.freezers(frozen))[0])
    assert _is_up(doing["disconnect"].id, "eth0") is False
    assert groups_of(other.id)
    for deed in ("pause", "disconnect"):
        done = subprocess.run(
            [sys.executable, "-m", "hullwatch", "respond", "undo", doing[deed].id[:12]],
            env=watching.environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert "its processes go on" in done.stdout
    assert _state(docker_engine, doing["pause"].id) == "running"
    assert not groups.is_frozen(next(groups.freezers(frozen))[0])
    assert _is_up(doing["disconnect"].id, "eth0") is True
    for container in (other, *doing.values()):
        docker_engine.remove(container)


@pytest.mark.parametrize(("engine", "verb"), [("podman_engine", "Paused"), ("containerd", "Froze")])
def test_containers_of_other_engines_are_ended_and_frozen_as_well(
    engine: str, verb: str, request: pytest.FixtureRequest, watch: Callable[..., Watch], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    lab: Engine | Containerd = request.getfixturevalue(engine)
    where = f"containerd://{lab.socket}" if isinstance(lab, Containerd) else lab.url
    monkeypatch.setenv("HULLWATCH_CONTAINERS_ENGINES", where)
    watching = start(watch, tmp_path, None)
    script = "busybox sleep 300 & exec busybox sh -c '{}' deed-{}"
    doing = {deed: lab.run("busybox", "sh", "-c", script.format(LOOP, deed)) for deed in ("stop", "pause")}
    ids = {deed: one if isinstance(one, str) else one.id for deed, one in doing.items()}
    said(watching, "Ended all ")
    said(watching, f"{verb} container {ids['pause'][:12]}")
    until(lambda: not groups_of(ids["stop"]))
    frozen = next(groups.freezers(groups.find(ids["pause"])))[0]
    assert groups.is_frozen(frozen)
    undo = [sys.executable, "-m", "hullwatch", "respond", "undo", ids["pause"][:12]]
    subprocess.run(undo, env=watching.environment, check=True, capture_output=True, timeout=60)
    assert not groups.is_frozen(frozen)
    for full_id in ids.values():
        lab.remove(full_id)


def test_a_process_is_killed_and_its_container_goes_on(
    docker_engine: Engine, watch: Callable[..., Watch], tmp_path: Path
) -> None:
    watching = start(watch, tmp_path, docker_engine)
    container = docker_engine.run("busybox", "sh", "-c", f"w=deed; busybox sh -c 'busybox sleep 300' $w-kill; {LOOP}")
    said(watching, "(busybox) of container ")
    assert groups_of(container.id)
    docker_engine.remove(container)


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(
    docker_engine: Engine, watch: Callable[..., Watch], tmp_path: Path
) -> None:
    watching = start(watch, tmp_path, docker_engine, dry=True)
    container = docker_engine.run("busybox", "sh", "-c", f"exec busybox sh -c '{LOOP}' deed-stop")
    said(watching, "Would end all processes of its container: process ")
    assert groups_of(container.id)
    docker_engine.remove(container)


def test_a_labelled_container_is_known_by_its_label_until_that_is_taken_back(
    docker_engine: Engine, watch: Callable[..., Watch], tmp_path: Path
) -> None:
    (tmp_path / "rules.yaml").write_text(LABELLED)
    (tmp_path / "hullwatch.toml").write_text(LABELS)
    watching = watch(
        "-r", str(tmp_path / "rules.yaml"), "--config", str(tmp_path / "hullwatch.toml"), docker_host=docker_engine.url
    )
    script = f"w=deed; while true; do busybox sh -c 'busybox true' $w-label; busybox sleep 0.3; done; {LOOP}"
    container = docker_engine.run("busybox", "sh", "-c", script)
    said(watching, "(state=suspect), for rule Deed label")
    alert = watching.alert({"Suspect did something"})
    assert alert["output_fields"]["container.label[state]"] == "suspect"
    assert Path(alert["capture"]).name.endswith(f"-{container.id[:12]}.hwcap")
    assert not any("capture" in one for one in watching.alerts if one["rule"] == "Deed label")
    assert alert["output"].endswith(f"by suspect {container.name}")

    def hullwatch(*arguments: str) -> str:
        command = [sys.executable, "-m", "hullwatch", "respond", *arguments]
        environment = watching.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    (line,) = [one for one in hullwatch("list").splitlines() if "has the label" in one]
    assert line.startswith(
        f"{container.id[:12]} has the label state=suspect, given by hullwatch for rule Deed label at"
    )
    assert ", until 20" in line
    assert "labels taken back: state=suspect\n" in hullwatch("undo", container.id[:12])
    assert "has the label" not in hullwatch("list")
    assert (watching.state / "labels.json").stat().st_uid == watching.state.stat().st_uid

    def is_forgotten() -> bool:
        last = next(one for one in reversed(watching.alerts) if one["rule"] in {"Deed label", "Suspect did something"})
        return last["rule"] == "Deed label" and "container.label[state]" not in last["output_fields"]

    assert watching.wait(is_forgotten, 20), watching.describe()
    docker_engine.remove(container)


def groups_of(container: str) -> list[int]:
    """Return the processes of a container; none when it is gone."""
    try:
        return groups.members(groups.find(container))
    except CannotError:
        return []


LOOK = """
import ctypes, fcntl, os, socket, struct, sys
ctypes.CDLL(None).setns(os.open(f"/proc/{sys.argv[1]}/ns/net", 0), 0)
flags = fcntl.ioctl(socket.socket(), 0x8913, struct.pack("16sh22x", sys.argv[2].encode(), 0))
print(struct.unpack("16sh22x", flags)[1] & 1)
"""


def _is_up(container: str, interface: str) -> bool:
    pid = groups.members(groups.find(container))[0]
    command = [sys.executable, "-c", LOOK, str(pid), interface]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"


def _state(engine: Engine, container: str) -> str:
    return str(engine.client.containers.get(container).status)
