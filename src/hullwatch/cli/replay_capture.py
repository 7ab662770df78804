"""Captures through the pipeline to the outputs: the loop behind ``hullwatch replay FILE.hwcap``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.cut import ANSWERS
from hullwatch.captures.passing import wanted_chunks
from hullwatch.captures.reader import CaptureReader
from hullwatch.captures.settled import settled
from hullwatch.cli.replay_loop import Progress
from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.enrich import saved_state
from hullwatch.errors import UsageError
from hullwatch.events.codec import BrokenStreamError, encode
from hullwatch.formats.summary import summary
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.stdout import has_colours, say, say_lines

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
        self._stream = Stream(rules, counters, lambda _: None, settings.hold.events, every=every)
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
                self._judge(reader, progress)
        finally:
            progress.clear()
        if reader.damaged:
            raise UsageError(reader.problem)
        if reader.problem:
            say(f"Warning: {reader.problem}")

    def _judge(self, reader: CaptureReader, progress: Progress) -> None:
        begun = False
        started = 0.0
        first = 0
        for chunk, jumped in self._chunks(reader):
            if chunk.head.kind != RECORDS:
                if not begun or jumped or chunk.head.anew:
                    self._restore(chunk, reader.name)
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
        return wanted_chunks(reader, begin, self._passes, lambda: not self._stream.assembler.gate.waiting())

    def _is_over(self, chunk: Chunk) -> bool:
        """Whether nothing comes any more that was asked for; what waits for a container's metadata may be."""
        after = chunk.head.first - self._part.end if self._part.end else 0
        return after > 0 and (after > ANSWERS or not self._stream.assembler.gate.waiting())

    def _wait(self, until: float) -> None:
        """Wait for a time of the monotonic clock; nothing comes meanwhile that an event could tell of."""
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
            self._taker.tick()

    def _feed(self, chunk: Chunk, name: str) -> None:
        try:
            self._taker.matches(self._wanted(self._stream.feed(chunk.data)))
            for notice in self._stream.assembler.take_notices():
                if self._is_wanted(notice.time):
                    self._taker.notice(notice)
        except BrokenStreamError as error:
            raise UsageError(f"The capture {name} is damaged: {error}.") from error

    def _end_waiting(self) -> None:
        """Judge what still waits for a container's metadata, as at the end of a watch: none will come."""
        for full_id in self._stream.assembler.gate.overdue(0, -sys.maxsize):
            record = encode("container_timeout", {"time": 0}, id=full_id, reason="the capture ends")
            self._taker.matches(self._wanted(self._stream.feed(record)))

    def _wanted(self, matches: Iterator[Match]) -> Iterator[Match]:
        """Leave out what happened before the part that was asked for, and behind it."""
        return (match for match in matches if self._is_wanted(match.event.time))

    def _is_wanted(self, time_of: int) -> bool:
        return self._part.begin <= time_of <= (self._part.end or time_of)

    def _restore(self, chunk: Chunk, name: str) -> None:
        self._end_waiting()
        assembler = self._stream.assembler
        number = assembler.number
        try:
            assembler.restore(saved_state.decode(chunk.data))
        except ValueError as error:
            raise UsageError(f"The capture {name} is damaged: {error}.") from error
        assembler.number = max(assembler.number, number)  # none is given twice
