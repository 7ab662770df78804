"""From documents to alerts: unwrapped, each event once, judged; with a ticket to know when the alerts are kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from hullwatch.sources.container_logs.line import LogLine
from hullwatch.sources.k8s_audit.counts import (
    CONTAINER_LOG,
    NO_EVENT,
    NOT_JSON,
    TOO_DEEP,
    TOO_LARGE,
    TWICE,
    IntakeCounts,
)
from hullwatch.sources.k8s_audit.recent import Recent
from hullwatch.sources.k8s_audit.shapes import text
from hullwatch.sources.k8s_audit.unwrapping import unwrap_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.sources.k8s_audit.inputs import Input

AlertT = TypeVar("AlertT")
Judge = Callable[[dict[str, object]], Sequence[AlertT]]
"""Returns the alerts of an event."""
Lines = Callable[[list[LogLine]], Awaitable[int]]
"""Judges lines of containers' logs, and returns the number of the last alert so far."""
AT_ONCE = 200  # events or lines, until others get their turn
_NONE_AT_ALL = (NOT_JSON, NO_EVENT, TOO_DEEP, TOO_LARGE, CONTAINER_LOG)


class Taken(NamedTuple):
    """What came of some documents.

    Attributes:
        events: how many events and lines of logs there were, with those that came before.
        ticket: the number of the last alert that was handed over; those of the events are kept when it is.
        unusable: why there was none, where nothing in the documents was anything; empty else.
        time: when it was, ns since the epoch.
    """

    events: int
    ticket: int
    unusable: str
    time: int


class Pipeline(Generic[AlertT]):
    """Takes documents of all inputs.

    Attributes:
        counts: the numbers of what comes from no input that is known.

    Args:
        judge: returns the alerts of an event.
        hand_over: takes the alerts of an event, with the event, and returns the number of the last alert so far.
        look: sees each event that is judged.
        remember: how many events are known again.
        settle: writes what was found in events, before anybody is told that they are taken: they come never again.
    """

    def __init__(
        self,
        judge: Judge[AlertT],
        hand_over: Callable[[Sequence[AlertT], dict[str, object]], int],
        look: Callable[[dict[str, object]], None] | None = None,
        remember: int = 100_000,
        settle: Callable[[], None] | None = None,
    ) -> None:
        """Be ready to take."""
        self.counts = IntakeCounts()
        self._judge = judge
        self._hand_over = hand_over
        self._look = look
        self._settle = settle
        self._recent = Recent(remember)

    async def take(
        self, documents: Iterable[bytes], source: Input | None = None, judge_lines: Lines | None = None
    ) -> Taken:
        """Judge the events of some documents; others get their turn in between.

        Args:
            documents: of any shape.
            source: the input that they came from, which counts them; None: ``counts`` does.
            judge_lines: takes what is no event, but a line of a container's log; None: it is left out.
        """
        counts = IntakeCounts()
        try:
            return await self._take_all(documents, source, judge_lines, counts)
        finally:
            (self.counts if source is None else source.counts).add(counts)

    async def _take_all(
        self, documents: Iterable[bytes], source: Input | None, judge_lines: Lines | None, counts: IntakeCounts
    ) -> Taken:
        number, events, ticket, event = 0, 0, self._hand_over((), {}), dict[str, object]()
        lines: list[LogLine] = []
        for number, found in enumerate(unwrap_all(documents, counts), start=1):
            if not isinstance(found, LogLine):
                event = found[0]
                ticket = self._take(event, ticket, counts)
                events += 1
            elif judge_lines is None:
                counts.leave_out(CONTAINER_LOG)
            else:
                lines.append(found)
            if number % AT_ONCE == 0:
                if lines and judge_lines is not None:
                    ticket, lines = max(ticket, await judge_lines(lines)), []
                await asyncio.sleep(0)
        if lines and judge_lines is not None:
            ticket = max(ticket, await judge_lines(lines))
        if events and source is not None:
            source.took(event.get("stageTimestamp"))
        if events and self._settle is not None:
            self._settle()
        usable = events if judge_lines is None else number
        reasons = [reason for reason in _NONE_AT_ALL if reason in counts.left_out]
        # What came before may wait for its first time's alerts: so the ticket is the newest, whoever made it.
        return Taken(usable, max(ticket, self._hand_over((), {})), reasons[0] if reasons else "", time.time_ns())

    def _take(self, event: dict[str, object], ticket: int, counts: IntakeCounts) -> int:
        late = self._recent.late
        if self._recent.came(text(event.get("auditID")), text(event.get("stage")), text(event.get("stageTimestamp"))):
            counts.leave_out(TWICE)
            return ticket
        counts.out_of_order += self._recent.late - late
        try:
            alerts = self._judge(event)
        except Exception as error:  # noqa: BLE001 - whatever an event provokes: it is counted, and the next one is judged
            counts.leave_out(f"could not be judged: {type(error).__name__}")
            return ticket
        if self._look is not None:
            self._look(event)
        return self._hand_over(alerts, event) if alerts else ticket
