from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hullwatch.store import reading, retention
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.sqlite import SqliteDatabase
from tests.store.stored import SECOND, alert, batch, keeping, packed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from hullwatch.store.database import Database

SMALL = 1 << 20


def test_what_is_too_old_goes_and_is_counted(database: Database) -> None:
    keeper = keeping(database, keep=3600.0)
    now = time.time_ns()
    keeper.take([packed(alert(0, time=now - age * 600 * SECOND), age) for age in range(12)])
    while keeper.tick(1.0):
        pass
    assert AlertReader(database).count(Wanted()) == 6
    assert reading.removed(database) == {"alerts": {"age": 6}}
    assert keeper.take_counts() == {"removed: age": 6}
    (issue,) = reading.issues(database)
    assert issue.count == 12


def test_an_issue_has_its_first_and_last_alert_when_all_others_are_gone(database: Database) -> None:
    keeper = keeping(database, keep=1.0)
    keeper.take(batch(0, 100))
    keeper.take(batch(100, 100))
    while keeper.tick(1.0):
        pass
    reader = AlertReader(database)
    assert reader.count(Wanted()) == 0
    (issue,) = reading.issues(database)
    first, last = reader.kept_by(issue)
    assert first is not None
    assert last is not None
    assert (first.id, last.id) == ("run-0", "run-c7")
    assert (first.time, last.time) == (issue.first_seen, issue.last_seen)


def test_a_store_stays_within_its_size_and_loses_the_least_severe_first(database: Database) -> None:
    keeper = keeping(database, largest=SMALL)
    severe = batch(0, 100, priority="Critical", rule="Severe")
    keeper.take(severe)
    for number in range(1, 16):
        padding = {"fd.name": f"/{number:x}" * 90}
        keeper.take(batch(number * 500, 250, output_fields=padding))
        keeper.take(batch(number * 500 + 250, 250, priority="Debug", rule="Noise", output_fields=padding))
        assert database.used() <= SMALL
    reader = AlertReader(database)
    assert reader.count(Wanted(priority="Critical")) == 100
    left = reader.count(Wanted())
    removed = reading.removed(database)["alerts"]["size"]
    assert left + removed == 100 + 15 * 500
    assert reader.count(Wanted("alert.priority = Debug")) < reader.count(Wanted("alert.priority = Warning"))
    assert {issue.rule: issue.count for issue in reading.issues(database)}["Noise"] == 15 * 250


def test_the_file_stays_within_the_size(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    keeper = keeping(database, largest=4 << 20)
    largest = 0
    for number in range(16):
        keeper.take(batch(number * 1000, 1000, output_fields={"fd.name": f"/{number:x}" * 90}))
        largest = max(largest, (tmp_path / "store.db").stat().st_size)
    assert largest <= 4 << 20
    database.write("DELETE FROM alerts")
    database.shrink(whole=True)
    assert database.size() < 1 << 20


def test_placements_without_alerts_go_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PLACEMENTS_EVERY", 1)
    keeper = keeping(database, keep=3600.0)
    keeper.take([packed(alert(one, process=f"p{one}", output_fields={}), one) for one in range(50)])
    keeper.take([packed(alert(0, time=time.time_ns()), 99)])
    while keeper.tick(1.0):
        pass
    assert database.read("SELECT count(*) FROM placements")[0][0] == 1
    keeper.take(batch(200, 1, time=time.time_ns(), process="p7", output_fields={}))
    assert len(list(AlertReader(database).newest_first(Wanted("proc.name = p7")))) == 1


def test_issues_and_incidents_are_limited_in_number(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST_ISSUES", 5)
    monkeypatch.setattr(retention, "MOST_INCIDENTS", 3)
    keeper = keeping(database)
    keeper.take([packed(alert(one, rule=f"R{one}", container_id=f"{one:012x}"[::-1]), one) for one in range(9)])
    assert not keeper.tick(1.0)
    assert {issue.rule for issue in reading.issues(database)} == {f"R{one}" for one in range(4, 9)}
    assert len(reading.incidents(database)) == 3
    assert reading.removed(database) == {"issues": {"number": 4}, "incidents": {"number": 6}}
