"""Fixtures of the tests about drift: a process with an overlay for its root."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.drift.box import PROGRAM, Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A static program that waits."""
    if os.geteuid() != 0:
        pytest.skip("mounting an overlay needs root")
    compiler = shutil.which("clang") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler (apt-get install clang)")
    folder = tmp_path_factory.mktemp("program")
    (folder / "waiter.c").write_text(PROGRAM)
    subprocess.run([compiler, "-static", "-s", "-o", folder / "waiter", folder / "waiter.c"], check=True)
    return (folder / "waiter").read_bytes()


@pytest.fixture
def box(tmp_path: Path, program: bytes) -> Iterator[Box]:
    """A process with an overlay of two lower layers for its root."""
    made = Box(tmp_path / "box", program)
    yield made
    made.close()
