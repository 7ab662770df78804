"""The wheel that users install: one for every Python, with the sensor and all data inside."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.prepare import BUILD
from tools.repository import ROOT, tracked_files

SENSOR = "hullwatch/bin/hullwatch-sensor"
CLASSIFIER = "hullwatch/bin/libhullwatch-classifier.so"
EXECUTABLE = 0o111
PT_INTERP = 3  # elf(5): the segment with which a program asks for the dynamic linker


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, of what `make build` has compiled already: the same commands in the same folder, a minute's worth."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--config-settings", f"build-dir={BUILD / 'native'}"]
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".prepare-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a make that runs beside this waits
        run(sys.executable, "-m", "pip", "--quiet", "wheel", *options, "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


def run(*command: str | Path, **environment: str) -> None:
    """Run a program that finds cmake and ninja; it has to end well."""
    programs = Path(sys.executable).parent  # not resolved: the environment's folder, where they are
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": os.pathsep.join((str(programs), os.environ["PATH"])), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_build_that_begins_takes_clang_though_the_build_of_a_wheel_names_another_compiler(tmp_path: Path) -> None:
    run("cmake", "-S", ROOT / "native", "-B", tmp_path, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", CC="/no/such/cc")
    (compiler,) = re.findall(r"^CMAKE_C_COMPILER:\w+=(.*)$", (tmp_path / "CMakeCache.txt").read_text(), re.MULTILINE)
    assert Path(compiler).name.startswith("clang")


@pytest.mark.timeout(300)
def test_one_wheel_serves_every_python(wheel: Path) -> None:
    assert wheel.name.split("-")[2:4] == ["py3", "none"]
    assert wheel.stem.split("-")[4].startswith("linux_")


@pytest.mark.timeout(300)
def test_the_wheel_holds_the_sensor_as_a_static_program(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        mode = archive.getinfo(SENSOR).external_attr >> 16
        content = archive.read(SENSOR)
    assert mode & EXECUTABLE == EXECUTABLE
    assert content[:5] == b"\x7fELF\x02"
    (table,) = struct.unpack_from("<Q", content, 32)
    size, number = struct.unpack_from("<HH", content, 54)
    kinds = [struct.unpack_from("<I", content, table + index * size)[0] for index in range(number)]
    assert len(kinds) > 2
    assert PT_INTERP not in kinds


@pytest.mark.timeout(300)
def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    source = ROOT / "src"
    wanted = {path.relative_to(source).as_posix() for path in tracked_files() if path.is_relative_to(source)}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == wanted | {SENSOR, CLASSIFIER}


@pytest.mark.timeout(300)
def test_the_wheel_brings_the_licences(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist() if "/licenses/" in name}
    assert {"LICENSE", "GPL-2.0-only.txt", "BSD-2-Clause.txt"} <= names
