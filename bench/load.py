"""The loads that are put on the kernel: small C programs, compiled when they are needed, each on one CPU."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.benchmark import CannotMeasureError

if TYPE_CHECKING:
    from collections.abc import Generator

SOURCES = Path(__file__).with_name("loads")
READ_FILE = "/etc/hostname"  # exists everywhere, and no rule alerts on it
SENSOR_NAME = "hullwatch-senso"  # the kernel keeps 15 bytes
PACED_TREE = Path("/usr/bin")  # files that everything opens: programs
PACED_FILES = 256
COMPILE_TIMEOUT = 60.0  # seconds
GRACE = 20.0  # seconds that a load may take longer than asked, on a busy machine


class Work(NamedTuple):
    """What a load did: how many pairs (open and close, fork and exec), in how many ns by the clock and of CPU time."""

    pairs: int
    nanoseconds: int
    cpu_nanoseconds: int

    @property
    def each(self) -> float:
        """Nanoseconds for a pair."""
        return self.nanoseconds / self.pairs

    @property
    def cpu_each(self) -> float:
        """Nanoseconds of CPU time for a pair: other programs on the same CPU make it no longer."""
        return self.cpu_nanoseconds / self.pairs


class Loads:
    """The compiled programs."""

    def __init__(self, directory: Path) -> None:
        """Compile them into a directory.

        Raises:
            CannotMeasureError: without a C compiler.
        """
        self._directory = directory
        compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
        if compiler is None:
            raise CannotMeasureError("it needs a C compiler: install gcc or clang.")
        for source in sorted(SOURCES.glob("*.c")):
            command = [compiler, "-O2", "-static", "-o", str(directory / source.stem), str(source)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT, check=False)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise CannotMeasureError(f"{source.name} cannot be compiled (is libc6-dev installed?): {last}")

    def start(self, name: str, cpu: int, seconds: float) -> subprocess.Popen[str]:
        """Start a load on a CPU for a time."""
        return self._start(name, cpu, seconds, *([READ_FILE] if name == "open_close" else []))

    def start_paced(self, cpu: int, seconds: float, rate: int) -> subprocess.Popen[str]:
        """Start a load that opens and closes many files in turn, so often a second, on a CPU for a time."""
        files = itertools.islice((path for path in sorted(PACED_TREE.rglob("*")) if path.is_file()), PACED_FILES)
        return self._start("paced_opens", cpu, seconds, str(rate), *map(str, files))

    def _start(self, name: str, cpu: int, seconds: float, *more: str) -> subprocess.Popen[str]:
        command = [str(self._directory / name), str(cpu), str(int(seconds * 1000)), *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def run(self, name: str, cpu: int, seconds: float) -> Work:
        """Run a load to its end."""
        return self.result(self.start(name, cpu, seconds), seconds)

    @staticmethod
    def result(process: subprocess.Popen[str], seconds: float) -> Work:
        """Wait for a load and return what it did.

        Raises:
            CannotMeasureError: when it failed.
        """
        with process:
            try:
                output, _ = process.communicate(timeout=seconds + GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise CannotMeasureError("the load did not end in time: the machine is too busy.") from None
        if process.returncode != 0:
            raise CannotMeasureError(f"the load {Path(str(process.args[0])).name} ended with {process.returncode}.")  # type: ignore[index]  # started with a list
        return Work(*map(int, output.split()))


@contextmanager
def loads() -> Generator[Loads]:
    """Compile the loads into a directory that is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as directory:
        yield Loads(Path(directory))


def two_cpus() -> tuple[int, int]:
    """Return a CPU for Hullwatch and another for the load.

    Raises:
        CannotMeasureError: when there is only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise CannotMeasureError("it needs two CPUs: one for the load and one for what watches it.")
    return usable[0], usable[-1]


def require_sensor() -> None:
    """Check what every live benchmark needs.

    Raises:
        CannotMeasureError: with what is missing.
    """
    from hullwatch.config.settings import Settings
    from hullwatch.errors import CannotError
    from hullwatch.supervisor import check_host

    try:
        check_host(Settings())
    except CannotError as error:
        raise CannotMeasureError(str(error)) from error
    others = running_sensors()
    if others:
        raise CannotMeasureError(
            f"another sensor runs (process {others[0]}), whose cost would be in every number: end its Hullwatch first."
        )


def running_sensors() -> list[int]:
    """Return the process ids of all sensors on this host."""
    found: list[int] = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            name = (directory / "comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:  # it has just ended
            continue
        if name == SENSOR_NAME:
            found.append(int(directory.name))
    return sorted(found)
