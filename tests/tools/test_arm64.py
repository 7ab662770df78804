"""What the build for aarch64 is made of; CI does the build itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hullwatch.errors import CannotError
from tools.arm64 import AARCH64, compiler_package, machine_of


def test_the_compilers_own_parts_are_those_of_the_releases_gcc() -> None:
    assert compiler_package("Package: gcc\nDepends: cpp (= 4:12.2.0-3), gcc-12 (>= 12.2.0-1~)\n") == "libgcc-12-dev"
    with pytest.raises(CannotError, match="which version"):
        compiler_package("Package: gcc\n")


def test_the_processor_of_a_program_is_read_from_the_program() -> None:
    assert machine_of(Path(sys.executable).resolve().read_bytes()) in {62, AARCH64}  # EM_X86_64
    assert machine_of(b"\x7fELF" + bytes(14) + b"\xb7\0") == AARCH64
    assert machine_of(b"#!/bin/sh\n" + bytes(20)) == 0
