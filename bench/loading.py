"""How long rules take to load: a new process each time, as ``hullwatch run`` starts one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from bench.rules import rules_text

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = (100, 1000)
NUMBERS_QUICK = (20,)
TIMEOUT = 60.0  # seconds
# All modules are loaded before; the grammar is not: only a file that is not in the cache needs it.
_CHILD = """
import sys, time
from pathlib import Path
from hullwatch.config.settings import RulesSettings
from hullwatch.fields.catalogue import catalogue
from hullwatch.rules.loader import RulesFile
from hullwatch.rules.reload import load_rules
files = [RulesFile(sys.argv[1], Path(sys.argv[1]).read_bytes())]
cache = Path(sys.argv[2]) if len(sys.argv) > 2 else None
catalogue()
begin = time.process_time()
rules = load_rules(files, RulesSettings(), cache)
print(time.process_time() - begin, len(rules.rules))
"""


@benchmark(
    *(
        value
        for number in NUMBERS
        for value in (
            Value(f"rules.load.{number}", "s", f"CPU seconds from the bytes of {number} made-up rules to a rule set"),
            Value(f"rules.load.{number}.cached", "s", "the same, with the parsed trees that an earlier run left"),
        )
    ),
    runs=5,
    limit=10.0,
)
def rules_load(run: Run) -> Iterator[Sample]:
    """Load rules in processes that have loaded none before."""
    numbers = NUMBERS_QUICK if run.quick else NUMBERS
    with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as name:
        folder = Path(name)
        for number in numbers:
            (folder / f"{number}.yaml").write_text(rules_text(number))
            _load(folder, number, folder / "cache")
        while True:
            sample: Sample = {}
            for number, value in zip(numbers, NUMBERS, strict=False):
                sample[f"rules.load.{value}"] = _load(folder, number)
                sample[f"rules.load.{value}.cached"] = _load(folder, number, folder / "cache")
            yield sample


def _load(folder: Path, number: int, cache: Path | None = None) -> float:
    """Return the CPU seconds of a process that loads a file.

    Raises:
        CannotMeasureError: when it did not load all rules.
    """
    arguments = [str(folder / f"{number}.yaml"), *([str(cache)] if cache is not None else [])]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    seconds, _, loaded = done.stdout.strip().partition(" ")
    if loaded != str(number):
        raise CannotMeasureError(f"{loaded or 'no'} rules of {number} were loaded: {done.stderr[-500:]}")
    return float(seconds)
