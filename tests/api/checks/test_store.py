from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.api.checks.store import store
from hullwatch.config.settings import StoreSettings
from hullwatch.store.keeper_status import FILE, KeeperStatus
from hullwatch.store.sqlite import SqliteDatabase
from tests.store.stored import batch, keeping

if TYPE_CHECKING:
    from pathlib import Path

NOW = time.time_ns()
NO_PROCESS = 1 << 30


def write(state: Path, pid: int | None = None, **values: Any) -> None:
    known: dict[str, Any] = {"updated": NOW} | values
    status = KeeperStatus(pid=os.getpid() if pid is None else pid, started=1, **known)
    (state / FILE).write_bytes(msgspec.json.encode(status))


def fill(state: Path) -> None:
    keeper = keeping(SqliteDatabase(state / "store.db", make=True))
    keeper.take(batch(0, 10))
    keeper.close()


def test_a_host_without_a_store_is_fine(tmp_path: Path) -> None:
    (found,) = store(StoreSettings(), tmp_path)
    assert (found.status, "made when 'hullwatch run' starts" in found.sentence) == ("ok", True)
    (found,) = store(StoreSettings(enabled=False), tmp_path)
    assert found.status == "ok"


def test_a_store_says_its_version_its_size_and_what_is_free(tmp_path: Path) -> None:
    fill(tmp_path)
    (found,) = store(StoreSettings(largest=1 << 20), tmp_path)
    assert found.status == "ok"
    assert "(version 1) has" in found.sentence
    assert "of 1,048,576 bytes" in found.sentence
    assert "bytes are free there" in found.sentence


def test_a_disk_that_has_too_little_room_is_told(tmp_path: Path) -> None:
    fill(tmp_path)
    (found,) = store(StoreSettings(largest=1 << 60), tmp_path)
    assert found.status == "warn"
    assert "cannot become as large as it may" in found.sentence
    assert found.fix.startswith("df ")


def test_a_damaged_store_fails(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database" * 1000)
    (found,) = store(StoreSettings(), tmp_path)
    assert (found.status, found.fix) == ("fail", "sudo hullwatch store check")


def test_a_keeper_that_runs_says_when_it_stored_something(tmp_path: Path) -> None:
    fill(tmp_path)
    write(tmp_path, kept=70, written=NOW - 60 * 10**9, incidents_open=4, removed={"size": 5}, counts={"came twice": 2})
    _, keeper = store(StoreSettings(), tmp_path, NOW)
    assert keeper.status == "ok"
    assert "has stored 70 alerts, the last 1m ago; 4 incidents are open, and 5 alerts were removed." in keeper.sentence


def test_a_keeper_that_cannot_store_hangs_or_has_ended_is_told(tmp_path: Path) -> None:
    write(tmp_path, problem="The disk is full.")
    assert "wait in memory: The disk is full." in store(StoreSettings(), tmp_path, NOW)[1].sentence
    assert store(StoreSettings(), tmp_path, NOW)[1].status == "fail"
    assert store(StoreSettings(), tmp_path, NOW + 60 * 10**9)[1].sentence.endswith("it hangs, or is another program.")
    write(tmp_path, pid=NO_PROCESS)
    ended = store(StoreSettings(), tmp_path, NOW + 60 * 10**9)[1]
    assert ended.sentence == "No keeper runs; the last one wrote 1m ago."
    write(tmp_path, counts={"unreadable": 3})
    assert [one.status for one in store(StoreSettings(), tmp_path, NOW)] == ["ok", "ok", "warn"]
