"""What Hullwatch says of its own work as JSON, one object a line, for journals and collectors of logs.

Keys: ``time`` (UTC), ``level`` (``info``, ``warning``, ``error``), ``process``, ``pid``, ``message``, and where there
are some: ``detail``, more lines, and ``left_out``, how many lines before this one were too many.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING

import msgspec

from hullwatch.formats.escape import escape, escape_json
from hullwatch.outputs import standard_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BURST = 100  # lines at once ...
A_SECOND = 10.0  # ... and so many for each second after that
LONGEST_LINE = 4000  # characters
MOST_DETAIL = 100  # lines
# Levels by what a sentence begins with, and what the journal calls them (syslog(3)).
_BEGINNINGS = {"Warning: ": "warning", "Error: ": "error"}
_SEVERITIES = {"info": 6, "warning": 4, "error": 3}


class Log:
    """Writes lines to standard error, so many and no more.

    Args:
        process: which of Hullwatch's processes speaks.
        journal: whether the journal reads, which takes a severity in front of each line.
        write: takes a line.
        clock: seconds that do not go back.
    """

    def __init__(
        self,
        process: str,
        write: Callable[[str], object],
        *,
        journal: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Have said nothing yet."""
        self._process = process
        self._journal = journal
        self._write = write
        self._clock = clock
        self._room = float(BURST)
        self._at = clock()
        self._left_out = 0

    def say(self, text: str) -> None:
        """Write a sentence, or several lines of which the first says what they are."""
        if not self._has_room():
            self._left_out += 1
            return
        first, *more = [escape(line)[:LONGEST_LINE] for line in text.splitlines()[: MOST_DETAIL + 1]] or [""]
        level = next((level for begin, level in _BEGINNINGS.items() if first.startswith(begin)), "info")
        entry: dict[str, object] = {
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
            "process": self._process,
            "pid": os.getpid(),
            "message": first.removeprefix(f"{level.capitalize()}: "),
        }
        if more:
            entry["detail"] = more
        if self._left_out:
            entry["left_out"] = self._left_out
            self._left_out = 0
        line = escape_json(msgspec.json.encode(entry).decode())
        self._write(f"<{_SEVERITIES[level]}>{line}\n" if self._journal else line + "\n")

    def _has_room(self) -> bool:
        now = self._clock()
        self._room = min(BURST, self._room + (now - self._at) * A_SECOND)
        self._at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True


def reads_journal(environment: Mapping[str, str] | None = None, descriptor: int = 2) -> bool:
    """Tell whether a descriptor is the journal's, as ``JOURNAL_STREAM`` says (systemd.exec(5))."""
    values = os.environ if environment is None else environment
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return values.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def speak(process: str, form: str) -> bool:
    """Have this process say things in the form that was set; return whether that is JSON.

    Args:
        process: which of Hullwatch's processes it is.
        form: the setting ``log.format``.
    """
    journal = reads_journal()
    if form == "text" or (form == "auto" and not journal):
        return False
    standard_error.through(Log(process, standard_error.write_error, journal=journal).say)
    return True
