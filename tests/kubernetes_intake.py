"""A run that takes audit events alone, as its users start it, for tests of several files."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hullwatch.store.database import NoStoreError
from hullwatch.store.opening import open_to_read
from hullwatch.store.reading import AlertReader, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from hullwatch.alerts.alert import Alert

PATIENCE = 60.0  # seconds; a busy machine takes ten to start a process
RULES = """
- rule: Seen
  desc: every event that is complete
  source: k8s_audit
  condition: ka.stage = ResponseComplete
  output: "%ka.auditid"
  priority: NOTICE
"""


def until(holds: Callable[[], Any]) -> Any:
    """Wait until something holds; return it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def open_folder() -> Generator[Path]:
    """Make a folder that everybody may enter, which pytest's are not: root's run becomes another user."""
    with tempfile.TemporaryDirectory(prefix="hullwatch-intake-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


class Intake:
    """Starts and stops runs over one folder of state."""

    def __init__(self, folder: Path, settings: str, rules: str = RULES) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.rules = folder / "rules.yaml"
        self.rules.write_text(rules)
        directories = "\n".join(f'{name} = "{folder / name}"' for name in ("state", "run", "cache"))
        self.config = folder / "config.toml"
        self.config.write_text(f"[directories]\n{directories}\n[kubernetes.audit]\n{settings}\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str, stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "hullwatch", "run", "--disable-source", "syscall", "-o", "json"]
        command += ["-r", str(self.rules), "--config", str(self.config), *flags]
        with (self.folder / "out").open("ab") as out, (self.folder / "err").open("ab") as err:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=err)
        return self.process

    @property
    def said(self) -> str:
        return (self.folder / "err").read_text()

    def ready(self, times: int = 1) -> None:
        """Wait until events are taken."""
        until(lambda: self.said.count("Taking audit events") >= times or self._ended())

    def _ended(self) -> bool:
        assert self.process is None or self.process.poll() is None, self.said
        return False

    def children(self) -> dict[str, int]:
        """Return the ids of the processes of the run by their names."""
        assert self.process is not None
        found: dict[str, int] = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
                if int(lines["PPid"]) == self.process.pid:
                    found[lines["Name"]] = int(lines["Pid"])
        return found

    def kill(self) -> None:
        """End the process that takes events, in the middle of whatever it does."""
        os.kill(until(lambda: self.children().get("hullwatch-k8s")), signal.SIGKILL)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def alerts(self) -> list[Alert]:
        """Return what is kept."""
        try:
            reader = AlertReader(open_to_read("", self.state))
        except NoStoreError:
            return []
        return [one.alert for one in reader.newest_first(Wanted())]

    def kept(self, rule: str = "Seen") -> list[str]:
        """Return the auditIDs of the alerts of a rule that are kept."""
        return [str(alert.output_fields["ka.auditid"]) for alert in self.alerts() if alert.rule == rule]


@contextlib.contextmanager
def intake(folder: Path, settings: str, rules: str = RULES) -> Generator[Intake]:
    """Make a run, which is ended with the context."""
    made = Intake(folder, settings, rules)
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.send_signal(signal.SIGINT)
            try:
                made.process.wait(15)
            except subprocess.TimeoutExpired:
                made.process.kill()
                made.process.wait()
