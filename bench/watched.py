"""Hullwatch as a user starts it (``hullwatch run``), with its processes and what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bench.benchmark import CannotMeasureError
from bench.load import SENSOR_NAME
from hullwatch import engine_process, keeper_process
from hullwatch.drift import comparing_process

if TYPE_CHECKING:
    from collections.abc import Generator

READY = "Watching this host"
READY_TIMEOUT = 30.0  # seconds
END_TIMEOUT = 30.0
KERNEL_NAME_LIMIT = 15  # characters of a process's name that the kernel keeps
OWN_NAMES = {
    engine_process.NAME[:KERNEL_NAME_LIMIT]: "engine",
    SENSOR_NAME: "sensor",
    comparing_process.NAME[:KERNEL_NAME_LIMIT]: "drift",
    keeper_process.NAME[:KERNEL_NAME_LIMIT]: "keeper",
}
SETTLE = 1.0  # seconds after it is ready: the list of processes and of containers is done
IDLE_SHARE = 0.1  # of a CPU: an engine that uses less has nothing left to judge


class Watched:
    """A running ``hullwatch run --output json``."""

    def __init__(self, process: subprocess.Popen[str], state: Path, start_seconds: float) -> None:
        """Take what was started."""
        self._process = process
        self._state = state
        self.start_seconds = start_seconds

    @property
    def output(self) -> IO[str]:
        """Its standard output, where ``watched`` was asked for it."""
        assert self._process.stdout is not None
        return self._process.stdout

    def processes(self) -> dict[str, int]:
        """Return the process ids of supervisor, engine, sensor, drift and keeper.

        Raises:
            CannotMeasureError: when one is not there.
        """
        supervisor = self._process.pid
        found = {"supervisor": supervisor}
        for child in _read(f"/proc/{supervisor}/task/{supervisor}/children").split():
            own = OWN_NAMES.get(_read(f"/proc/{child}/comm").strip())
            if own:
                found[own] = int(child)
        if len(found) != 1 + len(OWN_NAMES):
            raise CannotMeasureError(f"of Hullwatch's five processes only these run: {', '.join(found)}.")
        return found

    def wait_until_judged(self, limit: float) -> None:
        """Wait until the engine has nothing left to judge, or for a number of seconds."""
        engine = self.processes()["engine"]
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if cpu_share(engine, 0.1) < IDLE_SHARE:
                return

    def stop(self) -> dict[str, Any]:
        """End it as Ctrl-C does; return its counters.

        Raises:
            CannotMeasureError: when it does not end well.
        """
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise CannotMeasureError("hullwatch run did not end after Ctrl-C.") from None
        if code != 0:
            raise CannotMeasureError(f"hullwatch run ended with exit code {code}.")
        return json.loads((self._state / "status.json").read_bytes())

    def kill(self) -> None:
        """Make sure that nothing is left, whatever happened."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()


@contextlib.contextmanager
def watched(*arguments: str, stdout: int = subprocess.DEVNULL, **more: str) -> Generator[Watched]:
    """Start ``hullwatch run`` with some arguments and wait until it watches; it is ended when the block is left.

    ``more`` are variables of the environment.

    With ``subprocess.PIPE`` as ``stdout``, its alerts can be read from ``output``, and have to be. Its state lies in
    a directory of its own, so that a real installation's is not touched; the lock is the usual one: where Hullwatch
    runs already, nothing can be measured.

    Raises:
        CannotMeasureError: when it does not start; with what it said.
    """
    directory = Path(tempfile.mkdtemp(prefix="hullwatch-bench-"))
    directory.chmod(0o711)  # the engine's user has to get through
    state = directory / "state"
    environment = {**os.environ, "HULLWATCH_DIRECTORIES_STATE": str(state), **more}
    command = [sys.executable, "-m", "hullwatch", "run", "--output", "json", *arguments]
    begin = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
        text=True, errors="replace",
    )  # fmt: skip
    running: Watched | None = None
    try:
        _wait_until_ready(process)
        running = Watched(process, state, time.monotonic() - begin)
        yield running
    finally:
        (running or Watched(process, state, 0)).kill()
        shutil.rmtree(directory, ignore_errors=True)


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + READY_TIMEOUT
    said = "nothing"
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise CannotMeasureError(f"hullwatch run was not ready within {READY_TIMEOUT:.0f} s.") from None
        if READY in line:
            return
        if not line:
            raise CannotMeasureError(f"hullwatch run did not start; it said: {said}")
        said = line.strip()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that all threads of a process have used.

    From /proc/PID/task/TID/schedstat, whose first number are nanoseconds (Documentation/scheduler/sched-stats.rst
    of the kernel); /proc/PID/stat counts in hundredths of a second.
    """
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        fields = _read(f"{thread}/schedstat").split()
        total += int(fields[0]) if fields else 0
    return total / 1e9


def cpu_share(pid: int, seconds: float) -> float:
    """Return the share of one CPU that a process uses during some seconds."""
    before, begin = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)  # the time is what is measured
    return (cpu_seconds(pid) - before) / (time.monotonic() - begin)


def memory(pid: int) -> tuple[float, float]:
    """Return a process's resident memory and its proportional part of it (shared pages divided), in MB of 10^6."""
    fields = dict.fromkeys(("Rss:", "Pss:"), 0.0)
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        name, _, rest = line.partition(" ")
        if name in fields:
            fields[name] = int(rest.split()[0]) * 1024 / 1e6
    return fields["Rss:"], fields["Pss:"]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
