"""A capture of whichever kind that several sets of rules judge in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hullwatch.captures.judge import Judge, judge_together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hullwatch.captures.reader import CaptureReader
    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet


class Judged(Protocol):
    """A capture with the rules that judge it; it is read once.

    Attributes:
        may_wait: whether an event may be judged by one side in a later part than by another.
    """

    may_wait: bool

    @property
    def name(self) -> str:
        """Of the file."""
        ...

    @property
    def events(self) -> int:
        """How many were read so far; exact when all is read."""
        ...

    @property
    def problem(self) -> str:
        """What is wrong with the file's end, as a sentence; empty while nothing is."""
        ...

    @property
    def damaged(self) -> bool:
        """Whether that is more than an end that is missing."""
        ...

    def matches(self) -> Iterator[Sequence[Iterable[Match]]]:
        """Yield the matches, part by part: one iterable for each set of rules, to be used up before the next part.

        Raises:
            UsageError: when the file contradicts itself, or cannot be read.
        """
        ...


class JudgedCapture:
    """A ``.hwcap`` file; see ``Judged``."""

    may_wait = True  # for the metadata of its container

    def __init__(
        self, reader: CaptureReader, rules: Iterable[RuleSet], hold_events: int, *, every: bool = False
    ) -> None:
        """Begin with nothing judged.

        Args:
            reader: of the file.
            rules: of each side.
            hold_events: how many events may wait for the metadata of their container.
            every: every rule that matches an event alerts, not only the first.
        """
        self._reader = reader
        self._judges = [Judge(one, hold_events, every=every) for one in rules]

    @property
    def name(self) -> str:
        """Of the file."""
        return self._reader.name

    @property
    def events(self) -> int:
        """How many were judged so far."""
        return self._judges[-1].counters.events_total

    @property
    def problem(self) -> str:
        """As the reader says."""
        return self._reader.problem

    @property
    def damaged(self) -> bool:
        """As the reader says."""
        return self._reader.damaged

    def matches(self) -> Iterator[Sequence[Iterable[Match]]]:
        """Yield the matches, chunk by chunk."""
        return judge_together(self._reader, self.name, self._judges)
