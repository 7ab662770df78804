"""A log file that is followed: through renames, copies that are cut, compression, and our own restarts."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from hullwatch.errors import CannotError
from hullwatch.sources.k8s_audit.counts import DAMAGED, TOO_LARGE, IntakeCounts
from hullwatch.sources.k8s_audit.log_opening import MOST_ROTATED
from hullwatch.sources.k8s_audit.log_place import Place
from hullwatch.sources.k8s_audit.opened_log import OpenedLog
from hullwatch.sources.unpacking import TooMuchError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_LINE = 32 << 20  # bytes
_MOST_LOOKS = 5  # for two that see the same
NOT_FOUND = "log file of before, not found again: what it got meanwhile"
Open = Callable[[int], int]
"""Returns a descriptor of the file (0) or of what it was renamed to (1 is the newest); raises CannotError."""
Read = tuple[list[bytes], Place]
"""Lines, and the place behind them; no lines for the place where a file is begun."""


class LogFile:
    """Yields the lines of a log, each once.

    Attributes:
        problem: why it cannot be read, a sentence; empty while it can, or is not there.

    Args:
        open_file: opens it.
        counts: gets what is left out.
        place: where to go on; None for a file of which nothing is known.
        from_end: whether such a file is begun at its end; one that is not there yet is new when it comes.
    """

    def __init__(self, open_file: Open, counts: IntakeCounts, place: Place | None, *, from_end: bool) -> None:
        """Open nothing yet."""
        self.problem = ""
        self._open_file = open_file
        self._counts = counts
        self._place = place
        self._from_end = from_end
        self._read_whole = False  # up to the place, there was nothing more
        self._live: OpenedLog | None = None  # what has the log's name, as far as we know
        self._rest = b""  # the beginning of a line
        self._skipping = False  # it is too long
        self._renamed = False  # another file had the name when we looked the last time

    def read(self) -> Iterator[Read]:
        """Yield what has come; ends when there is nothing more now."""
        if self._live is None:
            known = self._place is not None
            *older, self._live = self._sequence()
            if not known:
                # To be kept before anything is read: what comes while we are away is then known to be new.
                self._place = Place() if self._live is None else self._live.place(0)
                yield [], self._place
            for one in older:
                if one is not None:
                    yield from self._rest_of(one, ended=True)
                    one.close()
        if self._live is not None:
            yield from self._rest_of(self._live, ended=False)
            self._look_for_another(self._live)

    def close(self) -> None:
        """Close the file."""
        if self._live is not None:
            self._live.close()
            self._live = None

    def _sequence(self) -> list[OpenedLog | None]:
        """Open what is to be read, the oldest first; the last one has the log's name; None when that is not there."""
        if self._place is None:
            current = self._open(0)
            if current is not None and self._from_end:
                current.seek_end()
            return [current]
        current, newer, found = self._steady(self._place)
        if current is not None and found and not newer:
            return [current]
        if found or self._place == Place():  # there was no file yet, so that all of them are new
            return [*newer[::-1], current]
        for one in newer:
            one.close()
        if not self._read_whole:
            self._counts.leave_out(NOT_FOUND)
        return [current]

    def _steady(self, place: Place) -> tuple[OpenedLog | None, list[OpenedLog], bool]:
        """Return what there is since a place, as two looks in a row have seen it.

        While files are being renamed one after the other, a look can miss one of them, or see it twice.
        """
        before: list[tuple[int, int] | None] | None = None
        looks = 0
        while True:
            looks += 1
            current = self._open(0)
            if current is not None and current.go_to(place):
                return current, [], True
            newer, found = self._rotated_since(place)
            now = [None if one is None else one.identity for one in (current, *newer)]
            if now == before or looks == _MOST_LOOKS:
                return current, newer, found
            before = now
            for one in (current, *newer):
                if one is not None:
                    one.close()

    def _rotated_since(self, place: Place) -> tuple[list[OpenedLog], bool]:
        """Return what the log was renamed to since a place, the newest first, and whether the place is in there."""
        newer: list[OpenedLog] = []
        for number in range(1, MOST_ROTATED + 1):
            rotated = self._open(number)
            if rotated is None:
                break
            newer.append(rotated)
            if rotated.go_to(place):
                return newer, True
        return newer, False

    def _look_for_another(self, live: OpenedLog) -> None:
        """Let go of a file that was cut or renamed: the next look finds it again, and those that came since."""
        if live.was_cut():
            self._read_whole = False
        else:
            current = self._open(0)
            same = current is None or current.identity == live.identity
            if current is not None:
                current.close()
            if same:
                self._renamed = False
                return
            if not self._renamed:  # whoever writes may not know yet: one more look
                self._renamed = True
                return
            self._read_whole = True
        self._renamed, self._rest, self._skipping = False, b"", False
        self.close()

    def _open(self, number: int) -> OpenedLog | None:
        try:
            opened = OpenedLog(self._open_file(number))
        except (CannotError, OSError) as error:
            if number == 0:
                self.problem = str(error)
            return None
        if number == 0:
            self.problem = ""
        return opened

    # ---- lines

    def _rest_of(self, file: OpenedLog, *, ended: bool) -> Iterator[Read]:
        """Yield what a file has behind where it stands; ``ended``: nobody writes to it any more."""
        try:
            while data := file.read():
                if file.was_cut():  # so the data may be of what was written since, from its middle on
                    return
                lines = self._lines(data)
                self._place = file.place(len(self._rest))
                if lines:
                    yield lines, self._place
        except (OSError, EOFError, zlib.error, TooMuchError):
            self._counts.leave_out(DAMAGED)
        if ended:
            last, self._rest, self._skipping = self._rest, b"", False
            self._place = file.place(0)
            if last:
                yield [last], self._place

    def _lines(self, data: bytes) -> list[bytes]:
        *lines, rest = (self._rest + data).split(b"\n")
        if self._skipping and lines:
            del lines[0]
            self._skipping = False
        self._rest = b"" if self._skipping else rest
        if len(self._rest) > LONGEST_LINE:
            self._counts.leave_out(TOO_LARGE)
            self._rest, self._skipping = b"", True
        return [line for line in lines if line]
