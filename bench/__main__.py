"""Measure speed and cost of Hullwatch on this machine, print a table and write ``bench/latest.json``."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import bench
from bench import machine, report
from bench.benchmark import BENCHMARKS, Benchmark, CannotMeasureError, Run, measure, select

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.benchmark import Result

LATEST = Path(__file__).with_name("latest.json")
QUICK_RUNS = 2
NO_ROOT = "it needs root: run it as root or with sudo."
_NOT_BENCHMARKS = {"__main__"}


def load() -> list[Benchmark]:
    """Import every module of this folder, so that its benchmarks register; return them by name."""
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name not in _NOT_BENCHMARKS:
            importlib.import_module(f"bench.{module.name}")
    return sorted(BENCHMARKS, key=lambda item: item.values[0].name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return 0, also when something could not be measured, or 2 for wrong usage."""
    known = load()
    options = _parser(known).parse_args(arguments)
    try:
        chosen = select(options.names, known)
    except KeyError as error:
        sys.stderr.write(f"There is no benchmark {error.args[0]!r}; 'python -m bench --list' shows all.\n")
        return 2
    if options.list:
        for item in chosen:
            sys.stdout.writelines(f"{value.name} ({value.unit}): {value.meaning}\n" for value in item.values)
        return 0
    runs = options.runs or (QUICK_RUNS if options.quick else None)
    surroundings = machine.describe()
    results, skipped = run_all(chosen, quick=options.quick, runs=runs, soak=options.soak)
    report.show(surroundings, results, skipped)
    if options.output is not None:
        report.write(results, options.output)
    return 0


def run_all(
    chosen: Sequence[Benchmark], *, quick: bool, runs: int | None, soak: float = 0.0
) -> tuple[list[Result], dict[str, str]]:
    """Run benchmarks one after the other; return their results, and by names why others gave none."""
    results: list[Result] = []
    skipped: dict[str, str] = {}
    for item in chosen:
        name = item.values[0].name
        try:
            if item.needs_root and os.geteuid() != 0:
                raise CannotMeasureError(NO_ROOT)
            results += measure(item, Run(quick, _progress(name), soak), runs)
        except CannotMeasureError as reason:
            skipped[", ".join(value.name for value in item.values)] = str(reason)
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
    return results, skipped


def _progress(name: str) -> Callable[[str], None]:
    """Return what says on standard error how far a benchmark is: one line that changes, in a pipe one line in all."""
    said: list[str] = []

    def say(sentence: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{name}: {sentence}")
        elif not said:
            said.append(sentence)
            sys.stderr.write(f"measuring {name}\n")
        sys.stderr.flush()

    return say


def _parser(known: Sequence[Benchmark]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"What to measure, such as {known[0].values[0].name}; default: all."
    )
    parser.add_argument("--runs", type=_positive, metavar="N", help="How many samples of each value.")
    parser.add_argument("--quick", action="store_true", help="Look briefly: for trying out, not for numbers.")
    parser.add_argument(
        "--soak", type=_seconds, metavar="SECONDS", default=0.0, help="How long the load of agent.rss lasts: 3600."
    )
    parser.add_argument("--list", action="store_true", help="Show what can be measured, and measure nothing.")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", default=LATEST, help="Where the JSON goes; default: bench/latest.json."
    )
    return parser


def _seconds(text: str) -> float:
    number = float(text)
    if not 1 <= number <= 86_400:
        raise argparse.ArgumentTypeError("it must be 1 to 86400 seconds.")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("it must be 1 to 1000.")
    return number


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; nothing was written.\n")
        sys.exit(130)
