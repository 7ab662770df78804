"""How times are written in questions."""

from __future__ import annotations

import datetime as dt

import pytest

from hullwatch.api.asking import moment
from hullwatch.errors import UsageError

_MINUTE = dt.timedelta(minutes=1)
_DAY = 24 * 3600


@pytest.mark.parametrize(
    ("form", "shift", "least", "most"),
    [
        ("%H:%M", -5 * _MINUTE, 240, 480),
        ("%H:%M:%S", -5 * _MINUTE, 240, 420),
        ("%H:%M", 90 * _MINUTE, _DAY - 2 * 3600 - 3600, _DAY - 80 * 60 + 3600),  # with an hour for summer time
    ],
)
def test_a_clock_time_is_the_last_one(form: str, shift: dt.timedelta, least: int, most: int) -> None:
    now = dt.datetime.now().astimezone()
    ago = now.timestamp() - moment((now + shift).strftime(form), 0) / 1e9
    assert least <= ago <= most


@pytest.mark.parametrize("written", ["foo", "now", "-5m", "2026-13-01", "25:00", "10:61", "''", "1:2:3"])
def test_what_is_no_time_is_told_with_all_ways_to_write_one(written: str) -> None:
    with pytest.raises(UsageError) as told:
        moment(written, 0)
    assert str(told.value) == (
        f'"{written}" is no time: write how long ago (24h), a date with time (2026-11-28T10:30), '
        "or a time of the last day (10:30)."
    )
