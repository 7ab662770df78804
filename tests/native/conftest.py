"""The sensor's parts as a program of their own, with the compiler's checks of memory where it has them."""

from __future__ import annotations

import os
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


def compile_driver(program: Path, source: str, parts: list[str], includes: list[Path]) -> None:
    """Compile a driver of this folder with some parts below ``native``, with the compiler's checks if it has them."""
    compiler = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler (apt-get install clang)")
    sources = [Path(__file__).with_name(source), *(ROOT / "native" / part for part in parts)]
    command = [compiler, "-g", "-O1", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]
    command += [*(f"-I{folder}" for folder in includes), "-o", str(program), *map(str, sources)]
    if subprocess.run([*command, *CHECKS], capture_output=True, check=False).returncode:
        # A compiler without the libraries for its checks: the tests are worth less, and CI has to have them.
        assert not os.environ.get("CI"), f"{compiler} cannot check memory: apt-get install gcc libc6-dev"
        subprocess.run(command, check=True)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes], subprocess.CompletedProcess[bytes]]:
    """Run the sensor's driver: takes the part's name and its input."""
    folder = tmp_path_factory.mktemp("native")
    generator = ROOT / "native" / "generate_event_table.py"
    subprocess.run([sys.executable, "-I", generator, table.TABLES, folder / "event_table.h"], check=True)
    program = folder / "driver"
    compile_driver(
        program,
        "driver.c",
        [f"sensor/{part}.c" for part in ("merge", "stream", "clock")],
        [folder, ROOT / "native/sensor"],
    )

    def run(part: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, part], input=given, capture_output=True, check=False, timeout=60)

    return run


@pytest.fixture(scope="session")
def classifier_driver(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the classifier's driver: takes its arguments and, by name, its input."""
    program = tmp_path_factory.mktemp("classifier") / "classifier_driver"
    parts = ["classifier/contexts.c", "classifier/starts.c", "classifier/words.c"]
    compile_driver(program, "classifier_driver.c", parts, [ROOT / "native/classifier"])

    def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, *arguments], input=given, capture_output=True, check=False, timeout=120)

    return run


@pytest.fixture(scope="session")
def scap_driver(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the driver of the walk over .scap blocks: takes its arguments and, by name, its input."""
    program = tmp_path_factory.mktemp("scap") / "scap_driver"
    compile_driver(program, "scap_driver.c", [], [ROOT / "native/classifier"])

    def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, *arguments], input=given, capture_output=True, check=False, timeout=120)

    return run
