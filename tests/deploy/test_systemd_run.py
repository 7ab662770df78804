"""The unit under a real systemd, process 1 of namespaces of its own: all that it forbids, and Hullwatch works."""

from __future__ import annotations

import json
import os
import pty
import secrets
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.respond.groups import mounts
from tests.respond.settled import until
from tools.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

SYSTEMD = Path("/lib/systemd/systemd")
NAMESPACES = ("--pid", "--mount", "--cgroup", "--ipc", "--uts", "--propagation", "private")
RULES = """
- rule: Marked program
  desc: a program whose argument nobody else uses
  condition: evt.type = execve and proc.args contains hullwatch-unit-mark
  output: Marked %proc.cmdline
  priority: WARNING
"""
DROP_IN = f"""[Unit]
DefaultDependencies=no
[Service]
ExecStart=
ExecStart={sys.executable} -m hullwatch run -r /etc/hullwatch/rules.yaml -o json
StandardOutput=append:/var/log/alerts
StandardError=append:/var/log/said
"""


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Path]:
    """The folder with what the unit prints, and its control group's name."""
    if os.geteuid() != 0 or not SYSTEMD.exists() or shutil.which("unshare") is None:
        pytest.skip("starting systemd in namespaces needs root, systemd and unshare")
    if "" not in mounts():
        pytest.skip("there is no unified hierarchy of control groups here")
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "drop-in.conf").write_text(DROP_IN)
    group = mounts()[""] / f"hullwatch-test-{secrets.token_hex(4)}"
    group.mkdir()
    ours, console = pty.openpty()
    joined = f"echo $$ > {group}/cgroup.procs; exec unshare {' '.join(NAMESPACES)} --fork --kill-child sh "
    begin = [*map(str, (ROOT / "tests/deploy/begin_systemd.sh", ROOT, tmp_path))]
    systemd = subprocess.Popen(
        ["sh", "-c", f'{joined} "$@"', "sh", *begin], stdin=console, stdout=console, stderr=console
    )
    os.close(console)
    said: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(ours, 4096):
                said.append(data)
        except OSError:  # nobody has the terminal any more
            return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    (tmp_path / "group").write_text(str(group))
    yield tmp_path
    systemd.kill()  # its child too, which is process 1 of all others
    systemd.wait()
    reader.join(10)
    os.close(ours)
    sys.stdout.write(b"".join(said).decode(errors="replace"))
    until(lambda: "populated 0" in (group / "cgroup.events").read_text())
    for folder, _, _ in os.walk(group, topdown=False):
        Path(folder).rmdir()


def test_under_all_that_the_unit_forbids_the_sensor_stays_up_and_sees_a_program(unit: Path) -> None:
    said, alerts = unit / "said", unit / "alerts"
    until(lambda: said.exists() and "Watching this host with 1 rule" in said.read_text(), 60)
    subprocess.run(["/bin/echo", "hullwatch-unit-mark"], stdout=subprocess.DEVNULL, check=True)
    until(lambda: alerts.exists() and "\n" in alerts.read_text())
    assert json.loads(alerts.read_text().splitlines()[0])["output"].endswith("Marked echo hullwatch-unit-mark")

    service = Path((unit / "group").read_text()) / "system.slice/hullwatch.service/cgroup.procs"
    kept: dict[str, dict[str, str]] = {}
    for pid in service.read_text().split():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        values = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        kept[values["Name"]] = values
    assert {"hullwatch-engin", "hullwatch-keepe", "hullwatch-senso"} <= set(kept)
    assert all((one["Seccomp"], one["NoNewPrivs"]) == ("2", "1") for one in kept.values())
    assert int(kept["hullwatch-senso"]["CapEff"], 16) == 1 << 38 | 1 << 39  # PERFMON, BPF
    assert int(kept["hullwatch-engin"]["CapEff"], 16) == 0
    assert "ampered" not in alerts.read_text() + said.read_text()
