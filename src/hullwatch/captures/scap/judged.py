"""A .scap file that several sets of rules judge in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.captures.scap.calls import CALL_NUMBERS
from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.remembered import Remembered
from hullwatch.captures.scap.table import KINDS
from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet

SCAP_NAMES = frozenset({kind.name for kind in KINDS.values()} | set(CALL_NUMBERS.values()))
"""What ``evt.type`` can be."""
EVENTS_TOGETHER = 1000  # between looks at how many there were


class JudgedScap:
    """See ``captures.judged.Judged``.

    Attributes:
        name: of the file.
        events: how many rules could have seen so far, of those that were read.
    """

    may_wait = False

    def __init__(self, stream: BinaryIO, name: str, rules: Sequence[RuleSet], *, every: bool = False) -> None:
        """Begin with nothing judged.

        Args:
            stream: of the file.
            name: of the file, for the sentences.
            rules: of each side, which were loaded with the lookup ``from_scap``.
            every: every rule that matches an event alerts, not only the first.
        """
        self.name = name
        self.events = 0
        self._capture = ScapCapture(stream, name)
        self._engines = [Engine(one, Counters(), every=every, decide_once=False) for one in rules]
        self._remembered = Remembered(*rules)

    @property
    def problem(self) -> str:
        """As the reader of its blocks says."""
        return self._capture.reader.problem

    @property
    def damaged(self) -> bool:
        """As the reader of its blocks says."""
        return self._capture.reader.damaged

    def matches(self) -> Iterator[Sequence[Iterable[Match]]]:
        """Yield the matches event by event: what is known around an event is true until the next one is read."""
        wanted = frozenset[str]().union(*(engine.names_wanted(SCAP_NAMES) for engine in self._engines))
        for number, event in enumerate(self._capture.judged(wanted, self._remembered), 1):
            found = [engine.matches(event) for engine in self._engines]
            is_time = number % EVENTS_TOGETHER == 0
            if is_time:
                self._count()
            if not any(found):
                self._remembered.learn(event)
            if is_time or any(found):
                yield found
        self._count()

    def _count(self) -> None:
        self.events = sum(self._capture.counts().values())
