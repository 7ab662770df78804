"""Containers as fast as an engine makes them: each first program has its container's name, and nothing grows.

``make soak`` makes it a soak test: 10,000 one after another instead of 200 under CI and 40 elsewhere, with a line about
each tenth of them.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.watch import Watch
    from tests.lab import Engine
    from tests.lab_containerd import Containerd

NUMBER = int(os.environ.get("CONTAINERS") or (200 if os.environ.get("CI") else 40))
QUICK = 25 if os.environ.get("CI") else 12
PARALLEL = 4
MOST_GROWTH = 24  # MiB that the engine's process may grow by, however many containers there were

pytestmark = [pytest.mark.kernel, pytest.mark.engine, pytest.mark.timeout(180 + NUMBER * 3)]

EVERY_PROGRAM = """
- rule: Marked program
  desc: a program of the test in a container
  condition: evt.type = execve and container.id != host and proc.exe = busybox and proc.args contains mark-
  output: Marked (name=%container.name id=%container.full_id args=%proc.args)
  priority: INFO
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "every.yaml"
    path.write_text(EVERY_PROGRAM)
    return str(path)


def programs(watching: Watch) -> dict[str, tuple[object, object, object]]:
    """Return of each marked program the container's name, its id, and whether its metadata is missing."""
    found: dict[str, tuple[object, object, object]] = {}
    for alert in watching.alerts:
        fields = alert["output_fields"]
        if alert["rule"] == "Marked program":
            mark = str(fields["proc.args"]).split()[-1]
            found[mark] = fields["container.name"], fields["container.full_id"], fields.get("hullwatch.metadata")
    return found


def resident(watching: Watch) -> int:
    """Return the memory of the process that judges, MiB."""
    status = Path(f"/proc/{watching.child('hullwatch-engin')}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) // 1024


def tell(line: str) -> None:
    """Say how it goes; seen where nothing is captured, as in ``make soak``."""
    sys.stderr.write(f"{line}\n")


@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_the_first_program_of_each_of_many_quick_containers_has_its_container_s_name(
    kind: str, watch: Callable[..., Watch], request: pytest.FixtureRequest, rules: str
) -> None:
    engine: Engine = request.getfixturevalue(f"{kind}_engine")
    watching = watch("-r", rules, docker_host=engine.url)
    names = [f"quick-{time.monotonic_ns()}-{number}" for number in range(QUICK)]
    ids = {name: engine.run("busybox", "true", f"mark-{name}", name=name, detach=False).id for name in names}
    assert watching.wait(lambda: len(programs(watching)) == len(names), 20), watching.describe()
    found = programs(watching)
    assert {name: found[f"mark-{name}"][:2] for name in names} == {name: (name, ids[name]) for name in names}
    assert {missing for _, _, missing in found.values()} <= {None, "late"}


def test_the_first_program_of_each_of_20_quick_containers_of_containerd_has_its_container_s_image(
    containerd: Containerd, watch: Callable[..., Watch], rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULLWATCH_CONTAINERS_ENGINES", f"containerd://{containerd.socket}")
    watching = watch("-r", rules)
    ids = [containerd.run("busybox", "true", f"mark-{number}", detach=False) for number in range(20)]
    assert watching.wait(lambda: len(programs(watching)) == len(ids), 20), watching.describe()
    found = programs(watching)
    assert [found[f"mark-{number}"] for number in range(20)] == [(full_id[:12], full_id, None) for full_id in ids]


def test_of_containers_that_come_and_go_each_program_has_the_right_one_or_says_so_and_nothing_grows(
    docker_engine: Engine, watch: Callable[..., Watch], rules: str
) -> None:
    watching = watch("-r", rules, docker_host=docker_engine.url)
    run = secrets.token_hex(4)
    ids: dict[str, str] = {}

    def live(number: int) -> None:
        name = f"brief-{run}-{number}"
        ids[name] = docker_engine.run("busybox", "true", f"mark-{name}", name=name, detach=False).id

    warm = min(100, NUMBER // 2)
    began = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(live, range(warm)))
        before = resident(watching)
        part = max(NUMBER // 10, 1)
        for first in range(warm, NUMBER, part):
            list(pool.map(live, range(first, min(first + part, NUMBER))))
            tell(f"{len(ids)} containers in {time.monotonic() - began:.0f} s, {resident(watching)} MiB")
    marks = {f"mark-{name}" for name in ids}  # others on this host may run tests with marks too
    watching.wait(lambda: marks <= programs(watching).keys(), 30)
    assert marks - programs(watching).keys() == set(), watching.describe()
    found = {mark: told for mark, told in programs(watching).items() if mark in marks}
    wrong = {
        name: found[f"mark-{name}"]
        for name, full_id in ids.items()
        if found[f"mark-{name}"][1] != full_id
        or (found[f"mark-{name}"][0] != name and found[f"mark-{name}"][2] != "missing")
    }
    assert wrong == {}
    unknown = sum(missing == "missing" for _, _, missing in found.values())
    grown = resident(watching) - before
    tell(f"{NUMBER} containers: {unknown} without metadata, grown by {grown} MiB since the {warm}th")
    assert unknown <= NUMBER // 20
    assert grown <= MOST_GROWTH
