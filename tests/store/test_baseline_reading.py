"""What is told of the file of what is ordinary is what a baseline knows that was loaded from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.baseline.cluster import ALL_KINDS
from hullwatch.baseline.known import BaselineInMemory
from hullwatch.config.kubernetes_baseline_settings import BaselineSettings
from hullwatch.store import baseline_reading
from hullwatch.store.baseline_file import FILE, BaselineFile
from hullwatch.store.baseline_keeping import BaselineKeeping, make_baseline
from hullwatch.store.reading import FOREVER
from tests.baseline.events import HOUR, MONDAY, call, deployment

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = BaselineSettings(learn=3600.0)


@pytest.mark.parametrize("limit", [1, 3, FOREVER])
def test_the_file_tells_the_same_as_what_is_loaded_of_it_however_few_are_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    run = BaselineKeeping(SETTINGS, tmp_path)
    for number in range(6):
        run.look(call(MONDAY + number // 2 * HOUR, f"user{number}"))
        run.look(deployment(MONDAY + number // 2 * HOUR, f"r{number}.example/a:1"))
    run.close()
    monkeypatch.setattr(baseline_reading, "AT_ONCE", 2)
    file = BaselineFile(tmp_path / FILE, write=True)
    for number in range(5):
        file.decide("who", "accept", "user", f"user{number % 3}*", "why")
    baseline, span = make_baseline(SETTINGS)
    file.load(baseline, span)
    loaded = BaselineInMemory(baseline)
    assert baseline_reading.about(file, span) == loaded.about()
    assert loaded.about().number("registry") == 6
    for kind in ALL_KINDS:
        assert list(baseline_reading.values(file, kind, limit)) == list(loaded.values(kind, limit))
    assert list(baseline_reading.hours(file, limit)) == list(loaded.hours(limit))
    assert list(baseline_reading.decisions(file, limit)) == file.decisions()[::-1][:limit]
    for value, known in (("user1", 1), ("user*", 6), ("user", 0), ("%", 0), ("us_r*", 0)):
        assert baseline_reading.known(file, "user", value) == known
    file.close()
