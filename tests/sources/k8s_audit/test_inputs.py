"""Each input counts for itself, and its silence is told with its name, also over a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from hullwatch.sources.k8s_audit.inputs import Inputs, InputStatus, read_before
from hullwatch.sources.k8s_audit.pipeline import Pipeline
from tests.sources.k8s_audit import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECOND = 10**9
BEGIN = 1_800_000_000 * SECOND
HOOK, FILE = "0.0.0.0:9443", "/var/log/audit.log"


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> int:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def listening(clock: Clock, before: Mapping[str, InputStatus] | None = None, silence: float = 600) -> Inputs:
    made = Inputs(silence, before or {}, clock)
    made.add(HOOK, "webhook")
    made.add(FILE, "file")
    return made


def told(inputs: Inputs) -> list[tuple[str, str]]:
    return [(name, notice.rule) for name, notice in inputs.look()]


def again(inputs: Inputs) -> dict[str, InputStatus]:
    """Return what the process that comes after reads of it."""
    return read_before(msgspec.json.encode({"by_input": inputs.status(), "rules": 3}))


def test_the_silence_of_one_input_is_told_while_another_speaks() -> None:
    clock = Clock()
    inputs = listening(clock)
    for _ in range(11):
        clock.go(50)
        inputs.add(HOOK, "webhook").took("")
        assert told(inputs) == []
    clock.go(50)
    inputs.add(HOOK, "webhook").took("")
    found = inputs.look()
    ((name, notice),) = found
    assert (name, notice.rule, notice.priority) == (FILE, "Audit events stopped", "Critical")
    assert f"from {FILE} since it was listened to first, 10m ago" in notice.message
    assert told(inputs) == []
    inputs.add(FILE, "file").took("")
    assert told(inputs) == [(FILE, "Audit events come again")]
    clock.go(600)
    assert {notice.message[:70] for _, notice in inputs.look()} == {
        f"No audit event of Kubernetes has come from {name} for 10m: what it wou"[:70] for name in (HOOK, FILE)
    }


def test_silence_goes_on_over_restarts_and_so_does_its_end() -> None:
    clock = Clock()
    inputs = listening(clock)
    inputs.add(HOOK, "webhook").took("")
    for _ in range(3):  # each too short for an alert of its own
        clock.go(199)
        assert told(inputs) == []
        inputs = listening(clock, again(inputs))
    clock.go(60)  # who carries events may wait for us that long
    assert told(inputs) == [(HOOK, "Audit events stopped"), (FILE, "Audit events stopped")]
    inputs = listening(clock, again(inputs))
    inputs.add(FILE, "file").took("")
    assert told(inputs) == [(FILE, "Audit events come again")]


def test_who_was_away_for_long_waits_a_minute_for_what_was_sent_meanwhile() -> None:
    clock = Clock()
    inputs = listening(clock)
    inputs.add(HOOK, "webhook").took("")
    before = again(inputs)
    clock.go(86_400)
    inputs = listening(clock, before)
    clock.go(59)
    assert told(inputs) == []
    clock.go(1)
    assert next(notice.message for name, notice in inputs.look() if name == HOOK).startswith(
        f"No audit event of Kubernetes has come from {HOOK} for 1d1m:"
    )


def test_a_clock_that_goes_back_is_no_silence_and_no_end_of_it() -> None:
    clock = Clock()
    inputs = listening(clock)
    inputs.add(HOOK, "webhook").took("")
    clock.go(-3600)
    assert told(inputs) == []
    clock.go(599)
    assert told(inputs) == []
    clock.go(1)
    assert (HOOK, "Audit events stopped") in told(inputs)


def test_what_cannot_be_read_of_before_is_nothing() -> None:
    assert read_before(b"") == read_before(b'{"by_input": 3}') == read_before(b"{}") == {}


def _hand_over(alerts: Sequence[str], event: dict[str, object]) -> int:
    del event
    return len(alerts)


def test_each_input_counts_for_itself_and_the_sum_is_there() -> None:
    clock = Clock()
    inputs = listening(clock)
    pipeline: Pipeline[str] = Pipeline(lambda _: [], _hand_over)
    hook, file = inputs.add(HOOK, "webhook"), inputs.add(FILE, "file")
    events = [wrapped.text(wrapped.event(number)).encode() for number in range(5)]
    for source, documents in (
        (hook, events[:3]),
        (file, [*events[2:], b"I1121 21:36:00.1       1 x.go:1] hello", b"no"]),
    ):
        asyncio.run(pipeline.take(documents, source))
    status = inputs.status()
    assert (status[HOOK].events, status[HOOK].left_out) == (3, {})
    assert (status[FILE].events, status[FILE].left_out["came twice"]) == (3, 1)
    assert inputs.counts().left_out == status[FILE].left_out
    assert len(status[FILE].left_out) == 3
    assert inputs.counts().total == 6
    assert (status[HOOK].last, status[HOOK].silent) == (BEGIN, False)


def test_the_lag_of_an_input_is_from_the_events_stage_to_its_coming() -> None:
    clock = Clock()
    inputs = listening(clock)
    hook = inputs.add(HOOK, "webhook")
    for written, lag in (
        ("2027-01-15T07:59:57.500000Z", 2.5),
        ("2027-01-15T09:00:00Z", -3600),
        ("2027-01-15T07:59:57", 0),
        ("x", 0),
        (7, 0),
    ):
        hook.took(written)
        assert inputs.status()[HOOK].lag == lag
