"""Who is on call: turns, hand-overs, stand-ins, and shifts that follow the sun."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.escalation.files import TEXT, read, utc

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.escalation.roster import Roster


@pytest.fixture(scope="module")
def roster(tmp_path_factory: pytest.TempPathFactory) -> Roster:
    return read(tmp_path_factory.mktemp("roster")).rosters["on-call"]


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-11-02T08:30", "anna"),  # the first week begins: 09:30 in Berlin
        ("2026-11-09T07:59", "anna"),  # before the hand-over at 09:00
        ("2026-11-09T08:00", "bob"),
        ("2026-11-16T08:00", "anna"),
        ("2026-11-01T12:00", "bob"),  # before the first week turns go on backwards
        ("2026-11-28T20:00", "carla"),  # 15:00 in New York
        ("2026-12-24T16:59", "bob"),
        ("2026-12-24T17:00", "anna"),  # stands in from 18:00 in Berlin
        ("2026-12-27T08:00", "bob"),
    ],
)
def test_the_one_whose_turn_it_is_is_on_call(roster: Roster, at: str, who: str) -> None:
    found = roster.at(utc(at))
    assert found is not None
    assert found.who == who


def test_the_first_shift_of_two_that_are_open_counts_and_takes_over(tmp_path: Path) -> None:
    text = TEXT.replace('hours: "14:00-02:00", timezone: America/New_York', 'hours: "00:00-24:00"')
    both = read(tmp_path, text).rosters["on-call"]
    night = both.at(utc("2026-11-28T05:00"))
    assert night is not None
    assert (night.who, night.until) == ("carla", utc("2026-11-28T07:00"))


@settings(max_examples=60, deadline=None)
@given(minutes=st.integers(0, 60 * 24 * 60))
def test_who_is_on_call_until_a_time_is_on_call_just_before_it_and_somebody_follows(
    roster: Roster, minutes: int
) -> None:
    at = utc("2026-11-01T00:00") + dt.timedelta(minutes=minutes)
    one = roster.at(at)
    assert one is not None
    assert one.until > at
    before = roster.at(one.until - dt.timedelta(seconds=1))
    assert before is not None
    assert before.who == one.who
    assert roster.at(one.until) is not None


def test_the_turns_of_some_days_have_no_holes_between_them(roster: Roster) -> None:
    turns = roster.turns(utc("2026-12-22T00:00"), 7)
    assert [one.until for _, one in turns[:-1] if one] == [at for at, _ in turns[1:]]
    assert {one.who for _, one in turns if one} == {"anna", "bob", "carla"}
