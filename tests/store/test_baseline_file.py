"""What is learnt of a cluster is kept, and what people decide of it is followed."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.baseline.clock import SECOND
from hullwatch.config.kubernetes_baseline_settings import BaselineSettings
from hullwatch.errors import UsageError
from hullwatch.store import baseline_file, baseline_keeping
from hullwatch.store.baseline_file import FILE, BaselineFile
from hullwatch.store.baseline_keeping import BaselineKeeping
from hullwatch.store.database import NoStoreError, StoreError
from tests.baseline.events import HOUR, MONDAY, call, deployment

if TYPE_CHECKING:
    from pathlib import Path

QUICK = BaselineSettings(learn=3600.0)


def keeping(state: Path, settings: BaselineSettings = QUICK) -> BaselineKeeping:
    return BaselineKeeping(settings, state)


def worked(state: Path) -> int:
    """Learn some hours of alice's work in a run that ends; return the time of its end."""
    run = keeping(state)
    for hour in range(4):
        run.look(call(MONDAY + hour * HOUR))
        run.look(deployment(MONDAY + hour * HOUR))
    assert [one[0] for one in run.tick()] == ["Baseline learnt"]
    run.close()
    return MONDAY + 3 * HOUR


def test_a_restart_knows_what_was_learnt_and_tells_nothing_twice(tmp_path: Path) -> None:
    now = worked(tmp_path)
    again = keeping(tmp_path)
    assert again.look(call(now)) == ()
    assert again.look(deployment(now)) == ()
    assert again.tick() == []
    (user, *_) = again.look(call(now, "mallory"))
    assert (user.kind, user.value) == ("user", "mallory")
    status: Any = again.status()
    (cluster,) = status["clusters"].values()
    assert (cluster["began"], cluster["learnt"]) == (MONDAY, MONDAY + HOUR)
    assert cluster["values"] == status["values"] > 0
    assert status["size"] > 0
    again.close()


def test_what_was_new_when_the_process_was_killed_is_new_for_the_same_event_and_for_no_other(tmp_path: Path) -> None:
    now = worked(tmp_path)
    run = keeping(tmp_path)
    event = call(now + HOUR, "mallory")
    first = run.look(event)
    run.tick()  # what is new is kept at once; the process is killed, and the event is sent again
    again = keeping(tmp_path)
    assert first
    assert again.look(event) == first
    assert again.look(call(now + HOUR, "mallory")) == ()
    for one in (run, again):
        one.close()


def test_the_hours_of_people_are_kept(tmp_path: Path) -> None:
    now = worked(tmp_path)
    run = keeping(tmp_path)
    run.look(call(now))
    run.close()
    file = BaselineFile(tmp_path / FILE)
    learnt, span = baseline_keeping.make_baseline(QUICK)
    file.load(learnt, span)
    file.close()
    assert sum(learnt.clusters[""].hours["alice"].counts) == 9
    assert learnt.clusters[""].kinds["user"].items()[0][1].count == 9


def test_decisions_are_followed_by_the_run_and_can_be_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline_keeping, "FOLLOW", 0.0)
    now = worked(tmp_path)
    run = keeping(tmp_path)
    file = BaselineFile(tmp_path / FILE, write=True)
    accepted = file.decide("bob (1000)", "accept", "user", "carol", "a new colleague")
    file.decide("bob (1000)", "forget", "user", "alice", "left us")
    run.tick()
    assert [one.value for one in run.look(call(now, "carol")) if one.kind == "user"] == []
    assert [one.value for one in run.look(call(now)) if one.kind == "user"] == ["alice"]
    file.undo(accepted.number, "bob (1000)", "was not")
    run.tick()
    file.decide("bob (1000)", "forget", "user", "carol", "to be told")
    run.tick()
    assert [one.value for one in run.look(call(now, "carol")) if one.kind == "user"] == ["carol"]
    with pytest.raises(UsageError, match="no accepted value with the number 1"):
        file.undo(accepted.number, "bob (1000)", "again")
    file.close()
    run.close()


def test_what_cannot_be_saved_is_told_and_saved_later_and_nothing_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline_keeping, "RETRY", 0.0)
    monkeypatch.setattr(baseline_keeping, "MOST_UNSAVED", 0)
    now = worked(tmp_path)
    run = keeping(tmp_path)
    run.look(call(now, "mallory"))

    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(BaselineFile, "save", full)
        run.tick()
    assert run.problem == "What is ordinary in the cluster cannot be kept: The disk is full."
    run.tick()
    assert run.problem == ""
    run.close()
    again = keeping(tmp_path)
    assert again.look(call(now, "mallory")) == again.look(call(now)) == ()
    again.close()


def test_a_damaged_file_is_set_aside_and_learning_begins_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    run = keeping(tmp_path)
    ((rule, _, text),) = run.tick()
    assert rule == "Baseline begins anew"
    assert f"{FILE}.damaged" in text
    run.close()


def test_a_file_of_another_version_is_brought_up_to_date_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked(tmp_path)
    monkeypatch.setattr(baseline_file, "VERSION", 2)
    monkeypatch.setitem(baseline_file.UPGRADES, 1, ("ALTER TABLE seen ADD COLUMN more TEXT NOT NULL DEFAULT ''",))
    with pytest.raises(StoreError, match="is of an older Hullwatch"):
        BaselineFile(tmp_path / FILE)
    keeping(tmp_path).close()
    assert (tmp_path / f"{FILE}.version-1").exists()
    columns = sqlite3.connect(tmp_path / FILE)
    assert columns.execute("SELECT count(*) FROM seen WHERE more = ''").fetchone()[0] > 0
    columns.close()
    monkeypatch.setattr(baseline_file, "VERSION", 1)
    refused = keeping(tmp_path)
    refused.tick()
    assert "is of a newer Hullwatch" in refused.problem
    assert refused.look(call(MONDAY, "mallory")) == ()


def test_nothing_is_learnt_where_that_is_switched_off_and_no_file_is_made(tmp_path: Path) -> None:
    run = keeping(tmp_path, BaselineSettings(enabled=False))
    assert run.judging is None
    assert run.tick() == []
    run.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NoStoreError, match="Nothing was learnt yet"):
        BaselineFile(tmp_path / FILE)


def test_a_flood_of_values_leaves_a_file_that_does_not_grow(tmp_path: Path) -> None:
    run = keeping(tmp_path, BaselineSettings(most=1000))
    for number in range(2000):
        run.look(call(MONDAY + number * SECOND, f"user-{number}"))
    (rule, priority, text) = run.tick()[-1]
    assert (rule, priority) == ("Baseline is full", "Warning")
    assert (
        "values were forgotten for want of room (kubernetes.baseline.most is 1,000), most of them of the kind" in text
    )
    run.look(call(MONDAY, "user-after"))
    assert run.tick() == []  # once in a while is enough
    run.close()
    file = BaselineFile(tmp_path / FILE)
    ((rows,),) = file.database.read("SELECT max(n) FROM (SELECT count(*) AS n FROM seen GROUP BY kind)")
    file.close()
    assert rows <= 100
