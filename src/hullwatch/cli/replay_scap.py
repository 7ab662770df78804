"""Captures of sysdig, Falco and Stratoshark through the rules to the outputs: the loop behind ``replay FILE.scap``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.judged import EVENTS_TOGETHER, SCAP_NAMES
from hullwatch.captures.scap.remembered import Remembered
from hullwatch.captures.settled import settled
from hullwatch.cli.replay_loop import Progress
from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.errors import UsageError
from hullwatch.formats.summary import summary
from hullwatch.outputs.delivery import Delivery
from hullwatch.outputs.stdout import has_colours, say, say_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.app import Deliver
    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.cli.replay_capture import Part, Taker
    from hullwatch.config.settings import Settings
    from hullwatch.detect.engine import Match
    from hullwatch.rules.loader import RuleSet

_SECOND = 1_000_000_000
_WORTH_WAITING = 0.02  # seconds


def replay_scap(
    settings: Settings, rules: RuleSet, part: Part, stream: BinaryIO, name: str, deliver: Deliver = Delivery
) -> int:
    """Judge a capture, tell what came of it, and return the exit code.

    Args:
        settings: of the run.
        rules: that were loaded with the lookup ``from_scap``.
        part: that is asked for.
        stream: of the file.
        name: of the file.
        deliver: makes what takes the matches.

    Raises:
        UsageError: when the file is no capture; or it is damaged, after all before that was judged.
    """
    counters = Counters()
    delivery = deliver(settings, counters)
    try:
        ScapReplay(settings, rules, part, delivery, counters).run(stream, name)
    finally:
        delivery.close()
        say_lines(summary(counters, colour=has_colours(2), did="Judged in"))
    return 1 if delivery.failed else 0


class ScapReplay:
    """One replay of one capture.

    Args:
        settings: of the run.
        rules: that were loaded with the lookup ``from_scap``.
        part: that is asked for; what is before it is read all the same, for the state.
        taker: where matches go.
        counters: of the run.
        raw: judge also what rules do not see, as the beginnings of calls.
    """

    def __init__(
        self, settings: Settings, rules: RuleSet, part: Part, taker: Taker, counters: Counters, *, raw: bool = False
    ) -> None:
        """Wire the stages."""
        self._counters = counters
        self._engine = Engine(rules, counters, every=settings.rules.match == "all", decide_once=False)
        self._remembered = Remembered(rules)
        self._taker = taker
        self._part = part
        self._raw = raw
        self._started, self._first = 0.0, 0
        self._done = False

    def run(self, stream: BinaryIO, name: str) -> None:
        """Judge the capture.

        Raises:
            UsageError: when the file is no capture; or it is damaged, after all before that was judged.
        """
        capture = ScapCapture(stream, name)
        progress = Progress(stream, "events")
        events = capture.written()
        if not self._raw:
            events = capture.judged(self._engine.names_wanted(SCAP_NAMES), self._remembered)
        try:
            with settled():
                self._judge_all(capture, events, progress)
        finally:
            progress.clear()
        for reason, number in (("unknown_type", capture.unknown), ("unknown_block", capture.unknown_blocks)):
            if number:
                self._counters.drop("*", reason, number)
        if capture.reader.damaged:
            raise UsageError(capture.reader.problem)
        if capture.reader.problem:
            say(f"Warning: {capture.reader.problem}")

    def _judge_all(self, capture: ScapCapture, events: Iterator[ScapEvent], progress: Progress) -> None:
        while not self._taker.gone and not self._done:
            self._taker.matches(self._judge(events))
            self._count(capture)
            progress.show(self._counters.events_total)
            self._taker.tick()

    def _judge(self, events: Iterator[ScapEvent]) -> Iterator[Match]:
        """Yield the matches of the next events."""
        part = self._part
        for number, event in enumerate(events, 1):
            matches = self._engine.matches(event)
            if not matches:
                self._remembered.learn(event)
            elif part.begin <= event.time <= (part.end or event.time):
                yield from matches
            if part.speed and event.time >= part.begin:
                self._wait(event.time)
            if number == EVENTS_TOGETHER or self._taker.gone:
                return
        self._done = True

    def _count(self, capture: ScapCapture) -> None:
        counts = self._counters.events
        counts.clear()
        counts.update(capture.counts())

    def _wait(self, moment: int) -> None:
        """Wait until an event would have happened, had the first one happened when it was judged."""
        if not self._started:
            self._started, self._first = time.monotonic(), moment
        until = self._started + (moment - self._first) / _SECOND / self._part.speed
        while (left := until - time.monotonic()) > _WORTH_WAITING:
            time.sleep(min(left, 0.5))
            self._taker.tick()
