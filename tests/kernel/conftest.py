"""Fixtures of the tests that make real system calls: a sensor, and children to make them."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.config.paths import sensor_program
from tests.kernel.observation import Sensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parent
# What every child has at hand. `call` makes a system call by its number; -1 raises.
PRELUDE = """
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def say(**values):
    print(json.dumps(values), flush=True)
"""


def _obstacle() -> str:
    if os.geteuid() != 0:
        return "looking at the kernel's events needs root"
    if not Path("/sys/kernel/btf/vmlinux").exists():
        return "this kernel has no type information (/sys/kernel/btf/vmlinux is missing)"
    if sensor_program() is None:
        return "the sensor is not built (make build)"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them where the kernel cannot be looked at."""
    obstacle = _obstacle()
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker("kernel")
            if obstacle:
                item.add_marker(pytest.mark.skip(reason=obstacle))


@pytest.fixture(scope="session")
def sensor() -> Iterator[Sensor]:
    """A sensor that sends everything; all tests share it."""
    with Sensor() as running:
        yield running


@pytest.fixture(scope="session")
def remembering() -> Iterator[Sensor]:
    """A sensor that remembers what is ruled out; all tests share it."""
    with Sensor(interest=["openat", "connect", "accept4", "sendto"]) as running:
        running.forget_ruled_out()
        yield running


@pytest.fixture(scope="session")
def call() -> Callable[..., int]:
    """Make a system call by its number; a negative result is minus errno."""
    libc = ctypes.CDLL(None, use_errno=True)

    def make(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> int:
        converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
        result = libc.syscall(ctypes.c_long(number), *converted)
        return -ctypes.get_errno() if result == -1 else result

    return make


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the working directory, with a file in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("content")
    return tmp_path


@pytest.fixture
def child() -> Iterator[Callable[..., dict[str, Any]]]:
    """Run Python statements in a process of their own; returns what they say, with its ``pid`` and ``status``."""
    running: list[subprocess.Popen[str]] = []

    def run(statements: str, *arguments: str, status: int = 0) -> dict[str, Any]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", PRELUDE + statements, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        said, _ = process.communicate(timeout=20)
        assert process.returncode == status
        result: dict[str, Any] = {"pid": process.pid}
        for line in said.splitlines():
            result |= json.loads(line)
        return result

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
            process.communicate()
