"""The unit: what systemd itself says of it, where it is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "hullwatch.service"
MOST_EXPOSED = 4.0  # of 10; a service without any of it has 9.6


def run(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_unit_is_little_exposed_by_systemds_own_measure(capsys: pytest.CaptureFixture[str]) -> None:
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT))
    score = re.search(r"Overall exposure level for hullwatch.service: (\d+\.\d)", done.stdout)
    assert score is not None, done.stdout + done.stderr
    with capsys.disabled():
        sys.stdout.write(f"\nexposure of hullwatch.service, of 10: {score[1]}\n")
    assert float(score[1]) <= MOST_EXPOSED


def test_systemd_understands_every_line_of_the_unit() -> None:
    done = run("systemd-analyze", "verify", str(UNIT))
    harmless = re.compile(r"is not executable: No such file|Command 'man ")
    assert [line for line in done.stderr.splitlines() if not harmless.search(line)] == []


def test_the_user_and_the_directories_are_what_a_run_wants(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes users")
    root = f"--root={tmp_path}"
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", root, str(FOLDER / "hullwatch.sysusers.conf"))
    assert made.returncode == 0, made.stderr
    made = run("systemd-tmpfiles", root, "--create", str(FOLDER / "hullwatch.tmpfiles.conf"))
    assert made.returncode == 0, made.stderr
    assert "hullwatch:" in (tmp_path / "etc/passwd").read_text()
    assert (tmp_path / "var/lib/hullwatch").stat().st_mode & 0o777 == 0o700


def test_the_unit_allows_what_the_processes_keep() -> None:
    text = UNIT.read_text(encoding="utf-8")
    allowed = set(re.findall(r"\bCAP_\w+", "\n".join(re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE))))
    comparer = (ROOT / "src/hullwatch/drift/comparing_process.py").read_text(encoding="utf-8")
    kept = {f"CAP{name}" for name in re.findall(r"_CAP(_[A-Z_]+?)(?=[, ])", comparer.split("_KEPT")[0])}
    assert kept == {"CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_CHECKPOINT_RESTORE"}
    assert kept | {"CAP_BPF", "CAP_PERFMON", "CAP_SETUID", "CAP_SETGID", "CAP_KILL"} <= allowed
    assert "CAP_SYS_ADMIN" not in allowed
