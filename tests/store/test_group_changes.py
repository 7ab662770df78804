"""Issues and incidents that wait to be written: what they are when a keeper has ended in between."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bench.alert_mix import alerts
from hullwatch.alerts.grouping import Grouper
from hullwatch.alerts.issue import Decision
from hullwatch.config.settings import StoreSettings
from hullwatch.store import group_changes, reading
from hullwatch.store.database import StoreError
from hullwatch.store.deciding import decide
from hullwatch.store.keeping import Keeping
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.sqlite import SqliteDatabase
from tests.store.stored import SECOND, alert, keeping, packed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hullwatch.store.database import Database
    from hullwatch.store.keeping import Packed

MANY = group_changes.FEW + 1  # containers, each of which is an incident and an issue of its own


def batch(first: int, number: int = MANY, **values: Any) -> list[Packed]:
    """Return an alert of each of many containers."""
    return [
        packed(
            alert(first + one, container_id=f"{one:012x}"[::-1], container_image=f"image-{one}", **values), first + one
        )
        for one in range(number)
    ]


def counts(database: Database) -> tuple[set[int], set[int], int]:
    """Return which counts issues and incidents have, and how many alerts are stored."""
    issues, incidents = reading.issues(database), reading.incidents(database)
    assert len(issues) == len(incidents)
    return {one.count for one in issues}, {one.count for one in incidents}, AlertReader(database).count(Wanted())


def is_noted(database: Database) -> bool:
    return bool(database.read("SELECT 1 FROM meta WHERE name = 'counted'"))


class Clock:
    """Time that stands still until a test moves it on."""

    def __init__(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float, keeper: Keeping) -> None:
        """Let time pass, and the keeper do what is due then."""
        self.now += seconds
        keeper.tick(-1.0)  # at which nothing is looked for that is too old


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def test_many_groups_wait_for_a_second(database: Database, clock: Clock) -> None:
    keeper = keeping(database)
    for number in range(3):
        keeper.take(batch(number * 1000))
        clock.wait(group_changes.INTERVAL / 4, keeper)
    assert counts(database) == (set(), set(), 3 * MANY)
    assert is_noted(database)
    clock.wait(group_changes.INTERVAL / 4, keeper)
    assert counts(database) == ({3}, {3}, 3 * MANY)
    assert not is_noted(database)
    clock.now += group_changes.INTERVAL
    keeper.take(batch(4000))  # nothing was written for a second
    assert counts(database) == ({4}, {4}, 4 * MANY)


def test_what_takes_long_to_write_is_written_less_often(database: Database, clock: Clock) -> None:
    keeper = keeping(database)
    keeper._changes._took = 0.1
    keeper.take(batch(0))
    clock.wait(0.1 * group_changes.SHARE - 0.5, keeper)
    assert counts(database)[0] == set()
    clock.wait(0.5, keeper)
    assert counts(database)[0] == {1}
    keeper._changes._took = 1000.0
    keeper.take(batch(1000))
    clock.wait(group_changes.LONGEST, keeper)
    assert counts(database)[0] == {2}


def test_few_groups_are_written_with_their_alerts(database: Database, clock: Clock) -> None:
    keeper = keeping(database)
    for number in range(3):
        keeper.take(batch(number * 1000, group_changes.FEW // 2))
        assert counts(database)[:2] == ({number + 1}, {number + 1})


def test_what_waited_is_written_at_the_end(tmp_path: Path, clock: Clock) -> None:
    keeper = keeping(SqliteDatabase(tmp_path / "store.db", make=True))
    keeper.take(batch(0))
    keeper.close()
    assert counts(SqliteDatabase(tmp_path / "store.db", write=False)) == ({1}, {1}, MANY)


@pytest.mark.parametrize("by", ["tick", "take"])
def test_what_a_keeper_has_left_is_counted_by_the_next_one(database: Database, clock: Clock, by: str) -> None:
    first = keeping(database)
    first.take(batch(0))
    clock.wait(group_changes.LONGEST, first)
    for number in range(1, 4):
        first.take(batch(number * 1000))  # and it is killed
    second = keeping(database)
    if by == "tick":
        second.tick(0)
        assert counts(database) == ({4}, {4}, 4 * MANY)
    else:
        second.take(batch(4000))
        clock.wait(group_changes.LONGEST, second)
        assert counts(database) == ({5}, {5}, 5 * MANY)
    assert not is_noted(database)
    assert second.take_counts() == {}
    reader = AlertReader(database)
    first_alert, last_alert = reader.kept_by(reading.issues(database)[0])
    assert first_alert is not None
    assert last_alert is not None
    assert last_alert.time - first_alert.time == (3 if by == "tick" else 4) * 1000 * SECOND


def test_a_decision_about_what_waits_stays(database: Database, clock: Clock) -> None:
    keeper = keeping(database)
    keeper.take(batch(0))
    clock.wait(group_changes.LONGEST, keeper)
    keeper.take(batch(1000))
    issue, incident = reading.issues(database)[0], reading.incidents(database)[0]
    decide(database, Decision(at=1, who="eve (7)", verb="assign", target=issue.id, assignee="bob"))
    decide(database, Decision(at=2, who="eve (7)", verb="ack", target=incident.id))
    clock.wait(group_changes.LONGEST, keeper)
    assert counts(database)[:2] == ({2}, {2})
    found, other = reading.issue(database, issue.id), reading.incident(database, incident.id)
    assert found is not None
    assert other is not None
    assert (found.assignee, other.state) == ("bob", "acknowledged")
    keeper.take(batch(2000))
    decide(database, Decision(at=3, who="eve (7)", verb="close", target=incident.id))
    keeping(database).tick(0)  # after a kill
    other = reading.incident(database, incident.id)
    assert other is not None
    assert (other.state, other.count) == ("closed", 3)


def test_what_waits_is_counted_again_when_a_batch_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    keeper = keeping(database)
    keeper.take(batch(0))
    write_many = database.write_many

    def fail(sql: str, rows: Any) -> None:
        if "INTO alerts" in sql:
            raise StoreError("The disk is full.")
        write_many(sql, rows)

    monkeypatch.setattr(database, "write_many", fail)
    with pytest.raises(StoreError):
        keeper.take(batch(1000))
    monkeypatch.setattr(database, "write_many", write_many)
    keeper.take(batch(1000))
    clock.wait(group_changes.LONGEST, keeper)
    assert counts(database) == ({2}, {2}, 2 * MANY)


def test_what_waits_is_written_before_its_alerts_are_removed(database: Database, clock: Clock) -> None:
    keeper = keeping(database, keep=1.0)
    keeper.take(batch(0))
    while keeper.tick(1.0):
        pass
    keeping(database).tick(2.0)
    assert counts(database) == ({1}, {1}, 0)


def test_a_damaged_alert_is_not_counted_again_but_told(database: Database, clock: Clock) -> None:
    keeping(database).take(batch(0))
    database.write("UPDATE alerts SET body = ? WHERE id = 'run-0'", (b"\x07",))
    second = keeping(database)
    second.tick(0)
    assert second.take_counts() == {"not counted again": 1}
    assert counts(database) == ({1}, {1}, MANY)


def _keep(database: Database, made: Sequence[Packed], clock: Clock, kills: Sequence[int], written: int = -1) -> None:
    """Keep alerts in batches of 200, by keepers that are killed behind some of these."""
    settings = StoreSettings(keep=10 * 365 * 86_400.0)
    keeper = Keeping(database, settings, Grouper)
    for number, begin in enumerate(range(0, len(made), 200)):
        keeper.take(made[begin : begin + 200])
        if number == written:
            clock.wait(group_changes.LONGEST, keeper)
        if number in kills:
            keeper = Keeping(database, settings, Grouper)
    clock.wait(group_changes.LONGEST, keeper)
    assert keeper.take_counts() == {}
    assert not is_noted(database)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_counted_again_is_what_it_would_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, seed: int
) -> None:
    made = [packed(one, number) for number, one in enumerate(alerts(4000, seed))]
    whole, killed = (SqliteDatabase(tmp_path / name, make=True) for name in ("whole.db", "killed.db"))
    _keep(whole, made, clock, ())
    monkeypatch.setattr(group_changes, "FEW", 0)
    _keep(killed, made, clock, [19], random.Random(seed).randrange(19))
    assert len(reading.incidents(whole)) >= 12
    assert reading.issues(killed) == reading.issues(whole)
    assert reading.incidents(killed) == reading.incidents(whole)


@pytest.mark.parametrize("seed", range(3))
def test_issues_and_incidents_count_what_is_stored_however_often_keepers_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, seed: int
) -> None:
    monkeypatch.setattr(group_changes, "FEW", 0)
    made = [packed(one, number) for number, one in enumerate(alerts(4000, seed))]
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    _keep(database, made, clock, random.Random(seed).sample(range(20), 8))
    stored = Counter(database.read("SELECT p.issue, p.incident FROM alerts a JOIN placements p ON p.id = a.placement"))
    incidents = reading.incidents(database)
    assert sum(one.count for one in incidents) == sum(number for key, number in stored.items() if key[1]) > 12
    for incident in incidents:
        for step in incident.steps:
            assert step.count == stored[step.issue, incident.id]
        assert incident.score == sum(part.points for part in incident.parts)
    for issue in reading.issues(database):
        assert issue.count == sum(number for key, number in stored.items() if key[0] == issue.id)
