"""Control groups that are made and removed, and what runs in them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.kernel.observation import Sensor, run


def _hierarchy() -> int:
    """Return the number of the version 1 memory hierarchy; 0 where the unified one has it."""
    lines = Path("/proc/cgroups").read_text().splitlines() if Path("/proc/cgroups").exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("memory\t")), 0)


HIERARCHY = _hierarchy()


def _mount() -> Path:
    """Return where the hierarchy is mounted that containers are told apart by."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        kind, _, options = kind.split(" ", 2)
        root, target = fields.split()[3:5]
        if root == "/" and (
            kind == "cgroup2" if HIERARCHY == 0 else kind == "cgroup" and "memory" in options.split(",")
        ):
            return Path(target)
    pytest.fail("the memory controller's hierarchy is not mounted")


def test_a_group_is_reported_when_it_is_made_and_removed_and_what_runs_in_it_is_in_it(sensor: Sensor) -> None:
    group = _mount() / f"hullwatch-test-{os.getpid()}" / "inner ü"
    pids: list[int] = []

    def act() -> None:
        group.mkdir(parents=True)
        try:
            numbers.append(group.stat().st_ino)
            join = f"echo $$ > '{group}/cgroup.procs' && exec true inside"
            pids.append(run(["sh", "-c", join]).pid)
        finally:
            group.rmdir()
            group.parent.rmdir()

    numbers: list[int] = []
    seen = sensor.during(act)
    path = f"/{group.parent.name}/{group.name}"
    for name in ("cgroup_mkdir", "cgroup_rmdir"):
        record = seen.one(name, path=path)
        assert (record.number("hierarchy"), record.number("id")) == (HIERARCHY, numbers[0])
        assert record.header.pid == os.getpid()
        assert len(seen.of(name).where(path=path.rpartition("/")[0])) == 1
    record = seen.one("execve", pid=pids[0], argv=b"true\0inside\0", res=0)
    assert record.text("cgroup_v1" if HIERARCHY else "cgroup_v2") == path
    assert (record.header.cgroup_id, record.header.cgroup_hierarchy) == (numbers[0], HIERARCHY)
    assert seen.one("procexit", pid=pids[0]).header.cgroup_hierarchy == HIERARCHY


def test_a_group_of_another_hierarchy_is_not_reported(sensor: Sensor) -> None:
    """Engines on version 1 make the same group a dozen times, once in each hierarchy."""
    for line in subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if words[4] in {"cgroup", "cgroup2"} and Path(words[2]) != _mount() and "cpuset" not in words[5]:
            break
    else:
        assert len(list(_mount().parent.glob("*"))) > 0  # one hierarchy only: there is no other
        return
    group = Path(words[2]) / f"hullwatch-test-{os.getpid()}"
    seen = sensor.during(lambda: (group.mkdir(), group.rmdir()))
    assert not [r for r in seen.of("cgroup_mkdir", "cgroup_rmdir") if r.text("path") == f"/{group.name}"]
