"""The classifier in C, with the compiler's checks of memory: hostile batches, and what Python shares with it.

The default run is short. A longer one: ``FUZZ_SECONDS=600 make test ARGS=tests/native/test_classifier.py``; CI takes a
minute. What fails is made again with ``FUZZ_SEED``, which the failure tells.
"""

from __future__ import annotations

import os
import secrets
import struct
import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.detect import classifier, contacts, native, plan, recipe
from hullwatch.detect.automaton import make_automaton
from hullwatch.events.codec import encode
from hullwatch.events.table import EVENTS, HEADER, HEADER_FIELDS
from hullwatch.fields.address import write_tuple
from tests.detect.classifier_plan import judge_programs, kinds_of_every_sort, make_plan

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Driver = Callable[..., subprocess.CompletedProcess[bytes]]

SHORT = 5.0
SECONDS = float(os.environ.get("FUZZ_SECONDS") or (60 if os.environ.get("CI") else SHORT))
SEED = int(os.environ.get("FUZZ_SEED") or (secrets.randbelow(1 << 31) if SECONDS > SHORT else 0))
ROUNDS = 5000  # batches in one run of the driver; another run begins with nothing learnt


def make_records() -> list[bytes]:
    """Return real records of many types, some as long as they can be."""
    paths = (
        "/etc/passwd",
        "/home/a/.ssh/id_rsa",
        "/etc//x",
        "",
        "/",
        "/tmp/\x01x",
        "/é/ssh",
        "/root",
        "x" * 65_535,
    )
    ends = [write_tuple((one, 4000), (one, 80)) for one in ("10.0.0.1", "::1")] + [
        b"",
        b"\2",
        b"\x01/run",
        b"\x0a" * 37,
    ]
    records = [encode(kind) for kind in EVENTS]
    for number, path in enumerate(paths):
        header = {"pid": number % 3, "process_start": 7, "uid": number % 2}
        records += [
            encode(name, header, fd=3 if number % 3 else -2, name=path, flags=number, mode=493)
            for name in ("open", "openat", "openat2", "creat")
        ]
        records.append(
            encode("execve", header, cwd=path, filename=paths[number - 1], argv=b"a\0" + b"x" * number + b"\0")
        )
    for end in ends:
        records += [encode("connect", res=0, tuple=end, l4proto=6), encode("accept", fd=5, tuple=end, l4proto=17)]
    return records


def counted(parts: list[bytes]) -> bytes:
    """Return parts behind their number."""
    return struct.pack("<I", len(parts)) + b"".join(parts)


def driver_input() -> bytes:
    """Return what the driver reads: types, kinds, a key, words, records."""
    made = make_plan()
    with pytest.MonkeyPatch.context() as patch:
        judge_programs(patch)
        types, kinds = native.describe(made, contacts=True)
    found = [
        (place, slot, string.signatures.words, string.signatures.undecided)
        for place, kind in enumerate(made.all)
        for slot, string in enumerate(kind.strings)
        if string.signatures is not None
    ]
    words: list[bytes] = []
    for place, slot, texts, undecided in [*found, (len(made.all), 0, ["xxxxx", "ab"], frozenset[int]())]:
        table = make_automaton(texts, undecided)
        assert table is not None
        numbers = (place, slot, table.column_count, len(table.output_ends), len(table.outputs))
        tables = (table.next.tobytes(), table.output_ends.tobytes(), table.outputs.tobytes())
        words.append(struct.pack("<5I", *numbers) + table.columns + b"".join(tables))
    records = [struct.pack("<I", len(record)) + record for record in make_records()]
    return counted(types) + counted(kinds) + bytes(range(16)) + native.starts() + counted(words) + counted(records)


def test_the_kinds_that_are_fuzzed_are_of_every_sort() -> None:
    assert all(kinds_of_every_sort(make_plan().all).values())


@pytest.mark.timeout(SECONDS + 240)
def test_hostile_batches_stay_within_their_memory_and_give_results_that_make_sense(classifier_driver: Driver) -> None:
    given, seed, until = driver_input(), SEED, time.monotonic() + SECONDS
    while time.monotonic() < until:
        done = classifier_driver("fuzz", str(seed), str(ROUNDS), given=given)
        assert (done.returncode, done.stderr) == (0, b""), f"FUZZ_SEED={seed}\n{done.stderr.decode(errors='replace')}"
        seed += 1


def test_structures_and_numbers_are_the_same_in_c_and_in_python(classifier_driver: Driver) -> None:
    lines = [line.split() for line in classifier_driver("layout").stdout.decode().splitlines()]
    told = {name: int(number) for name, number in lines}
    header = struct.Struct("<" + "".join({"u64": "Q", "u32": "I", "u16": "H"}[kind] for _, kind in HEADER_FIELDS))
    assert header.size == HEADER.size
    before_type = struct.calcsize("<" + "".join({"u32": "I"}[kind] for _, kind in HEADER_FIELDS[:1]))
    assert told == {
        "hw_type": native.TYPE.size + native.PEER.size, "hw_type.sign": 16, "hw_type.failed": native.TYPE.size - 16,
        "hw_type.fingerprint": native.TYPE.size - 12, "hw_type.peer": native.TYPE.size, "hw_peer": native.PEER.size,
        "hw_kind": native.KIND.size, "hw_kind.scalar_count": 12, "hw_kind.scalars": 16,
        "hw_kind.string_count": 16 + 8 * plan.MAXIMUM_SCALARS, "hw_kind.strings": 20 + 8 * plan.MAXIMUM_SCALARS,
        "hw_kind.is_told": native.KIND.size - 4,
        "hw_piece": 8, "hw_string": 12,
        "hw_survivor": native.SURVIVOR.size, "hw_survivor.number": 8, "hw_survivor.kind": 16,
        "hw_survivor.process": 20, "hw_survivor.scalars": 24, "hw_survivor.strings": 28,
        "hw_survivor.noted": 36,
        "hw_call": native.CALL.size + native.SURVIVORS * native.SURVIVOR.size, "hw_call.counted": 8,
        "hw_call.offset": 16, "hw_call.events": 24, "hw_call.survivors": 32, "hw_call.broken": 36,
        "hw_call.list": native.CALL.size,
        "HW_CONTEXT_SIZE": recipe.CONTEXT_END - recipe.CONTEXT_BEGIN, "HW_STRINGS": plan.STRING_SLOTS,
        "HW_SCALARS": plan.MAXIMUM_SCALARS, "HW_CLASSES": classifier.MAXIMUM_CLASSES + 1,
        "HW_KINDS": native.MAXIMUM_KINDS, "HW_SURVIVORS": native.SURVIVORS, "HW_TOLD": native.TOLD,
        "HW_STATE": classifier.STATE,
        "HW_BROKEN": classifier.BROKEN, "HW_NOTED": classifier.NOTED,
        "HW_CONTACT": classifier.CONTACT, "CONTACTS": contacts.REMEMBERED,
        "CGROUP_OFFSET": contacts.CGROUP.start,
        "HW_PLAIN": recipe.StateChange.NONE, "HW_NOTE": recipe.StateChange.CHILD,
        "HW_NOTE_END": recipe.StateChange.END, "HW_STOP": recipe.StateChange.ANY,
        "HW_STOP_UNLESS_FAILED": recipe.StateChange.UNLESS_FAILED, "HW_STOP_UNLESS_KNOWN": recipe.StateChange.PROGRAM,
        "HW_NOTED_PLAIN": classifier.PLAIN, "HW_NOTED_KNOWN": classifier.KNOWN,
        "hw_starts": native.STARTS.size, "hw_starts.program_end": 20, "hw_starts.scalars": 44,
        "UNUSED": classifier.UNUSED, "NUMBERS": 4096, "HEADER_SIZE": HEADER.size,
        "TYPE_OFFSET": before_type, "CONTEXT_OFFSET": recipe.CONTEXT_BEGIN,
    }  # fmt: skip
    assert all(kind.number < told["NUMBERS"] for kind in EVENTS)
