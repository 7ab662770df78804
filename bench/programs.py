"""What Hullwatch costs whole programs: a compile, a search through many files, a server that answers."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.benchmark import CannotMeasureError, Run, Sample, Value, benchmark
from bench.load import require_sensor, two_cpus
from bench.watched import SETTLE, cpu_seconds, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

SOURCES = 100  # C files of the project that is compiled
SOURCES_QUICK = 4
FUNCTIONS = 5  # in each of them
SEARCHED = 1500  # files of /usr that are searched
SEARCHED_QUICK = 50
REQUESTS = 100_000  # of each kind, to redis
REQUESTS_QUICK = 2_000
CLIENTS = 20
PATIENCE = 60.0  # seconds
START_WAIT = 5.0  # seconds for redis to be there


class Time(NamedTuple):
    """How long something took, in seconds: by the clock, and of CPU time with all children that have ended."""

    clock: float
    cpu: float


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(work: Callable[[], None]) -> Time:
    """Do something and return how long it took."""
    begin, before = time.monotonic(), _children_cpu()
    work()
    return Time(time.monotonic() - begin, _children_cpu() - before)


def _in_turn(name: str, work: Callable[[], None]) -> Iterator[Sample]:
    """Do something without and with ``hullwatch run``; what comes first changes from sample to sample."""
    with_first = False
    while True:
        times: dict[bool, Time] = {}
        for watching in (with_first, not with_first):
            with contextlib.ExitStack() as stack:
                if watching:
                    stack.enter_context(watched())
                    time.sleep(SETTLE)  # starting is not what is measured
                times[watching] = timed(work)
        with_first = not with_first
        yield {
            f"overhead.{name}": times[True].clock / times[False].clock,
            f"overhead.{name}.cpu": times[True].cpu / times[False].cpu,
            f"overhead.{name}.without": times[False].clock,
        }


# ---- a compile


@benchmark(
    Value("overhead.compile", "ratio", f"time to compile {SOURCES} C files with 'make -j2', with Hullwatch to without"),
    Value("overhead.compile.cpu", "ratio", "the same of its CPU time"),
    Value("overhead.compile.without", "s", "that compile without Hullwatch, by the clock"),
    runs=5,
    limit=30,
    needs_root=True,
)
def compile_project(run: Run) -> Iterator[Sample]:
    """Compile a project that is made up here, so that it is the same everywhere."""
    require_sensor()
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    make = shutil.which("make")
    if compiler is None or make is None:
        raise CannotMeasureError("it needs make and a C compiler: install make, and gcc or clang.")
    with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as folder:
        write_project(Path(folder), SOURCES_QUICK if run.quick else SOURCES)
        command = [make, "--silent", "--always-make", "-j2", "-C", folder, f"CC={compiler}"]

        def build() -> None:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
            if done.returncode:
                raise CannotMeasureError(f"the made-up project cannot be compiled: {done.stderr[-300:].strip()}")

        yield from _in_turn("compile", build)


def write_project(folder: Path, sources: int) -> None:
    """Write a program in C whose files include a header of their own and some of the system's."""
    prototypes = "".join(f"int work_{number}(const char *text, int number);\n" for number in range(sources))
    (folder / "project.h").write_text(f"#pragma once\n{prototypes}", encoding="ascii")
    calls = " + ".join(f"work_{number}(arguments[0], count)" for number in range(sources))
    main = f'#include "project.h"\nint main(int count, char **arguments)\n{{\n\treturn ({calls}) & 1;\n}}\n'
    (folder / "main.c").write_text(main, encoding="ascii")
    for number in range(sources):
        (folder / f"work_{number}.c").write_text(_source(number), encoding="ascii")
    objects = " ".join(["main.o", *(f"work_{number}.o" for number in range(sources))])
    (folder / "Makefile").write_text(
        f"project: {objects}\n\t$(CC) -o $@ $^\n%.o: %.c\n\t$(CC) -O1 -c -o $@ $<\n", encoding="ascii"
    )


def _source(number: int) -> str:
    functions = "".join(
        f"static int step_{step}(const char *text, int number)\n{{\n"
        f"\tchar copy[{64 + step}];\n\n"
        f'\tsnprintf(copy, sizeof(copy), "%s %d {number} {step}", text, number);\n'
        f"\tfor (size_t place = 0; copy[place]; place++)\n"
        f"\t\tnumber += isdigit((unsigned char)copy[place]) ? atoi(copy + place) % {step + 2} : copy[place];\n"
        f"\treturn strlen(copy) > {step} ? number : -number;\n}}\n\n"
        for step in range(FUNCTIONS)
    )
    total = " + ".join(f"step_{step}(text, number)" for step in range(FUNCTIONS))
    includes = "".join(f"#include <{name}.h>\n" for name in ("ctype", "errno", "stdio", "stdlib", "string", "unistd"))
    last = f"int work_{number}(const char *text, int number)\n{{\n\treturn {total};\n}}\n"
    return f'{includes}#include "project.h"\n\n{functions}{last}'


# ---- a search


@benchmark(
    Value("overhead.find_grep", "ratio", f"time of 'find /usr -type f -exec grep', {SEARCHED} files, with to without"),
    Value("overhead.find_grep.cpu", "ratio", "the same of its CPU time"),
    Value("overhead.find_grep.without", "s", "that search without Hullwatch, by the clock"),
    runs=5,
    limit=25,
    needs_root=True,
)
def find_and_grep(run: Run) -> Iterator[Sample]:
    """Start a grep for each file of /usr, until so many were searched; in C's locale, whatever the user's is."""
    require_sensor()
    number = SEARCHED_QUICK if run.quick else SEARCHED
    command = ["find", "/usr", "-xdev", "-type", "f", "-exec", "grep", "-c", "-m1", "hullwatch", "{}", ";"]

    def search() -> None:
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}) as process:
            assert process.stdout is not None
            for _ in range(number):
                process.stdout.readline()
            process.terminate()

    yield from _in_turn("find_grep", search)


# ---- a server


@benchmark(
    Value("overhead.redis", "ratio", "time of redis-benchmark GET and SET, with Hullwatch to without"),
    Value("overhead.redis.get", "ratio", "the same of GET alone"),
    Value("overhead.redis.set", "ratio", "the same of SET alone"),
    Value("overhead.redis.cpu", "ratio", "the same of the server's CPU time"),
    Value("overhead.redis.without", "requests/s", "GETs without Hullwatch"),
    runs=5,
    limit=25,
    needs_root=True,
)
def redis(run: Run) -> Iterator[Sample]:
    """Ask a redis server over a unix socket; the server has one CPU and who asks has the other."""
    require_sensor()
    missing = [name for name in ("redis-server", "redis-benchmark") if shutil.which(name) is None]
    if missing:
        raise CannotMeasureError(f"it needs {missing[0]}: apt-get install redis-server.")
    near, far = two_cpus()
    requests = REQUESTS_QUICK if run.quick else REQUESTS
    with _redis_server(far) as (address, server):
        with_first = False
        while True:
            times: dict[bool, dict[str, float]] = {}
            used: dict[bool, float] = {}
            for watching in (with_first, not with_first):
                with contextlib.ExitStack() as stack:
                    if watching:
                        stack.enter_context(watched())
                        time.sleep(SETTLE)
                    before_asking = cpu_seconds(server)
                    times[watching] = _ask(address, near, requests)
                    used[watching] = cpu_seconds(server) - before_asking
            with_first = not with_first
            after, before = times[True], times[False]
            yield {
                "overhead.redis": sum(after.values()) / sum(before.values()),
                "overhead.redis.get": after["GET"] / before["GET"],
                "overhead.redis.set": after["SET"] / before["SET"],
                "overhead.redis.cpu": used[True] / used[False],
                "overhead.redis.without": 1 / before["GET"],
            }


@contextlib.contextmanager
def _redis_server(cpu: int) -> Generator[tuple[str, int]]:
    """Run a server that keeps nothing on disk, on a CPU; give its address and process id."""
    with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as folder:
        address = f"{folder}/socket"
        command = ["redis-server", "--port", "0", "--unixsocket", address, "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            try:
                os.sched_setaffinity(process.pid, {cpu})
                deadline = time.monotonic() + START_WAIT
                while not Path(address).exists():
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise CannotMeasureError("redis-server did not start.")
                    time.sleep(0.01)
                yield address, process.pid
            finally:
                process.terminate()


def _ask(address: str, cpu: int, requests: int) -> dict[str, float]:
    """Return the seconds that a request takes, by kind."""
    command = ["redis-benchmark", "-s", address, "-t", "get,set", "-n", str(requests), "-c", str(CLIENTS), "--csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        os.sched_setaffinity(process.pid, {cpu})
        output, _ = process.communicate(timeout=PATIENCE)
    found: dict[str, float] = {}
    for line in output.splitlines():  # "GET","98522.17",...
        cells = [cell.strip('"') for cell in line.split(",")]
        if cells[0] in {"GET", "SET"}:
            found[cells[0]] = 1 / float(cells[1])
    if len(found) != 2:
        raise CannotMeasureError(f"redis-benchmark said something else than expected: {output[:200]!r}.")
    return found
