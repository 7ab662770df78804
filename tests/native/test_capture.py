"""What reads captures and takes streams apart in C, with the compiler's checks of memory: damaged records and chunks.

The default run is short; ``make fuzz`` is longer; CI takes half a minute.
"""

from __future__ import annotations

import os
import secrets
import struct
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.events.codec import encode
from tests.native.conftest import ROOT, compile_driver

if TYPE_CHECKING:
    from pathlib import Path

SHORT = 1.0
SECONDS = float(os.environ.get("FUZZ_SECONDS") or (30 if os.environ.get("CI") else SHORT))
SEED = int(os.environ.get("FUZZ_SEED") or (secrets.randbelow(1 << 31) if SECONDS > SHORT else 0))
ROUNDS = 20_000


def records() -> bytes:
    """Return records of several types and control groups, of a number that is no multiple of eight."""
    made: list[bytes] = []
    for number in range(27):
        header = {"pid": number, "tid": number, "process_start": number, "cgroup_id": number % 5, "time": number}
        made.append(encode("openat", header, fd=number, name="/" + "x" * (number * 7 % 40)))
        made.append(encode("procexit", header))
    return b"".join(made)


@pytest.mark.timeout(SECONDS + 240)
def test_damaged_records_and_chunks_stay_within_their_memory_and_whole_ones_come_back(tmp_path: Path) -> None:
    program = tmp_path / "capture_driver"
    parts = ["classifier/planes.c", "classifier/split.c"]
    compile_driver(program, "capture_driver.c", parts, [ROOT / "native/classifier"])
    data, seed, until = records(), SEED, time.monotonic() + SECONDS
    while time.monotonic() < until:
        given = struct.pack("<I", len(data)) + data
        done = subprocess.run(
            [program, str(seed), str(ROUNDS)], input=given, capture_output=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"seed {seed}: {(done.stdout + done.stderr).decode()[-4000:]}"
        seed += 1
