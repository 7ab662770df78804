"""The walk over .scap blocks in C, with the compiler's checks of memory: hostile blocks, and what Python shares.

The default run is short; ``FUZZ_SECONDS=600 make test ARGS=tests/native/test_scap.py`` is longer; CI takes a minute.
"""

from __future__ import annotations

import ctypes
import io
import os
import secrets
import struct
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.captures.scap import blocks, skipping, walk_tables
from hullwatch.captures.scap.state import State
from hullwatch.captures.scap.walk_tables import Asked
from tests.captures.scap.scap_files import small_capture, unpacked

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Driver = Callable[..., subprocess.CompletedProcess[bytes]]

SHORT = 2.0
SECONDS = float(os.environ.get("FUZZ_SECONDS") or (60 if os.environ.get("CI") else SHORT))
SEED = int(os.environ.get("FUZZ_SEED") or (secrets.randbelow(1 << 31) if SECONDS > SHORT else 0))
ROUNDS = 5000
WANTED = frozenset({"execve", "connect", "clock_gettime"})


def events_of(name: str) -> bytes:
    """Return the blocks of a capture's events."""
    found = blocks.BlockReader(io.BytesIO(unpacked(name)), name).blocks()
    return b"".join(one.data[one.begin - 8 : one.end + 4] for one in found if one.type in blocks.EVENTS)


def driver_input() -> bytes:
    """Return what the driver reads: the tables, and blocks of old and new captures."""
    names = ("curl_google.scap", "run_as_user_0_container.scap", "sample.scap")
    data = b"".join(events_of(name)[:60_000] for name in names) + small_capture() + unpacked("curl_google.scap")
    asked = Asked(WANTED, State().changing)
    tables = walk_tables.types_table(asked) + walk_tables.calls_table(asked.needed)
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
        "hw_scap_type": walk_tables.TYPE.size,
        "hw_scap_calls": walk_tables.CALLS_LAYOUT.size,
        "hw_scap_change": skipping.CHANGE.size,
        "hw_scap_counts": ctypes.sizeof(skipping.Counts),
        "HW_SCAP_TYPES": walk_tables.TYPES,
        "HW_SCAP_VALUES": walk_tables.VALUES,
        "HW_SCAP_SIZES": walk_tables.SIZES_KNOWN,
        "HW_SCAP_CALLS": walk_tables.CALLS,
        "HW_SCAP_COMMANDS": walk_tables.COMMANDS,
        "HW_SCAP_ANY": walk_tables.ANY,
        "HW_SCAP_TEXT": walk_tables.TEXT,
        "HW_SCAP_NOWHERE": walk_tables.NOWHERE,
        "HW_SCAP_KNOWN": walk_tables.KNOWN,
        "HW_SCAP_BEGINS": walk_tables.BEGINS,
        "HW_SCAP_ANNOUNCES": walk_tables.ANNOUNCES,
        "HW_SCAP_GENERIC": walk_tables.GENERIC,
        "HW_SCAP_CLOSES": walk_tables.CLOSES,
        "HW_SCAP_AGAIN": walk_tables.AGAIN,
        "HW_SCAP_MAKES": walk_tables.MAKES,
        "HW_SCAP_NUMBERED": walk_tables.NUMBERED,
        "HW_SCAP_COUNTED": walk_tables.COUNTED,
        "HW_SCAP_NEEDED": walk_tables.NEEDED,
        "HW_SCAP_CHANGES": skipping.CHANGES,
        "HW_SCAP_LONGEST_BEGUN": skipping.LONGEST_BEGUN,
        "HW_SCAP_CALL_SKIPPED": walk_tables.CALL_SKIPPED,
        "HW_SCAP_CALL_NEEDED": walk_tables.CALL_NEEDED,
        "HW_SCAP_CALL_BY_NUMBER": walk_tables.CALL_BY_NUMBER,
        "LONGEST_BLOCK": blocks.LONGEST_EVENT,
    }
