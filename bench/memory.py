"""How much memory the engine takes, and whether it grows."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from bench.rules import rules_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
EVENTS = 50_000  # in a round
ROUNDS = 1000
WARM_ROUNDS = 20
_SIZE = struct.Struct("<I")  # before each batch of the file
_VALUES = (
    Value("engine.rss.100", "MB", "memory of a process that judges by 100 rules, after 50 million events"),
    Value("engine.rss.100.growth", "MB", "how much of it came after the first million"),
)


@benchmark(*_VALUES, runs=1, limit=39)
def engine_memory(run: Run) -> Iterator[Sample]:
    """Let a process of its own judge a stream whose never-seen paths are new in every round."""
    from bench.engine import STREAMS
    from bench.stream import ROUND, Host

    mix, never_seen = STREAMS["mixed"]
    host = Host(mix=mix, never_seen=never_seen, sensitive=0)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "beginning").write_bytes(host.beginning())
        (Path(folder) / "round").write_bytes(b"".join(_SIZE.pack(len(one)) + one for one in host.batches(EVENTS)))
        rounds = WARM_ROUNDS + 1  # the first sample is thrown away
        while True:
            command = [sys.executable, "-m", "bench.memory", folder, str(rounds), ROUND]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise CannotMeasureError(f"the process that judges ended with {done.returncode}: {done.stderr[-300:]}")
            first, last = (float(word) for word in done.stdout.split())
            yield {"engine.rss.100": last, "engine.rss.100.growth": last - first}
            rounds = WARM_ROUNDS + 1 if run.quick else ROUNDS


def main(folder: str, rounds: int, token: str) -> None:
    """Judge the same round again and again, with new paths in it; print the memory early and at the end."""
    from hullwatch.counters import Counters
    from hullwatch.detect.stream import Stream
    from hullwatch.rules.loader import RulesFile, load

    rules = load([RulesFile("made-up.yaml", rules_text(100).encode())])
    stream = Stream(rules, Counters(), lambda _: None, 0)
    for _ in stream.feed((Path(folder) / "beginning").read_bytes()):
        pass
    first = 0.0
    for number in range(rounds):
        with (Path(folder) / "round").open("rb") as batches:
            while size := batches.read(_SIZE.size):
                records = batches.read(_SIZE.unpack(size)[0])
                for _ in stream.feed(records.replace(token.encode(), b"%08d" % number)):
                    pass
        if number == WARM_ROUNDS:
            first = _resident()
    sys.stdout.write(f"{first} {_resident()}\n")


def _resident() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
