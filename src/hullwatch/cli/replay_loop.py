"""Recorded events through the rules to the outputs: the loop behind ``hullwatch replay``."""

from __future__ import annotations

import os
import stat
import sys
import time
from typing import TYPE_CHECKING, BinaryIO

from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.errors import UsageError
from hullwatch.formats.summary import summary
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.stdout import has_colours, is_terminal, say, say_lines
from hullwatch.rules.value_events import ValueEvents, WrongValueError
from hullwatch.sources.field_values import read_lines

if TYPE_CHECKING:
    from hullwatch.app import Deliver
    from hullwatch.config.settings import Settings
    from hullwatch.rules.loader import RuleSet
    from hullwatch.sources.field_values import Line

MOST_SENTENCES = 20  # about single lines; the others are only counted
LINES_BETWEEN = 1000  # looks at the clock
SHOWN_EVERY = 0.5  # seconds
_ERASE = "\r\x1b[K"


class Replay:
    """One replay.

    Attributes:
        counters: of the replay; lines that are left out are drops.
    """

    def __init__(self, settings: Settings, rules: RuleSet, deliver: Deliver = Delivery) -> None:
        """Take rules that were loaded with the lookup ``from_values``."""
        self.counters = Counters()
        self._engine = Engine(rules, self.counters, every=settings.rules.match == "all", decide_once=False)
        self._delivery = deliver(settings, self.counters)
        self._events = ValueEvents()
        self._wrong = 0

    def run(self, stream: BinaryIO, name: str) -> int:
        """Judge all lines, tell what they did, and return the exit code.

        Raises:
            UsageError: when the input cannot be read to its end, or no line of it is an event; the summary was
                printed.
        """
        progress = Progress(stream)
        try:
            for line in read_lines(stream, name):
                self._judge(line, name, progress)
                if line.number % LINES_BETWEEN == 0:
                    progress.show(line.number)
                    self._delivery.tick()
                if self._delivery.gone:
                    break
        finally:
            progress.clear()
            self._finish(name)
        if self._wrong and not self.counters.events:
            raise UsageError(f"No line of {name} is an event: write them as in 'hullwatch replay --help'.")
        return 1 if self._delivery.failed else 0

    def _judge(self, line: Line, name: str, progress: Progress) -> None:
        mistake = line.mistake
        if not mistake:
            try:
                event = self._events.make(line.values)
            except WrongValueError as error:
                mistake = str(error)
            else:
                counted = self.counters.events
                counted[event.type.name] = counted.get(event.type.name, 0) + 1
                for match in self._engine.matches(event):
                    progress.clear()
                    self._delivery.match(match)
                return
        self.counters.drop("*", "wrong_line")
        self._wrong += 1
        if self._wrong <= MOST_SENTENCES:
            progress.clear()
            say(f"{name}, line {line.number}, is left out: {mistake}.")

    def _finish(self, name: str) -> None:
        self._delivery.close()
        if self._wrong > MOST_SENTENCES:
            say(f"{self._wrong - MOST_SENTENCES} more lines of {name} were left out.")
        for unknown, near in self._events.unknown.items():
            say(f"Warning: {name} has values of {unknown[:80]!r}, and there is no such field{near}.")
        say_lines(summary(self.counters, colour=has_colours(2), did="Judged in"))


class Progress:
    """How far it is, on a line of a terminal that is written over; nothing where standard error is no terminal."""

    def __init__(self, stream: BinaryIO, what: str = "lines") -> None:
        """Look at how large the input is; ``what`` is counted."""
        self._stream = stream
        self._what = what
        self._shown = False
        self._wanted = is_terminal(2)
        self._next = time.monotonic() + SHOWN_EVERY
        try:
            status = os.fstat(stream.fileno())
            self._size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        except OSError:
            self._size = 0

    def show(self, number: int) -> None:
        """Write how many there were, when it is time."""
        if not self._wanted or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SHOWN_EVERY
        self._shown = True
        share = f", {min(100, 100 * self._stream.tell() // self._size)} %" if self._size else ""
        sys.stderr.write(f"{_ERASE}{number:,} {self._what}{share}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away, so that something else can be written."""
        if self._shown:
            self._shown = False
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
