"""Times as people read them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from hullwatch.formats import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

_THEN = 1_764_322_190_250_999_999  # 2025-11-28T09:29:50.250999999Z


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def test_times_are_local_and_the_zone_is_that_of_the_time() -> None:
    assert moment.second(_THEN) == "2025-11-28 10:29:50"
    assert moment.exact(_THEN) == "2025-11-28 10:29:50.250"
    assert moment.zone(_THEN) == "CET"
    assert moment.zone(_THEN - 150 * 86400 * 10**9) == "CEST"


def test_a_time_of_this_year_has_no_year_and_one_of_before_no_clock() -> None:
    now = time.time_ns()
    assert moment.recent(now) == time.strftime("%m-%d %H:%M", time.localtime(now // 10**9))
    assert moment.recent(_THEN - 400 * 86400 * 10**9) == "2024-10-24"
