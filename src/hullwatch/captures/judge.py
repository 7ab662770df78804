"""Judging a capture by several sets of rules at once: it is read and unpacked once for all of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hullwatch.captures.chunk import RECORDS
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.enrich import saved_state
from hullwatch.errors import UsageError
from hullwatch.events.codec import BrokenStreamError, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hullwatch.captures.reader import CaptureReader, Chunk
    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet


class Judge:
    """Judges the chunks of one capture by one set of rules.

    Attributes:
        counters: of what was judged.
        stream: that judges.
    """

    def __init__(
        self, rules: RuleSet, hold_events: int, *, every: bool = False, counters: Counters | None = None
    ) -> None:
        """Start with nothing known.

        Args:
            rules: that judge.
            hold_events: how many events may wait for the metadata of their container.
            every: give every rule that matches an event, not only the first.
            counters: where it is counted; others when None.
        """
        self.counters = counters or Counters()
        self.stream = Stream(rules, self.counters, lambda _: None, hold_events, every=every)

    def restore(self, state: bytes) -> None:
        """Know what a chunk of state holds.

        Raises:
            ValueError: when it is none.
        """
        self.stream.assembler.restore(saved_state.decode(state))

    def feed(self, records: bytes) -> Iterator[Match]:
        """Yield the matches of records.

        Raises:
            BrokenStreamError: when these are no records.
        """
        yield from self.stream.feed(records)
        self.stream.assembler.take_notices()

    def finish(self) -> Iterator[Match]:
        """Yield the matches of what waits for a container's metadata, as at the end of a watch: none will come."""
        for full_id in self.stream.assembler.gate.overdue(0, -sys.maxsize):
            yield from self.stream.feed(encode("container_timeout", {"time": 0}, id=full_id, reason="the capture ends"))


def judge_together(
    reader: CaptureReader, name: str, judges: Sequence[Judge], position: int = 0
) -> Iterator[list[Iterable[Match]]]:
    """Yield the matches of each chunk of a capture, and of its end: one iterable for each judge, to be used up.

    Args:
        reader: of the capture; afterwards its ``problem`` tells whether it was read to the end.
        name: of the file, for the sentences.
        judges: that have judged nothing yet.
        position: of the first chunk, one of state; 0 for the beginning.

    Raises:
        UsageError: when a chunk that is whole contradicts itself.
    """
    begun = False
    for chunk in reader.chunks(position):
        if chunk.head.kind == RECORDS:
            yield [told(judge.feed(chunk.data), name) for judge in judges]
        elif not begun or chunk.head.anew:
            restore(chunk, name, judges)
        begun = True
    yield [told(judge.finish(), name) for judge in judges]


def told(matches: Iterator[Match], name: str) -> Iterator[Match]:
    """Yield matches of a capture.

    Raises:
        UsageError: when it contradicts itself.
    """
    try:
        yield from matches
    except BrokenStreamError as error:
        raise UsageError(f"The capture {name} is damaged: {error}.") from error


def restore(chunk: Chunk, name: str, judges: Sequence[Judge]) -> None:
    """Have judges know what a chunk of state of a capture holds.

    Raises:
        UsageError: when it contradicts itself.
    """
    try:
        for judge in judges:
            judge.restore(chunk.data)
    except ValueError as error:
        raise UsageError(f"The capture {name} is damaged: {error}.") from error
