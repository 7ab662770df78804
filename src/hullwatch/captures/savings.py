"""The captures that the flight recorder is writing: which alert gets which, and what is told of those that get none."""

from __future__ import annotations

import contextlib
import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.saving import Saving
from hullwatch.captures.writer import WriteError
from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.ring import Ring, Slice
    from hullwatch.captures.writer import CaptureWriter
    from hullwatch.config.settings import FlightRecorderSettings
    from hullwatch.counters import Counters
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.assembler import Assembler

MOST_AT_ONCE = 16  # captures
NOTICE_INTERVAL = 60.0  # seconds between two notices of the same kind
ENDS_KEPT = 4096  # containers
PATIENCE = 2.0  # seconds behind its end that a capture waits for the last records
REFUSAL_TIME = 1.0  # seconds after one in which no other file is asked for
_SHORT_ID = 12
_ID = re.compile("[0-9a-f]{12}")
_LONGEST_NAME = 200  # characters of a rule's or a container's name in a file's head

NOT_SAVED, CUT_SHORT = "Capture not saved", "Capture cut short"


class Telling(NamedTuple):
    """A notice about a capture."""

    rule: str
    message: str
    fields: dict[str, object]


class Savings:
    """Writes captures.

    Args:
        settings: of the recorder.
        open_file: makes the file for a container, by the first 12 digits of its id as a number (0 for the host);
            returns its path, a descriptor, and how many older files were removed for it.
        assembler: of the run.
        counters: of the run.
        make_writer: returns a writer, given a descriptor, why the file is made, and what was known at its beginning.
    """

    def __init__(
        self,
        settings: FlightRecorderSettings,
        open_file: Callable[[int], tuple[str, int, int]],
        assembler: Assembler,
        counters: Counters,
        make_writer: Callable[[int, str, bytes], CaptureWriter],
    ) -> None:
        """Begin with none."""
        self._settings = settings
        self._open_file = open_file
        self._assembler = assembler
        self._counters = counters
        self._make_writer = make_writer
        self._open: list[Saving] = []
        self._refusal = ""
        self._refused = 0.0
        self._ends: OrderedDict[str, float] = OrderedDict()  # until when the last capture of a container reaches
        self._telling: dict[str, Telling] = {}
        self._untold: dict[str, int] = {}
        self._told: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many are being written."""
        return len(self._open)

    @property
    def has_fresh(self) -> bool:
        """Whether one does not know yet where it begins."""
        return any(not saving.begun for saving in self._open)

    @property
    def has_work(self) -> bool:
        """Whether something can be written."""
        return any(saving.has_work for saving in self._open)

    def take(self, match: Match, now: float) -> str:
        """Return the path of the capture that a match is saved in, one that is being written or a new one.

        Empty when it cannot be saved, which a notice tells.
        """
        rule, settings = match.rule, self._settings
        after = rule.capture_duration / 1000 if rule.capture_duration else settings.after
        container = match.event.container
        for saving in self._open:
            if container.full_id in saving.containers and not saving.ended:
                saving.go_on(now + after, now + settings.longest)
                return saving.path
        try:
            path, descriptor, removed = self._make(container.full_id, now)
        except CannotError as error:
            self._fail(NOT_SAVED, f'The capture for the alert "{rule.name}" is not saved: {error}', alert=rule.name)
            return ""
        self._counters.captures_saved += 1
        self._counters.captures_removed += removed
        why = f"{rule.name[:_LONGEST_NAME]} | {container.name[:_LONGEST_NAME] or container.id}"
        saving = Saving(path, descriptor, container.full_id, match.event.process, why)
        saving.go_on(now + after, now + settings.longest)
        self._open.append(saving)
        return saving.path

    def _make(self, container: str, now: float) -> tuple[str, int, int]:
        """Make a file for a container; after a refusal others are not asked for at once.

        Raises:
            CannotError: when there is none.
        """
        if len(self._open) >= MOST_AT_ONCE:
            raise CannotError(f"{MOST_AT_ONCE} captures are being written, and more are not at a time.")
        if self._refusal and now - self._refused < REFUSAL_TIME:
            raise CannotError(self._refusal)
        try:
            return self._open_file(int(container[:_SHORT_ID], 16) if _ID.match(container) else 0)
        except CannotError as error:
            self._refusal, self._refused = str(error), now
            raise

    def add(self, piece: Slice) -> None:
        """Take the next slice of the stream."""
        begun = [saving for saving in self._open if saving.begun]  # the others take the slice from the ring
        processes = self._assembler.tree.processes if begun else []
        for saving in begun:
            saving.add(piece._replace(parts=dict(piece.parts)), self._assembler.gate, processes)

    def begin(self, ring: Ring, now: float) -> None:
        """Begin the captures that were asked for, with what the ring has."""
        for saving in [one for one in self._open if not one.begun]:
            before = max(now - self._settings.before, self._ends.get(saving.container, float("-inf")))
            begin = ring.begin(saving.container, before)
            self._counters.captures_short += begin.short
            try:
                saving.begin(begin.state, begin.slices, self._assembler, self._make_writer)
            except WriteError as error:
                self._give_up(saving, NOT_SAVED, f"The capture {saving.path} is not saved: {error}")

    def write(self, seconds: float) -> None:
        """Write for a while."""
        end = time.monotonic() + seconds
        while self.has_work and time.monotonic() < end:
            for saving in [one for one in self._open if one.has_work]:
                self._write(saving)

    def _write(self, saving: Saving) -> None:
        most = self._settings.file_size
        try:
            if saving.step():
                self._close(saving)
            elif saving.written > most:
                why = f"it has more than {most:,} bytes (flight_recorder.file_size)"
                self._give_up(saving, CUT_SHORT, f"The capture {saving.path} ends before its time: {why}.")
        except WriteError as error:
            self._give_up(saving, CUT_SHORT, f"The capture {saving.path} ends before its time: {error}")

    def tick(self, now: float) -> None:
        """Write what has waited for the disk long enough, and end those whose time is over though nothing comes."""
        for saving in list(self._open):
            if saving.begun and now > saving.until + PATIENCE:
                saving.end()
            try:
                saving.tick()
            except WriteError as error:
                self._give_up(saving, CUT_SHORT, f"The capture {saving.path} ends before its time: {error}")

    def close(self, seconds: float) -> None:
        """Write what has come, and close all files; what is not written in time is told."""
        for saving in self._open:
            saving.end()
        self.write(seconds)
        for saving in list(self._open):
            why = "Hullwatch ends, and writing the rest would take too long"
            self._give_up(saving, CUT_SHORT, f"The capture {saving.path} ends before its time: {why}.")

    def _close(self, saving: Saving) -> None:
        self._open.remove(saving)
        for container in saving.containers:
            self._ends[container] = saving.until
            self._ends.move_to_end(container)
        while len(self._ends) > ENDS_KEPT:
            self._ends.popitem(last=False)

    def _give_up(self, saving: Saving, rule: str, message: str) -> None:
        self._open.remove(saving)
        with contextlib.suppress(WriteError):  # that it ends is told anyway
            saving.close()
        self._fail(rule, message, capture=saving.path)

    def _fail(self, rule: str, message: str, **fields: object) -> None:
        if rule == NOT_SAVED:
            self._counters.captures_not_saved += 1
        else:
            self._counters.captures_cut_short += 1
        self._untold[rule] = self._untold.get(rule, 0) + 1
        self._telling[rule] = Telling(rule, message, fields)

    def take_notices(self, now: float) -> list[Telling]:
        """Return what is to be told by now: of each kind once a minute, with how many there were since."""
        due = [
            one for rule, one in self._telling.items() if now - self._told.get(rule, float("-inf")) >= NOTICE_INTERVAL
        ]
        found: list[Telling] = []
        for rule, message, fields in due:
            others = self._untold.pop(rule) - 1
            del self._telling[rule]
            self._told[rule] = now
            more = f" It was the last of {others + 1:,} since this was told last." if others else ""
            found.append(Telling(rule, message + more, fields | {"captures": others + 1}))
        return found
