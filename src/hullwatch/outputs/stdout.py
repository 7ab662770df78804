"""Alerts on standard output: a line each, those of a batch of events in one write.

On a terminal, text has colours, repeats are counted, and the earlier events of a rule with state stand
below its alert; a pipe or file gets plain text, one line for each alert. Other formats look the same everywhere; SARIF
is one document, which is whole when the run has ended. A reader that ends (``| head``) ends the output cleanly; a slow
one is waited for, and that is counted.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import locale
import os
import select
import time
from typing import TYPE_CHECKING

from hullwatch.alerts.collapse import Collapser
from hullwatch.config.kubernetes_settings import is_set
from hullwatch.formats.falco import falco
from hullwatch.formats.registry import FORMATS
from hullwatch.formats.sarif import SarifDocument
from hullwatch.formats.text import repeats, text, text_with_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.collapse import Repeats
    from hullwatch.config.settings import OutputSettings, Settings
    from hullwatch.counters import Counters

MOST_TAKEN = 1 << 16  # bytes that wait for a flush: as much as a pipe holds
SLOW = 0.1  # seconds; a write that took longer waited for its reader
_GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF})  # closed pipe, terminal hung up, closed by the shell


class StandardOutput:
    """Writes alerts to a file descriptor."""

    def __init__(
        self,
        settings: OutputSettings,
        counters: Counters,
        descriptor: int = 1,
        clock: Callable[[], float] = time.monotonic,
        *,
        shared: bool = False,
    ) -> None:
        """Look at what the descriptor is.

        Args:
            settings: format, and whether repeats are shown.
            counters: where lost alerts and slow writes are counted.
            descriptor: to write to; it stays open.
            clock: seconds that do not go back.
            shared: whether another process of the run writes there too: each lets the other end its lines.
        """
        self.gone = False
        self._shared = shared
        self._counters = counters
        self._descriptor = descriptor
        self._clock = clock
        self._sarif = SarifDocument() if settings.format == "sarif" else None
        self._line = self._line_of(settings.format)
        self._terminal = is_terminal(descriptor)
        self._colour = has_colours(descriptor)
        self._encoding = (
            "utf-8" if self._line or not self._terminal else locale.getpreferredencoding(do_setlocale=False)
        )
        collapses = self._terminal and self._line is None and not settings.all
        self._collapser = Collapser() if collapses else None
        self._taken: list[bytes] = []  # lines that wait for a flush
        self._size = 0  # of them, bytes
        if self._sarif is not None:
            self._take(self._sarif.begin())

    def _line_of(self, name: str) -> Callable[[Alert], bytes] | None:
        """Return what writes an alert as a line; None for text, which depends on who reads."""
        if self._sarif is not None:
            return self._sarif.result
        if name == "text":
            return None
        return falco if name == "json" else FORMATS.get(name)  # here no more is known, and it may wait for nobody

    def send(self, alert: Alert) -> None:
        """Take an alert to be written with the next flush, or count it as a repeat."""
        if self._line is not None:
            self._take(self._line(alert))
            return
        shown: Alert | None = alert
        if self._collapser is not None:
            due, shown = self._collapser.add(alert, self._clock())
            self._take_repeats(due)
        if shown is not None:
            write = text_with_evidence if self._terminal else text
            self._take_text(write(shown, colour=self._colour, short_time=self._terminal))

    def flush(self) -> None:
        """Write what was taken, in one call if the reader allows it."""
        if not self._taken:
            return
        if self.gone:
            self._lose(len(self._taken), "its reader has gone")
        else:
            self._write(memoryview(b"\n".join((*self._taken, b""))))
        self._taken.clear()
        self._size = 0

    def tick(self) -> None:
        """Write the counts of repeats that are due."""
        if self._collapser is not None:
            self._take_repeats(self._collapser.due(self._clock()))
        self.flush()

    def close(self) -> None:
        """Write the counts of repeats that were not written yet."""
        if self._collapser is not None:
            self._take_repeats(self._collapser.close(self._clock()))
        if self._sarif is not None:
            self._take(self._sarif.end())
        self.flush()

    def _take_repeats(self, lines: Iterable[Repeats]) -> None:
        for line in lines:
            self._take_text(repeats(line, colour=self._colour, short_time=self._terminal))

    def _take_text(self, line: str) -> None:
        self._take(line.encode(self._encoding, "backslashreplace"))

    def _take(self, line: bytes) -> None:
        self._taken.append(line)
        self._size += len(line)
        if self._size > MOST_TAKEN:
            self.flush()

    def _write(self, data: memoryview) -> None:
        begin = self._clock()
        self._take_turn(fcntl.LOCK_EX)
        try:
            while data:
                data = data[self._write_some(data) :]
        except OSError as error:
            self.gone = error.errno in _GONE
            reason = "its reader has gone" if self.gone else os.strerror(error.errno or 0)
            self._lose(self._unwritten(len(data)), reason)
        finally:
            self._take_turn(fcntl.LOCK_UN)
        if self._clock() - begin > SLOW:
            self._counters.slow_writes += 1

    def _take_turn(self, how: int) -> None:
        """Keep others of the run from writing, or let them: a lock of POSIX is a process's own, also on a pipe."""
        if self._shared:
            with contextlib.suppress(OSError):  # not everywhere there are locks; then lines may mix
                fcntl.lockf(self._descriptor, how)

    def _unwritten(self, size: int) -> int:
        """Return how many of the alerts that were taken are among the last bytes, wholly or in part."""
        number = 0
        for line in reversed(self._taken):
            if size <= 0:
                break
            size -= len(line) + 1
            number += 1
        return number

    def _lose(self, number: int, reason: str) -> None:
        self._counters.lose_alert(f"standard output: {reason}", number)

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # whoever started us made it non-blocking
            select.select([], [self._descriptor], [])
            return 0


def is_terminal(descriptor: int) -> bool:
    """Whether people look at a descriptor; False for a closed one."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def has_colours(descriptor: int) -> bool:
    """Whether to colour: on a terminal that can, unless ``NO_COLOR`` is set (no-color.org)."""
    return is_terminal(descriptor) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def stdout(settings: Settings, counters: Counters) -> StandardOutput:
    """Alerts on standard output, as text or JSON."""
    shared = is_set(settings.kubernetes.audit) and not settings.run.sources
    return StandardOutput(settings.output, counters, shared=shared or len(settings.run.sources) > 1)
