"""Hours of days in time zones: over midnight, over the changes of summer time, and without holidays."""

from __future__ import annotations

import datetime as dt

import pytest

from hullwatch.errors import UsageError
from hullwatch.escalation.calendar import Hours, read_days, read_hours, zone


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


OFFICE = Hours(("mon-fri",), "09:00-17:00", "Europe/Berlin", frozenset({dt.date(2026, 12, 25)}))
NIGHT = Hours((), "22:00-06:00", "Europe/Berlin")


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-27T08:00", True),  # a Friday, 09:00 in Berlin
        ("2026-11-27T07:59", False),
        ("2026-11-27T16:00", False),  # the end does not belong to it
        ("2026-11-28T10:00", False),  # a Saturday
        ("2026-12-25T10:00", False),  # a holiday
        ("2026-07-03T07:00", True),  # 09:00 in summer
    ],
)
def test_hours_are_those_of_the_place(at: str, *, is_open: bool) -> None:
    assert (OFFICE.span(utc(at)) is not None) is is_open


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    assert NIGHT.span(utc("2026-11-28T02:00")) == (utc("2026-11-27T21:00"), utc("2026-11-28T05:00"))
    friday = Hours(("fri",), "22:00-06:00", "UTC")
    assert friday.span(utc("2026-11-28T05:59")) is not None
    assert friday.span(utc("2026-11-27T05:59")) is None


def test_the_night_of_the_change_to_winter_time_has_nine_hours() -> None:
    begin, end = NIGHT.span(utc("2026-10-25T00:30")) or (None, None)
    assert begin is not None
    assert end is not None
    assert end - begin == dt.timedelta(hours=9)


def test_the_next_hours_are_found_over_a_week_end_and_a_holiday() -> None:
    assert OFFICE.next_span(utc("2026-12-24T20:00")) == (utc("2026-12-28T08:00"), utc("2026-12-28T16:00"))


def test_hours_that_never_come_are_none_and_are_not_looked_for_forever() -> None:
    every_day = frozenset(dt.date(2026, 1, 1) + dt.timedelta(days=day) for day in range(1000))
    assert Hours((), "09:00-17:00", "UTC", every_day).next_span(utc("2026-11-28T00:00")) is None


def test_days_go_round_the_week() -> None:
    assert read_days(("sat-mon",)) == {5, 6, 0}
    assert read_days(("Mon", "wed-thu")) == {0, 2, 3}
    assert read_days(()) == set(range(7))


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda: read_days(("monday",)), "is no day; write mon, tue"),
        (lambda: read_hours("9-17"), "are no hours"),
        (lambda: read_hours("09:00-24:30"), "are no hours"),
        (lambda: read_hours("09:00-09:00"), "is no time at all"),
        (lambda: zone("Europe/Atlantis"), "no time zone"),
        (lambda: zone("../../etc/passwd"), "no time zone"),
    ],
)
def test_what_is_no_time_is_told_with_what_to_write(read: object, sentence: str) -> None:
    assert callable(read)
    with pytest.raises(UsageError, match=sentence):
        read()
