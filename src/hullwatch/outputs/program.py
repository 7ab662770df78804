"""Alerts for a program of one's own: started for each, without a shell, the alert on its standard input."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from hullwatch.errors import UsageError
from hullwatch.outputs.output import (
    FormattedOptions,
    Output,
    RefusedError,
    Secret,
    UnreachableError,
    described,
    output,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.outputs.output import Context, Message

WRONG_DATA = 65  # EX_DATAERR of sysexits.h: the program will never take this alert
MINUTE = 60.0
LARGEST_ANSWER = 4096  # bytes of what it writes that are looked at
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ProgramOptions(FormattedOptions, kw_only=True, frozen=True, tag="program"):
    """What can be set for a program."""

    command: Annotated[
        tuple[str, ...],
        msgspec.Meta(min_length=1, max_length=64),
        described("The program and its arguments, each by itself; there is no shell, and no alert in them."),
    ]
    environment: Annotated[
        dict[str, Secret],
        msgspec.Meta(extra={"secret": "values"}),
        described("Variables of its environment, beside PATH and HULLWATCH_ID, HULLWATCH_KIND; the place for secrets."),
    ] = msgspec.field(default_factory=dict[str, Secret])
    per_minute: Annotated[
        int, msgspec.Meta(ge=1, le=60_000), described("How often it is started in a minute at most; the others wait.")
    ] = 60


@output(ProgramOptions)
class Program(Output):
    """A program that is started for each alert, with the alert on its standard input, limited in time and rate."""

    def __init__(self, options: ProgramOptions, context: Context) -> None:
        """Start nothing yet.

        Raises:
            UsageError: the program is no absolute path.
        """
        if not Path(options.command[0]).is_absolute():
            raise UsageError(f"outputs.{context.name}: command must begin with an absolute path.")
        self._options = options
        self._started: deque[float] = deque(maxlen=options.per_minute)

    def send(self, batch: Sequence[Message]) -> None:
        """Start the program for one alert after another."""
        for number, message in enumerate(batch):
            self._wait_for_turn()
            self._run(message, number)

    def preview(self, message: Message) -> bytes:
        """Return what the program would read."""
        return message.body + b"\n"

    def _wait_for_turn(self) -> None:
        if len(self._started) == self._options.per_minute:
            time.sleep(max(0.0, self._started[0] + MINUTE - time.monotonic()))
        self._started.append(time.monotonic())

    def _run(self, message: Message, number: int) -> None:
        name = Path(self._options.command[0]).name
        environment = {"PATH": PATH, **self._options.environment}
        environment |= {"HULLWATCH_ID": message.id, "HULLWATCH_KIND": message.kind}
        try:
            process = subprocess.Popen(
                self._options.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UnreachableError(f"{name} cannot be started: {reason}", delivered=number) from error
        with process:
            said = self._talk(process, message.body + b"\n", name, number)
        self.answer = f"exit code {process.returncode}" + (f": {said}" if said else "")
        if process.returncode == WRONG_DATA:
            raise RefusedError(f"{name}: {self.answer}", delivered=number)
        if process.returncode:
            raise UnreachableError(f"{name}: {self.answer}", delivered=number)

    def _talk(self, process: subprocess.Popen[bytes], data: bytes, name: str, number: int) -> str:
        """Give the program the alert and wait for its end; return the last line that it wrote."""
        talk = _Talk(process, data)
        try:
            ended = talk.until(time.monotonic() + self._options.timeout)
        finally:
            # Before the program is waited for, so that the number is still its own: what it has started ends as well.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if not ended:
            sentence = f"{name} does not end within {self._options.timeout:g} s, and was killed"
            raise UnreachableError(sentence, delivered=number)
        lines = talk.said.decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "").strip()


class _Talk:
    """Writes to a program and reads what it says, of which the end is kept, until it ends."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes) -> None:
        self.said = b""
        self._data = memoryview(data)
        self._selector = selectors.DefaultSelector()
        self._exit = os.pidfd_open(process.pid)
        self._selector.register(self._exit, selectors.EVENT_READ)
        for stream, event in ((process.stdin, selectors.EVENT_WRITE), (process.stdout, selectors.EVENT_READ)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, event)

    def until(self, end: float) -> bool:
        """Talk until the program ends or a time of the monotonic clock; return whether it has ended."""
        try:
            while (left := end - time.monotonic()) > 0:
                ready = [key.fileobj for key, _ in self._selector.select(left)]
                for stream in ready:
                    if not isinstance(stream, int):
                        self._go_on(stream)
                if self._exit in ready:
                    return True
            return False
        finally:
            self._selector.close()
            os.close(self._exit)

    def _go_on(self, stream: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            if stream.writable():
                if self._data:
                    try:
                        self._data = self._data[os.write(stream.fileno(), self._data) :]
                    except BrokenPipeError:  # it does not want all of it
                        self._data = self._data[:0]
                if not self._data:
                    self._end(stream)
            elif read := os.read(stream.fileno(), 1 << 16):
                self.said = (self.said + read)[-LARGEST_ANSWER:]
            else:
                self._end(stream)

    def _end(self, stream: Any) -> None:
        self._selector.unregister(stream)
        with contextlib.suppress(OSError):
            stream.close()
