"""What a loss of power leaves of the store: the file, and as much of its log as had reached the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.store import reading
from hullwatch.store.opening import open_to_keep
from hullwatch.store.reading import AlertReader, Wanted
from hullwatch.store.schema import version
from tests.store.stored import batch, keeping

if TYPE_CHECKING:
    from pathlib import Path

BATCHES, SIZE = 12, 10
FRAME = 24 + 4096  # bytes of a page in SQLite's write-ahead log, with its header


@pytest.fixture(scope="module")
def mid_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Return the store's file and its log as they are while the keeper runs."""
    folder = tmp_path_factory.mktemp("run")
    database, _ = open_to_keep("", folder)
    keeper = keeping(database)
    for number in range(BATCHES):
        keeper.take(batch(number * SIZE, SIZE, rule=f"Rule {number % 3}"))
    found = (folder / "store.db").read_bytes(), (folder / "store.db-wal").read_bytes()
    database.close()
    return found


def _after_the_cut(folder: Path, store: bytes, log: bytes) -> int:
    """Open what is left as the keeper does, have all alerts come again, and return how many were there."""
    (folder / "store.db").write_bytes(store)
    (folder / "store.db-wal").write_bytes(log)
    database, said = open_to_keep("", folder)
    assert said == ""  # nothing was set aside as damaged
    there = AlertReader(database).count(Wanted()) if version(database) else 0  # nothing of it had reached the disk
    keeping(database).take(batch(0, BATCHES * SIZE - 5, rule="Rule 0"))
    assert AlertReader(database).count(Wanted()) >= BATCHES * SIZE - 5
    assert sum(issue.count for issue in reading.issues(database)) == AlertReader(database).count(Wanted())
    database.close()
    for path in folder.iterdir():
        path.unlink()
    return there


@pytest.mark.parametrize("behind", [-1, 0, 1, 24, 600], ids=lambda one: f"{one:+d}")
def test_a_log_that_is_cut_anywhere_has_whole_batches_and_the_keeper_goes_on(
    mid_run: tuple[bytes, bytes], tmp_path: Path, behind: int
) -> None:
    store, log = mid_run
    frames = (len(log) - 32) // FRAME
    counts = [
        _after_the_cut(tmp_path, store, log[: max(32 + frame * FRAME + behind, 0)])
        for frame in (*range(1, frames, max(1, frames // 12)), frames)
    ]
    assert counts == sorted(counts)
    assert all(count % SIZE == 0 for count in counts)
    assert counts[-1] == BATCHES * SIZE or (behind < 0 and counts[-1] == (BATCHES - 1) * SIZE)


@pytest.mark.parametrize("noise", [bytes(512), b"\xff" * 4096, b"hullwatch" * 400], ids=["zeros", "ones", "text"])
def test_sectors_of_something_else_at_the_end_of_the_log_take_the_last_batches_only(
    mid_run: tuple[bytes, bytes], tmp_path: Path, noise: bytes
) -> None:
    store, log = mid_run
    for back in (512, 4096, 3 * FRAME):
        torn = log[: len(log) - back] + noise
        assert _after_the_cut(tmp_path, store, torn) >= (BATCHES - 2) * SIZE
