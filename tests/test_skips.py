"""A skip is a failure where everything is there that a test could ask for, and only there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LAB = """
class UnavailableError(Exception):
    pass

def require_lab():
    {body}
"""


def run(folder: Path, *, lab: bool, ci: str, test: str) -> tuple[int, str]:
    """Run one test under the project's conftest.py in a project of its own."""
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "tests").mkdir()
    (folder / "tests" / "lab.py").write_text(LAB.format(body="pass" if lab else "raise UnavailableError"))
    (folder / "test_it.py").write_text(f"import pytest\n\ndef test_it():\n    {test}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "--rootdir", folder, folder],
        cwd=folder,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


SKIP = "pytest.skip('no such kernel')"


def test_a_skip_fails_in_ci_with_root_and_a_lab_and_says_so(tmp_path: Path) -> None:
    status, output = run(tmp_path, lab=True, ci="true", test=SKIP)
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "no such kernel" in output
    assert "1 skipped: this is CI" in output


@pytest.mark.parametrize(("lab", "ci"), [(False, "true"), (True, ""), (False, "")])
def test_a_skip_passes_elsewhere_and_prints_its_reason(tmp_path: Path, *, lab: bool, ci: str) -> None:
    status, output = run(tmp_path, lab=lab, ci=ci, test=SKIP)
    assert status == pytest.ExitCode.OK
    assert "no such kernel" in output


def test_a_run_without_skips_passes_in_ci(tmp_path: Path) -> None:
    status, output = run(tmp_path, lab=True, ci="true", test="assert True")
    assert status == pytest.ExitCode.OK
    assert "this is CI" not in output
