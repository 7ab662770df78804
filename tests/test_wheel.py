"""The wheel that users install: one for every Python, with the sensor and all data inside."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.repository import ROOT, tracked_files

SENSOR = "hullwatch/bin/hullwatch-sensor"
CLASSIFIER = "hullwatch/bin/libhullwatch-classifier.so"
EXECUTABLE = 0o111
PT_INTERP = 3  # elf(5): the segment with which a program asks for the dynamic linker


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    programs = Path(sys.executable).parent  # not resolved: the environment's folder, where cmake and ninja are
    options = ["--no-deps", "--no-build-isolation", "--config-settings", f"build-dir={folder / 'build'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "wheel", *options, "--wheel-dir", folder, ROOT],
        env={**os.environ, "PATH": os.pathsep.join((str(programs), os.environ["PATH"]))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (path,) = folder.glob("*.whl")
    return path


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
