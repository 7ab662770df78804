"""Logs become Parquet files, and nothing is lost, doubled or spoiled on the way."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.store.kept import folder, packing
from hullwatch.store.kept.packing import pack
from tests.store.kept.made import BEGIN, HOUR, frame, made, numbers, write

if TYPE_CHECKING:
    from collections.abc import Callable

parquet: Any = importlib.import_module("pyarrow.parquet")


def files(root: Path) -> list[str]:
    """Return the names of the files of all hours."""
    return [one.name for _, hour in folder.hours(root) for one in sorted(hour.iterdir())]


def test_the_logs_of_an_hour_become_one_file_with_those_that_come_later(tmp_path: Path) -> None:
    write(tmp_path, frame([made(1), made(2)]))
    write(tmp_path, frame([made(3), made(9, time=BEGIN + HOUR)]))
    assert pack(tmp_path) == (2, 4, 0)
    assert files(tmp_path) == ["1-2.3.parquet", "3-3.1.parquet"]
    write(tmp_path, frame([made(4)]))
    assert pack(tmp_path) == (1, 4, 0)
    assert files(tmp_path) == ["1-4.4.parquet", "3-3.1.parquet"]
    assert numbers(tmp_path) == [1, 2, 3, 4, 9]
    assert pack(tmp_path) == (0, 0, 0)


def test_a_log_that_is_being_written_stays(tmp_path: Path) -> None:
    write(tmp_path, frame([made(1)]))
    write(tmp_path, frame([made(2)]))
    _, hour = folder.hours(tmp_path)[0]
    (hour / "1.log").rename(hour / "1.open")
    assert pack(tmp_path) == (0, 0, 0)  # the order of logs is the order in which they are packed
    assert numbers(tmp_path) == [1, 2]


def test_large_files_are_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SMALL", 0)
    for number in (1, 2):
        write(tmp_path, frame([made(number)]))
        pack(tmp_path)
    assert files(tmp_path) == ["1-1.1.parquet", "2-2.1.parquet"]


def test_what_others_read_has_types_and_is_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path, frame([made(2, proc_name="é"), made(1, evt_rawres=-2, rule="A rule")]))
    pack(tmp_path)
    table = parquet.read_table(next(tmp_path.rglob("*.parquet")), partitioning=None)
    rows = table.to_pylist()
    assert [row["evt.num"] for row in rows] == [1, 2]
    assert [row["proc.name"] for row in rows] == ["curl", "é"]
    assert [row["alert.rule"] for row in rows] == ["A rule", None]
    assert rows[0]["evt.rawtime"] == BEGIN + 1_000_000
    assert str(table.schema.field("evt.time").type) == "timestamp[ns, tz=UTC]"
    assert str(table.schema.field("user.uid").type) == "uint32"


def test_a_value_that_fits_no_column_is_absent(tmp_path: Path) -> None:
    write(tmp_path, frame([made(1, fd_rport=70_000, proc_pid="many"), made(2, fd_rport=443)]))
    pack(tmp_path)
    assert numbers(tmp_path, "not fd.rport exists and not proc.pid exists") == [1]
    assert numbers(tmp_path, "fd.rport = 443") == [2]


@pytest.mark.parametrize("step", range(5))
def test_a_packer_that_ends_between_any_two_steps_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    for number in (1, 2, 3):
        write(tmp_path, frame([made(number)]))
    pack(tmp_path)
    for number in (4, 5):
        write(tmp_path, frame([made(number)]))
    left = [step]

    class EndedError(BaseException):
        pass

    def stopping(call: Callable[..., object]) -> object:
        def stop(*arguments: object, **more: object) -> object:
            if not left[0]:
                raise EndedError
            left[0] -= 1
            return call(*arguments, **more)

        return stop

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", stopping(os.fsync))
        patched.setattr(Path, "rename", stopping(Path.rename))
        patched.setattr(Path, "unlink", stopping(Path.unlink))
        with contextlib.suppress(EndedError):
            pack(tmp_path)
        assert numbers(tmp_path) == [1, 2, 3, 4, 5]
    pack(tmp_path)
    assert numbers(tmp_path) == [1, 2, 3, 4, 5]
    assert files(tmp_path) == ["1-5.5.parquet"]


def test_a_disk_that_is_full_leaves_the_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, frame([made(1)]))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            pack(tmp_path)
    assert files(tmp_path) == ["1.log"]
    assert numbers(tmp_path) == [1]


def test_two_do_not_pack_at_once(tmp_path: Path) -> None:
    import fcntl

    write(tmp_path, frame([made(1)]))
    with (tmp_path / packing.LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert pack(tmp_path) == (0, 0, 0)
    assert pack(tmp_path) == (1, 1, 0)


def test_many_events_are_in_the_order_of_time_across_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "ROWS", 10)
    shuffled = [made(number) for number in range(100)]
    for place in range(0, 100, 5):
        shuffled[place], shuffled[place + 4] = shuffled[place + 4], shuffled[place]
    write(tmp_path, *(frame(shuffled[place : place + 20]) for place in range(0, 100, 20)))
    pack(tmp_path)
    file = parquet.ParquetFile(next(tmp_path.rglob("*.parquet")))
    assert file.num_row_groups > 2
    assert file.read().column("evt.num").to_pylist() == list(range(100))
