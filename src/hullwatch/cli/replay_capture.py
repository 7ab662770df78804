"""Captures through the pipeline to the outputs: the loop behind ``hullwatch replay FILE.hwcap``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.cut import ANSWERS
from hullwatch.captures.judge import Judge, restore, told
from hullwatch.captures.passing import wanted_chunks
from hullwatch.captures.reader import CaptureReader
from hullwatch.captures.settled import settled
from hullwatch.cli.replay_loop import Progress
from hullwatch.counters import Counters
from hullwatch.errors import UsageError
from hullwatch.formats.summary import summary
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.standard_error import say, say_lines
from hullwatch.outputs.stdout import has_colours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.app import Deliver
    from hullwatch.captures.passing import Passes
    from hullwatch.captures.reader import Chunk
    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match
    from hullwatch.enrich.notice import Notice
    from hullwatch.rules.loader import RuleSet

_SECOND = 1_000_000_000


class Part(NamedTuple):
    """Which part of a capture is judged: ns since the epoch, 0 for its beginning and its end; and how fast.

    ``speed`` is 1.0 for the time that it took, 0.0 for as fast as possible.
    """

    begin: int = 0
    end: int = 0
    speed: float = 0.0


class Taker(Protocol):
    """Where matches go: ``Delivery``, or what prints events."""

    @property
    def gone(self) -> bool:
        """Whether nobody wants any more."""
        ...

    def matches(self, matches: Iterable[Match]) -> None:
        """Take all matches of a chunk."""
        ...

    def notice(self, notice: Notice) -> None:
        """Take what the stream says of Hullwatch itself."""
        ...

    def tick(self) -> None:
        """Do what is due between chunks."""
        ...


def replay_capture(
    settings: Settings, rules: RuleSet, part: Part, stream: BinaryIO, name: str, deliver: Deliver = Delivery
) -> int:
    """Judge a capture, tell what came of it, and return the exit code.

    Raises:
        UsageError: when the file is no capture; or it is damaged, after all before that was judged.
    """
    reader = CaptureReader(stream, name)
    counters = Counters()
    delivery = deliver(settings, counters)
    try:
        CaptureReplay(settings, rules, part, delivery, counters).run(reader)
    finally:
        delivery.close()
        say_lines(summary(counters, colour=has_colours(2), did="Judged in"))
    return 1 if delivery.failed else 0


class CaptureReplay:
    """One replay of one capture."""

    def __init__(
        self,
        settings: Settings,
        rules: RuleSet,
        part: Part,
        taker: Taker,
        counters: Counters,
        passes: Passes | None = None,
    ) -> None:
        """Wire the stages.

        Args:
            settings: of the replay.
            rules: that judge.
            part: of the capture.
            taker: of the matches.
            counters: of the replay; what is passed over is not counted.
            passes: tells which chunks can be passed over; None: none.
        """
        self._passes = passes
        self._counters = counters
        every = settings.rules.match == "all"
        self._judge = Judge(rules, settings.hold.events, every=every, counters=counters)
        self._assembler = self._judge.stream.assembler
        self._taker = taker
        self._part = part

    def run(self, reader: CaptureReader) -> None:
        """Judge the capture.

        Raises:
            UsageError: when it is damaged, after all before that was judged.
        """
        progress = Progress(reader.stream, "events")
        try:
            with settled():
                self._judge_chunks(reader, progress)
        finally:
            progress.clear()
        if reader.damaged:
            raise UsageError(reader.problem)
        if reader.problem:
            say(f"Warning: {reader.problem}")

    def _judge_chunks(self, reader: CaptureReader, progress: Progress) -> None:
        begun = False
        started = 0.0
        first = 0
        for chunk, jumped in self._chunks(reader):
            if chunk.head.kind != RECORDS:
                if not begun or jumped or chunk.head.anew:
                    self._restore(chunk, reader.name, begun=begun)
            elif self._is_over(chunk):
                break
            else:
                if self._part.speed and chunk.head.first >= self._part.begin:
                    started, first = started or time.monotonic(), first or chunk.head.first
                    self._wait(started + (chunk.head.first - first) / _SECOND / self._part.speed)
                progress.clear()
                self._feed(chunk, reader.name)
                progress.show(self._counters.events_total)
                self._taker.tick()
            begun = True
            if self._taker.gone:
                return
        self._end_waiting()

    def _chunks(self, reader: CaptureReader) -> Iterator[tuple[Chunk, bool]]:
        """Yield the chunks, and before which of them some were passed over in which nothing is that was asked for."""
        begin = reader.position_before(self._part.begin)
        if self._passes is None:
            return ((chunk, False) for chunk in reader.chunks(begin))
        return wanted_chunks(reader, begin, self._passes, lambda: not self._assembler.gate.waiting())

    def _is_over(self, chunk: Chunk) -> bool:
        """Whether nothing comes any more that was asked for; what waits for a container's metadata may be."""
        after = chunk.head.first - self._part.end if self._part.end else 0
        return after > 0 and (after > ANSWERS or not self._assembler.gate.waiting())

    def _wait(self, until: float) -> None:
        """Wait for a time of the monotonic clock; nothing comes meanwhile that an event could tell of."""
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
            self._taker.tick()

    def _feed(self, chunk: Chunk, name: str) -> None:
        self._taker.matches(self._wanted(told(self._judge.stream.feed(chunk.data), name)))
        for notice in self._assembler.take_notices():
            if self._is_wanted(notice.time):
                self._taker.notice(notice)

    def _end_waiting(self) -> None:
        """Judge what still waits for a container's metadata."""
        self._taker.matches(self._wanted(self._judge.finish()))

    def _wanted(self, matches: Iterator[Match]) -> Iterator[Match]:
        """Leave out what happened before the part that was asked for, and behind it."""
        return (match for match in matches if self._is_wanted(match.event.time))

    def _is_wanted(self, time_of: int) -> bool:
        return self._part.begin <= time_of <= (self._part.end or time_of)

    def _restore(self, chunk: Chunk, name: str, *, begun: bool) -> None:
        self._end_waiting()
        number = self._assembler.number
        restore(chunk, name, [self._judge])
        passed = 0 if self._passes is None else self._passes.take_passed()
        if passed and begun:
            self._assembler.number = number + passed  # as if they had been read
        else:
            self._assembler.number = max(self._assembler.number, number)  # none is given twice
