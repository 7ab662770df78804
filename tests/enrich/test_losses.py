"""Too many lost events are one alert and one all-clear, by the stream's own time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.counters import Counters
from hullwatch.enrich.losses import CALM, Losses

if TYPE_CHECKING:
    from hullwatch.enrich.notice import Notice

SECOND = 1_000_000_000
OFFSET = 1_700_000_000 * SECOND


class Stream:
    """A stream that tells its time once a second."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.losses = Losses(self.counters)
        self.time = 100 * SECOND
        self.events = 0

    def second(self, events: int, lost: int = 0, kind: str = "openat", reason: str = "ring_full") -> list[Notice]:
        self.time += SECOND
        self.events += events
        if lost:
            self.losses.lose(kind, reason, lost)
        return self.losses.look(self.time, self.events, OFFSET)

    def seconds(self, number: int, events: int, lost: int = 0) -> list[Notice]:
        return [notice for _ in range(number) for notice in self.second(events, lost)]


@pytest.fixture
def stream() -> Stream:
    return Stream()


def test_as_many_as_one_in_a_thousand_are_no_alert(stream: Stream) -> None:
    assert stream.seconds(60, 999, 1) == []


def test_more_are_one_alert_with_the_numbers_types_and_reasons_in_words(stream: Stream) -> None:
    stream.seconds(20, 1000)
    (notice,) = stream.second(989, 11)
    assert (notice.rule, notice.priority, notice.time) == ("Events lost", "Error", stream.time + OFFSET)
    assert notice.message == (
        "11 of 10,000 events of the last 10 s were lost (0.11%): openat 11 (the ring buffer of a CPU was full: more "
        "came than was read). What they were is not known; 'hullwatch doctor' goes on counting."
    )
    assert notice.fields == {"lost": 11, "events": 9989, "share": 0.0011, "by_type": {"openat: ring_full": 11}}


def test_the_window_is_ten_seconds(stream: Stream) -> None:
    stream.seconds(20, 1000)
    assert stream.second(1000, 9) == []  # 9 of 10,009
    assert stream.seconds(9, 1000) == []
    stream.second(1000)
    assert stream.second(1000, 9) == []  # the first nine are outside
    assert [notice.rule for notice in stream.second(1000, 2)] == ["Events lost"]


def test_an_episode_is_told_once_and_its_end_with_the_whole(stream: Stream) -> None:
    stream.seconds(20, 1000)
    told = stream.seconds(300, 1000, 100)
    assert [notice.rule for notice in told] == ["Events lost"]
    told = stream.seconds(CALM // SECOND + 20, 1000)
    assert [notice.rule for notice in told] == ["Events no longer lost"]
    assert told[0].fields["lost"] == 30_000
    assert "30,000" in told[0].message
    assert [notice.rule for notice in stream.second(1000, 100)] == ["Events lost"]


def test_losses_that_come_and_go_are_one_episode(stream: Stream) -> None:
    stream.seconds(20, 1000)
    told = [notice for _ in range(20) for notice in stream.seconds(5, 1000, 100) + stream.seconds(25, 1000)]
    assert [notice.rule for notice in told] == ["Events lost"]


def test_the_worst_share_is_kept(stream: Stream) -> None:
    stream.seconds(20, 1000)
    stream.second(0, 1000)
    stream.seconds(200, 1000)
    stream.seconds(20, 1000, 2)
    assert stream.counters.worst_loss == 0.1


def test_many_types_are_told_in_short(stream: Stream) -> None:
    stream.seconds(20, 1000)
    for number in range(50):
        stream.losses.lose(f"type{number}", "ring_full", 50 - number)
    (notice,) = stream.second(0, 1, "*", "unreadable")
    assert "type0 50, type1 49, type2 48, type3 47, type4 46, others 1,035" in notice.message
    assert "unknown 1 (the kernel's objects could not be read)" in notice.message


def test_calls_that_nobody_looks_at_are_told_once_for_each_reason_and_are_no_episode(stream: Stream) -> None:
    stream.seconds(20, 1000)
    told = [n for _ in range(50) for n in stream.second(1000, 500, "*", "compat_syscall")]
    assert [notice.rule for notice in told] == ["Calls not looked at"]
    assert "made by 32-bit programs" in told[0].message
    told = [n for _ in range(50) for n in stream.second(1000, 500, "*", "io_uring")]
    assert [notice.fields["reason"] for notice in told] == ["io_uring"]
    assert stream.seconds(200, 1000) == []


def test_what_is_remembered_does_not_grow(stream: Stream) -> None:
    for _ in range(1000):
        stream.losses.look(stream.time, 5, 0)  # many in the same moment
        stream.second(1000, 5)
    assert len(stream.losses._samples) <= 64
