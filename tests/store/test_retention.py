from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.alerts.grouping import Grouper
from hullwatch.alerts.incident import Incident, Step
from hullwatch.config.settings import StoreSettings
from hullwatch.store import reading, retention
from hullwatch.store.keeping import Keeping
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.remembering import write_incidents
from hullwatch.store.sqlite import SqliteDatabase
from tests.store.stored import SECOND, alert, batch, keeping, packed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def test_incidents_of_many_steps_do_not_push_alerts_out(database: Database) -> None:
    keeper = keeping(database, largest=SMALL)
    steps = [
        Step(at=1, last=1, count=1, issue=f"i{one}", alert="a", rule="R" * 80, priority="Warning", title="t" * 99)
        for one in range(60)
    ]
    looked_at = Incident(id="n-acknowledged", title="", opened=1, last_seen=1, state="acknowledged", steps=steps)
    with database.transaction():
        write_incidents(database, [looked_at])
        write_incidents(
            database,
            [Incident(id=f"n{one:x}", title="", opened=1, last_seen=2 + one, steps=steps) for one in range(60)],
        )
    assert database.used() > SMALL // 2
    keeper.take(batch(0, 100, rule="Severe", priority="Critical"))
    keeper.take(batch(500, 2000))
    assert database.used() <= SMALL
    assert AlertReader(database).count(Wanted(priority="Critical")) == 100
    left = {one.id for one in reading.incidents(database)}
    assert {"n-acknowledged", "n3b"} <= left
    assert "n0" not in left
    assert reading.removed(database)["incidents"]["size"] > 0


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "the same again": lambda _: {},
    "steps of incidents": lambda one: {
        "rule": f"R{one % 50}",
        "container_id": f"{one // 50:012x}",
        "priority": "Critical",
    },
    "ever new placements": lambda one: {"container_image": noise(one, 2000), "process": f"p{one}"},
    "long and ever new": lambda one: {"rule": f"R{one}", "output_fields": {"fd.name": noise(one, 40_000)}},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_file_stays_within_its_size_whatever_the_shape_of_alerts(
    tmp_path: Path, shape: Callable[[int], dict[str, Any]]
) -> None:
    path = tmp_path / "store.db"
    keeper = Keeping(SqliteDatabase(path, make=True), StoreSettings(largest=2 * SMALL, keep=1e9), Grouper)
    largest = came = taken = 0
    while came < 3000 and taken < 8 * SMALL:
        made = [packed(alert(one, **shape(one)), one) for one in range(came, came + 4)]
        keeper.take(made)
        came += len(made)
        taken += sum(len(one.body) for one in made)
        largest = max(largest, path.stat().st_size)
    assert largest <= 2 * SMALL
    database = keeper.database
    removed = reading.removed(database).get("alerts", {}).get("size", 0)
    left = AlertReader(database).count(Wanted())
    assert left + removed == came
    assert left
    keeper.close()


def noise(seed: int, length: int) -> str:
    """Return a text that cannot be compressed, the same each time."""
    return random.Random(seed).randbytes(length // 2).hex()
