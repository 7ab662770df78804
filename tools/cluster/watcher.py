"""Hullwatch as its users start it, taking the audit events of a cluster."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import msgspec

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATIENCE = 60.0  # seconds until it takes events, and until it has ended
_DECODER = msgspec.json.Decoder(dict[str, Any])


class Watcher:
    """A run that takes audit events and no others; a context.

    Args:
        folder: of its own, where its state is.
        settings: TOML for the file of its configuration.
        environment: variables for it.
    """

    def __init__(self, folder: Path, settings: str, environment: Mapping[str, str] | None = None) -> None:
        """Write its configuration; entering the context starts it."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # started by root, it becomes another user
        self.folder = folder
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        directories = "\n".join(f'{name} = "{folder / name}"' for name in ("state", "run", "cache"))
        self.configuration = folder / "config.toml"
        self.configuration.write_text(f"[directories]\n{directories}\n{settings}\n", encoding="utf-8")

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it takes events.

        Raises:
            CannotError: when it does not.
        """
        before = self.said().count(b"Taking audit events")
        command = [sys.executable, "-m", "hullwatch", "run", "--disable-source", "syscall", "-o", "json"]
        with (self.folder / "alerts.jsonl").open("ab") as out, (self.folder / "said").open("ab") as err:
            self._process = subprocess.Popen(
                [*command, "--config", str(self.configuration)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self._environment,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE
        while self.said().count(b"Taking audit events") == before:
            if self._process.poll() is not None or time.monotonic() > end:
                raise CannotError(f"hullwatch does not take events: {self.said()[-600:].decode(errors='replace')}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it, as Ctrl-C does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE)
            self._process = None

    def said(self) -> bytes:
        """Return what it wrote on standard error."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "said").read_bytes()
        return b""

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts so far, as it printed them."""
        written = (self.folder / "alerts.jsonl").read_bytes()
        lines = written[: written.rfind(b"\n") + 1].splitlines()  # the last one may be half written
        return [one for one in map(_DECODER.decode, lines) if "ka.auditid" in one["output_fields"]]

    def rules(self) -> list[str]:
        """Return the rules of the alerts so far, in their order."""
        return [one["rule"] for one in self.alerts()]

    def status(self) -> dict[str, Any]:
        """Return what it counts; a second or two old."""
        try:
            return _DECODER.decode((self.folder / "state" / "kubernetes.json").read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return {}
