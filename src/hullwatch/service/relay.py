"""What the sensor says on standard error, taken into the log: a program in C knows nothing of JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hullwatch.service.log import LONGEST_LINE

if TYPE_CHECKING:
    from hullwatch.service.log import Log

_AT_ONCE = 1 << 16  # bytes


class Relay:
    """A pipe whose lines become entries of a log.

    Args:
        log: takes them.
    """

    def __init__(self, log: Log) -> None:
        """Make the pipe."""
        self._log = log
        self._read, self.write_end = os.pipe()
        os.set_blocking(self._read, False)
        self._rest = b""

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._read

    def take(self) -> None:
        """Take what has come; does not wait."""
        try:
            data = os.read(self._read, _AT_ONCE)
        except BlockingIOError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if text:
                self._log.say(text)

    def close(self) -> None:
        """Take what is left, and close the pipe."""
        self.take()
        for end in (self._read, self.write_end):
            os.close(end)
