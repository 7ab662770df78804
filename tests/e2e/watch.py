"""A running ``hullwatch run`` as tests use it: its alerts as they come, without waiting longer than needed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.config.paths import sensor_program

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence

START_TIMEOUT = 60.0
END_TIMEOUT = 60.0
READY = "Watching this host"

Alert = dict[str, Any]


class Watch:
    """One ``hullwatch run --output json``, ready when the constructor returns.

    Attributes:
        alerts: all that came, each with ``received`` (seconds since the epoch).
        said: the lines on standard error.
        state: the directory of what lasts.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        docker_host: str = "",
        output: str = "json",
        before: Callable[..., Sequence[str]] = lambda *command: command,
    ) -> None:
        """Start it; ``before`` returns a command that runs a command in its own place."""
        # Directories of its own, so that tests disturb nobody who watches this host. Into pytest's, only root may.
        self.state = Path(tempfile.mkdtemp(prefix="hullwatch-state-"))
        weakref.finalize(self, shutil.rmtree, self.state, ignore_errors=True)
        self.environment = {
            **os.environ,
            "DOCKER_HOST": docker_host or f"unix://{folder}/no-engine.sock",
            "HULLWATCH_DIRECTORIES_STATE": str(self.state),
            "HULLWATCH_DIRECTORIES_RUN": str(folder / "run"),
        }
        self.alerts: list[Alert] = []
        self.said: list[str] = []
        self._news = threading.Condition()
        self._json = output == "json"
        command = [sys.executable, "-m", "hullwatch", "run", "--output", output, *arguments]
        self.process = subprocess.Popen(
            before(*command),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._threads = [
            threading.Thread(target=self._read_alerts, daemon=True),
            threading.Thread(target=self._read_words, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        if not self.wait(lambda: any(READY in line for line in self.said), START_TIMEOUT):
            self.end(signal.SIGKILL)
            raise AssertionError(f"hullwatch run did not get ready: {self.said}")

    def _read_alerts(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            alert: Alert = json.loads(line) if self._json else {"line": line.rstrip("\n")}
            alert["received"] = time.time()
            with self._news:
                self.alerts.append(alert)
                self._news.notify_all()

    def _read_words(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.said.append(line.rstrip("\n"))
                self._news.notify_all()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until a condition on what came is true; False when it is not in time or the run has ended."""
        deadline = time.monotonic() + timeout
        with self._news:
            while not condition():
                if not self._news.wait(min(0.2, max(0.0, deadline - time.monotonic()))):
                    if time.monotonic() >= deadline:
                        return condition()
                    if self.process.poll() is not None:
                        return condition()
        return True

    def alert(self, rules: Collection[str], container: str = "", timeout: float = 30.0) -> Alert:
        """Return the first alert of one of the rules (in a container), waiting for it."""

        def found() -> list[Alert]:
            return [
                alert
                for alert in self.alerts
                if alert["rule"] in rules and container in {"", alert["output_fields"].get("container.name")}
            ]

        assert self.wait(lambda: bool(found()), timeout), f"no alert of {sorted(rules)}: {self.describe()}"
        return found()[0]

    def count(self, rule: str) -> int:
        """Return how many alerts of a rule came until now."""
        return sum(alert["rule"] == rule for alert in self.alerts)

    def of_container(self, name: str) -> list[Alert]:
        """Return the alerts of a container."""
        return [alert for alert in self.alerts if alert["output_fields"].get("container.name") == name]

    def describe(self) -> str:
        """Return what came, for a failed assertion."""
        alerts = (str(alert.get("output", alert))[:200] for alert in self.alerts[-10:])
        return "\n".join([*alerts, *self.said[-10:]])

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """End the run as Ctrl-C does; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for thread in self._threads:
            thread.join(END_TIMEOUT)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code

    def child(self, name: str) -> int:
        """Return the pid of the supervisor's child with this name in /proc."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = [int(word) for word in children.read_text().split()]
        for pid in pids:
            with contextlib.suppress(OSError):  # it has just ended
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    return pid
        raise AssertionError(f"the supervisor has no child {name}: {pids}")


@contextlib.contextmanager
def watches(folder: Path) -> Generator[Callable[..., Watch]]:
    """Give what starts a watch with arguments; all are ended at the end. Skips the test where none can run."""
    if os.geteuid() != 0:
        pytest.skip("watching the kernel needs root")
    if not Path("/sys/kernel/btf/vmlinux").exists():
        pytest.skip("this kernel has no type information (BTF)")
    assert sensor_program() is not None, "the sensor is not built: run 'make build'"
    running: list[Watch] = []

    def start(*arguments: str, docker_host: str = "", output: str = "json", **more: Any) -> Watch:
        own = folder / str(len(running))
        own.mkdir()
        running.append(Watch(own, *arguments, docker_host=docker_host, output=output, **more))
        return running[-1]

    try:
        yield start
    finally:
        for one in running:
            one.end(signal.SIGINT)


def seconds_late(alert: Alert) -> float:
    """Return the seconds between the event and the arrival of its alert."""
    fields = alert["output_fields"]
    happened = fields.get("evt.time")
    assert isinstance(happened, int), alert
    return float(alert["received"]) - happened / 1e9
