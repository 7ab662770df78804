"""A store that takes far more than it may have: how large it becomes, and how fast it takes alerts then.

``make soak`` has ten million alerts and the size that is set where nothing else is said; the suite has a small form.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from bench.store import TOGETHER, MadeUpAlerts
from hullwatch.alerts.grouping import Grouper
from hullwatch.config.settings import StoreSettings
from hullwatch.store import reading
from hullwatch.store.keeping import Keeping
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.sqlite import WAL_LIMIT, SqliteDatabase

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.store.keeping import Packed

ALERTS = int(os.environ.get("STORE_ALERTS", "16000"))
LARGEST = StoreSettings().largest if "STORE_ALERTS" in os.environ else 12 << 20
MADE = min(ALERTS, 100_000)  # that are made up; the others are the same again, under other ids and times
TOLD = 20  # times
PATIENCE = 60 + ALERTS // 1000  # seconds
STEP = 1_000_000  # ns from one alert to the next, as in the benchmark


def _batch(made: list[Packed], begin: int) -> list[Packed]:
    turn, place = divmod(begin, len(made))
    later = turn * len(made) * STEP
    return [one._replace(id=f"{turn:x}-{one.id}", time=one.time + later) for one in made[place : place + TOGETHER]]


@pytest.mark.timeout(PATIENCE)
def test_a_store_stays_within_its_size_whatever_comes(tmp_path: Path) -> None:
    made = MadeUpAlerts().batch(MADE)
    path = tmp_path / "store.db"
    database = SqliteDatabase(path, make=True)
    keeping = Keeping(database, StoreSettings(largest=LARGEST, keep=10 * 365 * 86_400.0), Grouper)
    largest = 0
    seconds, since, next_told = time.process_time(), 0, 0
    for begin in range(0, ALERTS, TOGETHER):
        keeping.take(_batch(made, begin))
        keeping.tick(time.monotonic())
        largest = max(largest, path.stat().st_size)
        done = begin + TOGETHER
        if done >= next_told:
            next_told += ALERTS // TOLD
            passed = time.process_time() - seconds
            log = path.with_name("store.db-wal").stat().st_size
            size, speed = path.stat().st_size / 1e6, (done - since) / passed
            sys.stdout.write(
                f"{done:>10,} alerts: {size:7,.1f} MB, log {log / 1e6:4.1f} MB, {speed:7,.0f} alerts/CPU-s\n"
            )
            assert log <= 2 * WAL_LIMIT
            seconds, since = time.process_time(), done
    keeping.close()
    database = SqliteDatabase(path, write=False)
    left, removed = AlertReader(database).count(Wanted()), reading.removed(database)["alerts"]["size"]
    sys.stdout.write(f"{left:,} alerts are left, {removed:,} were removed; the file had {largest:,} bytes at most\n")
    assert largest <= LARGEST
    assert left + removed == sum(one.count for one in reading.issues(database)) == ALERTS
    severe, noise = (AlertReader(database).count(Wanted(f"alert.priority = {name}")) for name in ("Critical", "Debug"))
    assert severe > noise  # the least severe went first
    assert database.problems() == []
