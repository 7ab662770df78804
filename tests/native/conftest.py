"""The sensor's parts as a program of their own, with the compiler's checks of memory where it has them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.events import table

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes], subprocess.CompletedProcess[bytes]]:
    """Run the driver: takes the part's name and its input."""
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler (apt-get install clang)")
    folder = tmp_path_factory.mktemp("native")
    generator = ROOT / "native" / "generate_event_table.py"
    subprocess.run([sys.executable, "-I", generator, table.TABLE_FILE, folder / "event_table.h"], check=True)
    program = folder / "driver"
    sources = [Path(__file__).with_name("driver.c"), *(ROOT / "native/sensor" / n for n in ("merge.c", "stream.c"))]
    command = [compiler, "-g", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]
    command += ["-I", str(folder), "-I", str(ROOT / "native/sensor"), "-o", str(program), *map(str, sources)]
    if subprocess.run([*command, *CHECKS], capture_output=True, check=False).returncode:
        subprocess.run(command, check=True)  # a compiler without the libraries for its checks

    def run(part: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, part], input=given, capture_output=True, check=False, timeout=60)

    return run
