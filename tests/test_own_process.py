"""The processes of a run: each imports only what it alone needs, and none goes back into the code that forked it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from hullwatch.own_process import CRASHED, readable_by_all, start

# What only the engine needs; each of them takes megabytes.
HEAVY = ("urllib3", "lark", "h2", "hullwatch.app", "hullwatch.detect", "hullwatch.rules", "hullwatch.fields")


def code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_ends_with_what_it_does() -> None:
    read, write = os.pipe()

    def begin() -> NoReturn:
        os.write(write, b"done")
        os._exit(7)

    assert code_of(start("that writes", begin)) == 7
    assert os.read(read, 10) == b"done"
    os.close(read)
    os.close(write)


def test_a_mistake_ends_the_process_and_is_told_in_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    def begin() -> None:
        raise ImportError("no module of this name")

    here = os.getpid()
    assert code_of(start("that fails", begin)) == CRASHED
    assert os.getpid() == here
    said = "The process that fails ended by a mistake of its own: ImportError: no module of this name\n"
    assert capfd.readouterr().err == said


@pytest.mark.parametrize("module", ["hullwatch.supervisor", "hullwatch.drift.comparing_process"])
def test_what_only_the_engine_needs_is_not_imported_by(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [name for name in HEAVY if name in done.stdout.split()] == []


FREED_BETWEEN_OTHERS = """
import time
from hullwatch.own_process import FreePages

def taken():
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))

pages = FreePages()
pieces = [bytes([1]) * 20_000 for _ in range(1000)]
pieces[:] = pieces[::10]  # the rest lies between what stays
before = taken()
pages.tick(time.monotonic())
early = taken()
pages.tick(time.monotonic() + 3600)
print(before - early, before - taken())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library is not glibc")
def test_what_was_freed_between_other_things_goes_back_to_the_system_but_not_at_every_tick() -> None:
    told = subprocess.run([sys.executable, "-c", FREED_BETWEEN_OTHERS], capture_output=True, text=True, check=True)
    early, late = map(int, told.stdout.split())
    assert early < 1000  # KiB
    assert late > 10_000


def test_a_file_is_readable_by_all_if_it_and_all_folders_above_it_are(tmp_path: Path) -> None:
    inside = tmp_path / "folder"
    inside.mkdir()
    file = inside / "file"
    file.touch(0o644)
    inside.chmod(0o700)
    assert not readable_by_all(file)
    assert not readable_by_all(tmp_path / "missing")
    assert readable_by_all(Path("/etc/passwd"))
    file.chmod(0o600)
    assert not readable_by_all(file)
