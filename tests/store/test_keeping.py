from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.alerts.incident import Placement
from hullwatch.alerts.issue import Decision
from hullwatch.store import reading
from hullwatch.store.database import StoreError
from hullwatch.store.deciding import decide
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.sqlite import SqliteDatabase
from tests.store.standin import StandIn
from tests.store.stored import SHELL, START, alert, batch, keeping, packed

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.alerts.alert import Alert
    from hullwatch.store.database import Database


def test_an_alert_comes_out_as_it_went_in_with_its_id_and_where_it_belongs(database: Database) -> None:
    made = alert(7, labels={"site": "a\u00e9"}, evidence=({"evt.time": 1},), tags=("T1059",))
    kept = keeping(database).take([packed(made, 7)])
    found = AlertReader(database).alert("run-7")
    assert found is not None
    assert found.alert == kept.alerts[0]
    assert (found.alert.time, found.alert.labels, found.alert.id) == (made.time, {"site": "a\u00e9"}, "run-7")
    (placement,) = kept.placements
    assert placement is not None
    assert placement.incident is not None
    assert (found.issue, found.incident) == (placement.issue.id, placement.incident.id)


def test_the_same_again_is_one_issue_that_counts(database: Database) -> None:
    keeper = keeping(database)
    keeper.take(batch(0, 70))
    keeper.take(batch(70, 30))
    (issue,) = reading.issues(database)
    assert issue.count == 100
    assert (issue.first_seen, issue.last_seen) == (alert(0).time, alert(99).time)
    (incident,) = reading.incidents(database)
    assert incident.count == 100


def test_what_comes_twice_is_kept_and_counted_once(database: Database) -> None:
    keeper = keeping(database)
    keeper.take(batch(0, 10))
    kept = keeper.take([*batch(5, 10), packed(alert(14), 14)])
    assert [one.id for one in kept.alerts] == [f"run-{number:x}" for number in range(10, 15)]
    assert AlertReader(database).count(Wanted()) == 15
    assert reading.issues(database)[0].count == 15
    assert keeper.take_counts() == {"came twice": 6}


def test_a_keeper_goes_on_where_the_one_before_has_ended(database: Database) -> None:
    keeping(database).take(batch(0, 200))
    keeping(database).take([*batch(190, 20), *batch(300, 1, rule="Other")])
    assert {issue.rule: issue.count for issue in reading.issues(database)} == {SHELL: 210, "Other": 1}
    assert len(list(AlertReader(database).newest_first(Wanted()))) == 211


def test_what_somebody_decides_is_not_overwritten(database: Database) -> None:
    keeper = keeping(database)
    keeper.take(batch(0, 1))
    (issue,) = reading.issues(database)
    decide(database, Decision(at=1, who="eve (7)", verb="assign", target=issue.id, assignee="bob"))
    decide(database, Decision(at=2, who="eve (7)", verb="ack", target=issue.id))
    keeper.take(batch(1, 1))
    (issue,) = reading.issues(database)
    assert (issue.assignee, issue.state, issue.count) == ("bob", "acknowledged", 2)


def test_a_mute_holds_from_the_next_batch_on(database: Database) -> None:
    keeper = keeping(database)
    keeper.take(batch(0, 1))
    (issue,) = reading.issues(database)
    mute = Decision(at=1, who="eve (7)", verb="mute", target=issue.id, why="known", until=1 << 62)
    made = decide(database, mute)
    kept = keeper.take(batch(1, 1))
    assert kept.placements[0] is not None
    assert kept.placements[0].muted == made.id
    kept = keeping(database).take(batch(2, 1))  # and for a keeper that was started anew
    assert kept.placements[0] is not None
    assert kept.placements[0].muted == made.id
    decide(database, Decision(at=2, who="eve (7)", verb="unmute", target=issue.id))
    kept = keeper.take(batch(3, 1))
    assert kept.placements[0] is not None
    assert kept.placements[0].muted == 0
    assert [found.muted for found in AlertReader(database).newest_first(Wanted())] == [0, made.id, made.id, 0]


class Joining(StandIn):
    """Lets the alerts before the first Warning join the incident that it opens."""

    earlier: tuple[str, ...] = ()

    def place(self, alert: Alert) -> Placement:
        found = super().place(alert)
        if found.incident is None:
            self.earlier += (alert.id,)
            return found
        return Placement(alert=found.alert, issue=found.issue, incident=found.incident, joined=self.earlier)


def test_earlier_alerts_join_an_incident_that_opens_later(database: Database) -> None:
    keeper = keeping(database)
    keeper._make_grouping = Joining
    keeper.take(batch(0, 2, priority="Notice", rule="Quiet"))
    keeper.take([*batch(2, 1, priority="Notice", rule="Quiet"), *batch(3, 1)])
    (incident,) = reading.incidents(database)
    found = AlertReader(database).newest_first(Wanted(incident=incident.id))
    assert [one.alert.id for one in found] == ["run-3", "run-2", "run-1", "run-0"]


def test_an_alert_that_cannot_be_grouped_is_kept_all_the_same(database: Database) -> None:
    keeper = keeping(database)
    kept = keeper.take([packed(alert(0, rule="Breaks"), 0), packed(alert(1), 1)])
    assert kept.placements[0] is None
    assert AlertReader(database).count(Wanted()) == 2
    assert keeper.take_counts() == {"not grouped: ZeroDivisionError": 1}


def test_what_is_no_alert_is_counted_and_the_others_are_kept(database: Database) -> None:
    keeper = keeping(database)
    wrong = packed(alert(0), 0)._replace(body=b"\xc1nothing")
    assert len(keeper.take([wrong, packed(alert(1), 1)]).alerts) == 1
    assert keeper.take_counts() == {"unreadable": 1}


@pytest.mark.parametrize("text", ["\x00", "\ud800", "\x1b[2J\n", "' OR 1 = 1 --", "\U0001f600", "%s ? {}"])
def test_hostile_text_is_kept_and_found(database: Database, text: str) -> None:
    made = alert(0, process=text, rule=f"R{text}", output_fields={"fd.name": text}, hostname=text)
    keeping(database).take([packed(made, 0)])
    (found,) = AlertReader(database).newest_first(Wanted())
    shown = text.replace("\ud800", "\ufffd")
    assert found.alert.output_fields["fd.name"] == shown
    assert found.alert.rule == f"R{shown}"


def test_a_batch_that_cannot_be_written_is_not_counted_and_can_be_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    keeper = keeping(database)
    keeper.take(batch(0, 10))
    write_many = database.write_many

    def fail(sql: str, rows: Any) -> None:
        if "INTO incidents" in sql:
            raise StoreError("The disk is full.")
        write_many(sql, rows)

    monkeypatch.setattr(database, "write_many", fail)
    with pytest.raises(StoreError):
        keeper.take(batch(10, 100))
    monkeypatch.undo()
    assert AlertReader(database).count(Wanted()) == 10
    keeper.take(batch(10, 100))
    assert reading.issues(database)[0].count == 110
    assert len(list(AlertReader(database).newest_first(Wanted()))) == 110


def test_a_store_is_read_while_it_is_written(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    keeper = keeping(database)
    keeper.take(batch(0, 10))
    reader = SqliteDatabase(tmp_path / "store.db", write=False)
    with database.transaction():
        database.write("DELETE FROM alerts")
        assert AlertReader(reader).count(Wanted()) == 10
    assert AlertReader(reader).count(Wanted()) == 0
    with pytest.raises(StoreError):
        reader.write("DELETE FROM issues")


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "store.db", make=True)
    keeper = keeping(database)
    keeper.take(batch(0, 1))
    database.read(f"PRAGMA max_page_count = {database._pragma('page_count')}")
    with pytest.raises(StoreError, match=r"cannot be used: database or disk is full\."):
        keeper.take(batch(1, 1000))
    assert reading.issues(database)[0].count == 1
    assert sqlite3.connect(tmp_path / "store.db").execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_times_may_come_in_any_order(database: Database) -> None:
    keeping(database).take([packed(alert(one), one) for one in (5, 1, 3)])
    found = [one.alert.time - START for one in AlertReader(database).newest_first(Wanted())]
    assert found == sorted(found, reverse=True)
