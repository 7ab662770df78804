"""Captures of other programs: how fast a .scap file is read and judged; real recordings again and again, 3 M events."""

from __future__ import annotations

import gc
import struct
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.benchmark import Run, Sample, Value, benchmark
from bench.rules import rules_text
from hullwatch.captures.scap.blocks import EVENTS, BlockReader
from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.judged import SCAP_NAMES
from hullwatch.captures.scap.lookup import from_scap
from hullwatch.captures.scap.remembered import Remembered
from hullwatch.captures.settled import settled
from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.rules.loader import RulesFile, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.rules.loader import RuleSet

CAPTURES = Path(__file__).parents[1] / "tests" / "data" / "scap"
MIXED = "run_as_user_0_container.scap"  # four threads of five wait for something; a container's shell runs a program
FILES = "curl_google.scap"  # every seventh event opens or closes a file
EVENTS_WANTED = 3_000_000
FEWER = 3  # of the second one, which is slower
QUICK = 100
_TIME = struct.Struct("<Q")


class _Replica(NamedTuple):
    path: Path
    events: int


@benchmark(
    Value("replay.scap.25", "events/CPU-s", "a .scap file read and judged by 25 rules; every event of the file counts"),
    Value("replay.scap.90", "events/CPU-s", "the same by 90 rules"),
    Value("replay.scap.files.25", "events/CPU-s", "the first of a recording in which every seventh event is of a file"),
    Value("replay.scap.files.90", "events/CPU-s", "the same by 90 rules"),
    runs=5,
    limit=15,
)
def scap(run: Run) -> Iterator[Sample]:
    """Judge the same recordings again and again."""
    number = EVENTS_WANTED // (QUICK if run.quick else 1)
    few, many = (load([RulesFile("made-up.yaml", rules_text(count).encode())], lookup=from_scap) for count in (25, 90))
    with tempfile.TemporaryDirectory() as folder:
        mixed = _replicate(CAPTURES / MIXED, Path(folder) / "mixed.scap", number)
        files = _replicate(CAPTURES / FILES, Path(folder) / "files.scap", number // FEWER)
        while True:
            yield {
                "replay.scap.25": mixed.events / _judge(mixed.path, few),
                "replay.scap.90": mixed.events / _judge(mixed.path, many),
                "replay.scap.files.25": files.events / _judge(files.path, few),
                "replay.scap.files.90": files.events / _judge(files.path, many),
            }


def _replicate(recording: Path, path: Path, number: int) -> _Replica:
    """Write the events of a recording again and again, each time later, until there are as many as wanted."""
    with recording.open("rb") as stream:
        blocks = list(BlockReader(stream, recording.name).blocks())
    pieces = [(one.type, one.data[one.begin - 8 : one.end + 4]) for one in blocks]
    head = b"".join(piece for kind, piece in pieces if kind not in EVENTS)
    events = bytearray().join(piece for kind, piece in pieces if kind in EVENTS)
    count = sum(kind in EVENTS for kind, _ in pieces)
    places: list[int] = []
    begin = 0
    for kind, piece in pieces:
        if kind in EVENTS:
            places.append(begin + 8 + 2)  # behind the block's head and the CPU
            begin += len(piece)
    times = [_TIME.unpack_from(events, place)[0] for place in places]
    later = max(times) - min(times) + 1
    rounds = max(1, number // count)
    with path.open("wb") as stream:
        stream.write(head)
        for shift in range(rounds):
            for place, moment in zip(places, times, strict=True):
                _TIME.pack_into(events, place, moment + shift * later)
            stream.write(events)
    return _Replica(path, rounds * count)


def _judge(path: Path, rules: RuleSet) -> float:
    """Return the seconds of CPU time that reading and judging took."""
    engine, remembered = Engine(rules, Counters(), decide_once=False), Remembered(rules)
    wanted = engine.names_wanted(SCAP_NAMES)
    gc.collect()
    begin = time.process_time()
    with settled(), path.open("rb") as stream:
        for event in ScapCapture(stream, path.name).judged(wanted, remembered):
            if not engine.matches(event):
                remembered.learn(event)
    return time.process_time() - begin
