"""The walk over .scap blocks in C, with the compiler's checks of memory: hostile blocks, and what Python shares.

The default run is short; ``FUZZ_SECONDS=600 make test ARGS=tests/native/test_scap.py`` is longer; CI takes a minute.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import struct
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.captures.scap import blocks, skipping
from hullwatch.captures.scap.state import ANONYMOUS, META
from tests.captures.scap.scap_files import small_capture, unpacked

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Driver = Callable[..., subprocess.CompletedProcess[bytes]]

SHORT = 2.0
SECONDS = float(os.environ.get("FUZZ_SECONDS") or (60 if os.environ.get("CI") else SHORT))
SEED = int(os.environ.get("FUZZ_SEED") or (secrets.randbelow(1 << 31) if SECONDS > SHORT else 0))
ROUNDS = 5000
NEEDED = {"open", "execve", "connect", "container", "clock_gettime"}


def driver_input() -> bytes:
    """Return what the driver reads: the tables, and blocks of old and new captures."""
    names = ("curl_google.scap", "run_as_user_0_container.scap", "sample.scap")
    events = b"".join(unpacked(name)[-60_000:] for name in names)
    data = unpacked("curl_google.scap") + small_capture() + events
    tables = skipping.types_table(NEEDED, {*META, *ANONYMOUS}) + skipping.calls_table(NEEDED)
    return tables + struct.pack("<I", len(data)) + data


@pytest.mark.timeout(SECONDS + 240)
def test_hostile_blocks_stay_within_their_memory_and_give_results_that_make_sense(scap_driver: Driver) -> None:
    given, seed, until = driver_input(), SEED, time.monotonic() + SECONDS
    while time.monotonic() < until:
        done = scap_driver("fuzz", str(seed), str(ROUNDS), given=given)
        assert done.returncode == 0, f"seed {seed}: {(done.stdout + done.stderr).decode()[-4000:]}"
        seed += 1


def test_structures_and_numbers_are_the_same_in_c_and_in_python(scap_driver: Driver) -> None:
    lines = [line.split() for line in scap_driver("layout").stdout.decode().splitlines()]
    assert {name: int(number) for name, number in lines} == {
        "hw_scap_type": skipping.TYPE.size,
        "hw_scap_calls": skipping.CALLS_LAYOUT.size,
        "hw_scap_counts": ctypes.sizeof(skipping.Counts),
        "HW_SCAP_TYPES": skipping.TYPES,
        "HW_SCAP_VALUES": skipping.VALUES,
        "HW_SCAP_SIZES": skipping.SIZES_KNOWN,
        "HW_SCAP_CALLS": skipping.CALLS,
        "HW_SCAP_ANY": skipping.ANY,
        "HW_SCAP_TEXT": skipping.TEXT,
        "HW_SCAP_KNOWN": skipping.KNOWN,
        "HW_SCAP_BEGINS": skipping.BEGINS,
        "HW_SCAP_ANNOUNCES": skipping.ANNOUNCES,
        "HW_SCAP_GENERIC": skipping.GENERIC,
        "HW_SCAP_COUNTED": skipping.COUNTED,
        "HW_SCAP_NEEDED": skipping.NEEDED,
        "HW_SCAP_CLOSES": skipping.CLOSES,
        "HW_SCAP_STORED": skipping.STORED,
        "HW_SCAP_CLOSED": skipping.CLOSED,
        "HW_SCAP_CALL_SKIPPED": skipping.CALL_SKIPPED,
        "HW_SCAP_CALL_NEEDED": skipping.CALL_NEEDED,
        "HW_SCAP_CALL_BY_NUMBER": skipping.CALL_BY_NUMBER,
        "LONGEST_BLOCK": blocks.LONGEST_EVENT,
    }
