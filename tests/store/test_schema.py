from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from hullwatch.store import schema
from hullwatch.store.database import BrokenStoreError, NoStoreError, StoreError
from hullwatch.store.opening import open_to_decide, open_to_keep, open_to_read
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.schema import STEPS, upgrade, version
from hullwatch.store.sqlite import SqliteDatabase
from tests.store.stored import batch, keeping

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.store.database import Database

MORE = (*STEPS, ("CREATE TABLE more (id {number}, at {integer})", "INSERT INTO more (at) VALUES (7)"))


def test_an_older_store_is_brought_up_to_date_and_keeps_what_it_has(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping(database).take(batch(0, 100))
    monkeypatch.setattr(schema, "VERSION", len(MORE))
    copy = upgrade(database, MORE)
    assert version(database) == len(MORE)
    assert database.read("SELECT at FROM more") == [(7,)]
    assert AlertReader(database).count(Wanted()) == 100
    if copy is not None:  # a server's files are not ours to copy
        assert copy.stat().st_mode & 0o777 == 0o600
        assert sqlite3.connect(copy).execute("SELECT count(*) FROM alerts").fetchone() == (100,)
    assert upgrade(database, MORE) is None


def test_a_step_that_fails_changes_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(database)
    wrong = (*STEPS, ("CREATE TABLE more (id {number})", "CREATE TABLE alerts (id {number})"))
    monkeypatch.setattr(schema, "VERSION", len(wrong))
    with pytest.raises(StoreError, match="exists"):
        upgrade(database, wrong)
    assert version(database) == len(STEPS)
    assert not database.has_table("more")


def test_a_newer_store_is_refused_with_what_to_do(tmp_path: Path) -> None:
    database, _ = open_to_keep("", tmp_path)
    upgrade(database)
    database.write("UPDATE meta SET value = '99'")
    for opening in (open_to_read, open_to_decide, open_to_keep):
        with pytest.raises(StoreError, match=r"written by a newer Hullwatch.*install the newer one again"):
            opening("", tmp_path)


def test_a_store_that_is_not_there_is_not_made_by_who_only_looks(tmp_path: Path) -> None:
    for opening in (open_to_read, open_to_decide):
        with pytest.raises(NoStoreError, match=r"There is no store at .*store\.db"):
            opening("", tmp_path)
    assert list(tmp_path.iterdir()) == []
    SqliteDatabase(tmp_path / "store.db", make=True).close()
    with pytest.raises(NoStoreError, match="nothing in the store"):
        open_to_read("", tmp_path)


def test_a_damaged_store_is_set_aside_and_another_one_made(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(BrokenStoreError, match="damaged"):
        open_to_read("", tmp_path)
    database, said = open_to_keep("", tmp_path)
    keeping(database).take(batch(0, 5))
    assert "is damaged" in said
    assert "store.db.damaged" in said
    assert (tmp_path / "store.db.damaged").stat().st_size == 5016
    assert AlertReader(open_to_read("", tmp_path)).count(Wanted()) == 5


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other.db"
    SqliteDatabase(other, make=True).close()
    path = tmp_path / "store.db"
    path.symlink_to(other) if kind == "link" else path.mkdir()
    for opening in (open_to_read, open_to_decide, open_to_keep):
        with pytest.raises(StoreError, match="is no file"):
            opening("", tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://eve:opensesame@/alerts?host={}",
        "postgresql://eve:opensesame@/alerts?host={}&port=wrong",
        "postgresql://eve:opensesame@host:1:2/alerts?{}",
        "postgresql:///alerts?host={}&password=opensesame&wrong=opensesame",
    ],
)
def test_a_server_that_cannot_be_reached_is_a_sentence_without_the_password(tmp_path: Path, url: str) -> None:
    pytest.importorskip("psycopg", reason="the extra postgresql is not installed")
    with pytest.raises(StoreError, match="The store in PostgreSQL cannot be used: ") as caught:
        open_to_read(url.format(tmp_path), tmp_path)
    assert "opensesame" not in str(caught.value)
