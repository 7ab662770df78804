"""From documents to alerts: each event is judged once, what breaks is counted, and a ticket tells when it is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hullwatch.sources.k8s_audit.pipeline import AT_ONCE, Pipeline
from hullwatch.sources.k8s_audit.recent import Recent
from tests.sources.k8s_audit import wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence


class Kept:
    def __init__(self) -> None:
        self.alerts: list[str] = []

    def judge(self, event: dict[str, object]) -> list[str]:
        if event["verb"] == "break":
            raise RuntimeError
        return [str(event["auditID"])] if event["verb"] == "get" else []

    def hand_over(self, alerts: Sequence[str], _: dict[str, object]) -> int:
        self.alerts += alerts
        return len(self.alerts)


def lines(*events: wrapped.Event) -> list[bytes]:
    return [wrapped.text(one).encode() for one in events]


def test_an_event_that_breaks_a_rule_is_counted_and_the_others_are_judged() -> None:
    kept, seen = Kept(), list[str]()
    pipeline = Pipeline(kept.judge, kept.hand_over, lambda event: seen.append(str(event["verb"])))
    events = [wrapped.event(number, verb=verb) for number, verb in enumerate(["get", "break", "list", "get"])]
    taken = asyncio.run(pipeline.take(lines(*events)))
    assert taken[:3] == (4, 2, "")
    assert pipeline.counts.left_out == {"could not be judged: RuntimeError": 1}
    assert seen == ["get", "list", "get"]


def test_what_comes_again_waits_for_the_newest_alert() -> None:
    kept = Kept()
    pipeline = Pipeline(kept.judge, kept.hand_over)
    first = asyncio.run(pipeline.take(lines(wrapped.event(1), wrapped.event(2))))
    again = asyncio.run(pipeline.take(lines(wrapped.event(1))))
    assert (first.ticket, again.ticket, len(kept.alerts)) == (2, 2, 2)
    other_stage = wrapped.event(1, stage="ResponseStarted")
    assert asyncio.run(pipeline.take(lines(other_stage))).ticket == 3


def test_others_get_their_turn_while_a_large_batch_is_judged() -> None:
    kept = Kept()
    pipeline = Pipeline(kept.judge, kept.hand_over)

    async def both() -> None:
        large = asyncio.ensure_future(pipeline.take(lines(*[wrapped.event(n) for n in range(5 * AT_ONCE)])))
        small = asyncio.ensure_future(pipeline.take(lines(wrapped.event(5 * AT_ONCE))))
        await asyncio.wait([large, small], return_when=asyncio.FIRST_COMPLETED)
        assert small.done()
        assert not large.done()
        await large

    asyncio.run(both())


def test_the_memory_of_events_is_bounded_and_holds_at_least_half_of_it() -> None:
    recent = Recent(100)
    for number in range(1000):
        assert not recent.came(str(number), "s", "")
        assert recent.came(str(max(0, number - 49)), "s", "")
        assert len(recent) <= 100
    assert not recent.came("", "s", "")
    assert not recent.came("", "s", "")


def test_events_that_come_long_after_newer_ones_are_counted() -> None:
    recent = Recent(100)
    for number, minute in enumerate(["10:01", "10:02", "10:01", "10:03", "10:01", "10:02"]):
        recent.came(str(number), "s", f"2026-11-21T{minute}:00Z")
    assert recent.late == 1
