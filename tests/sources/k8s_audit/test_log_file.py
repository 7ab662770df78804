"""Log files are followed through every way of rotation, and each line comes once, also over restarts."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from hullwatch.errors import CannotError
from hullwatch.sources.k8s_audit.counts import TOO_LARGE, IntakeCounts
from hullwatch.sources.k8s_audit.log_file import NOT_FOUND, LogFile
from hullwatch.sources.k8s_audit.log_opening import number_of, open_log, rotated_files
from hullwatch.sources.k8s_audit.log_place import Place, Places

if TYPE_CHECKING:
    from pathlib import Path


class Log:
    """A log that is written, rotated and read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "audit.log"
        self.written: list[bytes] = []
        self.got: list[bytes] = []
        self.counts = IntakeCounts()
        self.place: Place | None = None
        self.begin(from_end=False)

    def begin(self, *, from_end: bool = False) -> None:
        """Start to read, as a process that was started again."""
        files = [str(self.path)]
        self.file = LogFile(lambda n: open_log(files, number_of(0, n)), self.counts, self.place, from_end=from_end)

    def write(self, number: int = 1, *, end: bytes = b"\n") -> None:
        with self.path.open("ab") as stream:
            for _ in range(number):
                line = b"line %d %s" % (len(self.written), b"x" * 20)
                self.written.append(line)
                stream.write(line + end)

    def read(self, looks: int = 3) -> list[bytes]:
        for _ in range(looks):
            for lines, place in self.file.read():
                self.got += lines
                self.place = place
        return self.got

    def rename(self, name: str) -> None:
        self.path.rename(self.path.with_name(name))

    def age(self) -> None:
        """Make the names of now older than those that come."""
        for one in self.path.parent.iterdir():
            found = one.stat()
            os.utime(one, ns=(found.st_atime_ns, found.st_mtime_ns - 10**9))


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_lines_come_when_they_are_whole(log: Log) -> None:
    assert log.read() == []
    log.write(3)
    log.write(end=b"")
    assert log.read() == log.written[:3]
    with log.path.open("ab") as stream:
        stream.write(b"!\n")
    assert log.read()[3:] == [log.written[3] + b"!"]


def test_a_file_of_which_nothing_is_known_is_begun_at_its_end_and_one_that_comes_at_its_beginning(log: Log) -> None:
    log.write(3)
    log.begin(from_end=True)
    assert log.read() == []
    log.write(2)
    assert log.read() == log.written[3:]
    other = Log(log.path.parent / "later")
    other.begin(from_end=True)
    assert other.read() == []
    other.path.parent.mkdir()
    other.write(2)
    other.rename("audit-2026-11-28T12-00-00.000.log")
    other.write(2)
    other.begin(from_end=True)
    assert other.read() == other.written
    assert not other.counts.left_out


def test_what_comes_while_nobody_reads_is_new_also_before_the_first_line(log: Log) -> None:
    log.write(3)
    log.begin(from_end=True)
    log.read()
    log.write(2)
    log.rename("audit-2026-11-28T12-00-00.000.log")
    log.write(2)
    log.begin(from_end=True)
    assert log.read() == log.written[3:]


def test_a_rename_loses_nothing_also_what_is_written_behind_it(log: Log) -> None:
    log.write(3)
    log.read()
    with log.path.open("ab") as stream:
        log.rename("audit-2026-11-28T12-00-00.000.log")
        log.write(2)
        log.file.problem = ""
        log.read(1)
        stream.write(b"written by one who did not know yet\n")
    assert log.read(4) == [*log.written[:3], b"written by one who did not know yet", *log.written[3:]]


def test_a_copy_that_is_cut_loses_nothing_of_before_the_copy(log: Log) -> None:
    log.write(30)
    log.read()
    log.write(5)
    shutil.copy(log.path, log.path.with_name("audit.log.1"))
    os.truncate(log.path, 0)
    log.write(2)
    assert log.read() == log.written
    shutil.copy(log.path, log.path.with_name("audit.log.1"))
    os.truncate(log.path, 0)
    log.write(100)  # more than there was: the size says nothing
    assert log.read() == log.written
    assert not log.counts.left_out


def test_a_restart_goes_on_where_it_was_through_any_number_of_rotations(log: Log) -> None:
    log.write(30)
    log.read()
    log.write(4)
    for number in range(3):
        log.age()
        log.rename(f"audit-2026-11-28T12-00-0{number}.000.log")
        log.write(5 + number)
    log.begin()
    assert log.read(1) == log.written
    log.begin()
    assert log.read() == log.written
    assert not log.counts.left_out


def test_rotated_files_may_be_compressed(log: Log) -> None:
    log.write(50)
    log.read()
    log.write(4)
    packed = log.path.with_name("audit.log.1.gz")
    packed.write_bytes(gzip.compress(log.path.read_bytes()))
    log.path.unlink()
    log.write(3)
    log.begin()
    assert log.read() == log.written


def test_what_is_gone_is_counted_and_the_rest_is_read(log: Log) -> None:
    log.write(30)
    log.read()
    log.write(4)
    log.path.unlink()
    log.write(2)
    log.begin()
    assert log.read() == log.written[:30] + log.written[34:]
    assert log.counts.left_out == {NOT_FOUND: 1}


def test_a_file_that_was_read_to_its_end_may_go(log: Log) -> None:
    log.write(3)
    log.read()
    log.path.unlink()
    log.write(2)
    assert log.read(4) == log.written
    assert not log.counts.left_out


def test_a_line_that_is_too_long_is_counted_and_passed_over(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.sources.k8s_audit.log_file.LONGEST_LINE", 1 << 20)
    with log.path.open("wb") as stream:
        stream.write(b"y" * (3 << 20) + b"\n")
    log.write(2)
    assert log.read() == log.written
    assert log.counts.left_out == {TOO_LARGE: 1}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_in_whatever_order_each_line_comes_once(log: Log, seed: int) -> None:
    chance = random.Random(seed)
    for step in range(60):
        log.write(chance.randrange(1, 40))
        match chance.randrange(6):
            case 0 if log.got:
                log.read(2)  # a copy loses what its reader has not seen in time; a rename does not
                log.age()
                log.rename(f"audit-{step:03}.log")
            case 1 if log.got:
                log.age()
                shutil.copy(log.path, log.path.with_name(f"audit.log.{step:03}"))
                os.truncate(log.path, 0)
            case 2:
                log.begin()
            case _:
                log.read(chance.randrange(3))
    log.write()
    assert log.read(4) == log.written
    assert not log.counts.left_out


def test_only_files_of_the_log_count_as_rotated_and_links_do_not(tmp_path: Path) -> None:
    names = ["audit.log.1", "audit.log-20261128.gz", "audit-2026-11-28T12-00-00.000.log.gz", "audit.log"]
    for name in [*names, "audit.login", "audit-policy.yaml", "other.log", "audit"]:
        (tmp_path / name).write_text("x")
    (tmp_path / "audit.log.9").symlink_to("/etc/shadow")
    (tmp_path / "audit.log.d").mkdir()
    assert {one.name for one in rotated_files(tmp_path / "audit.log")} == set(names[:3])


def test_what_is_no_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "audit.log")
    with pytest.raises(CannotError, match="is not a file that a log is written to"):
        open_log([str(tmp_path / "audit.log")], 0)
    with pytest.raises(CannotError, match="no log file number 1"):
        open_log([str(tmp_path / "audit.log")], number_of(1, 0))


def test_places_are_kept_on_the_disk(tmp_path: Path) -> None:
    place = Place(1, "f", 10, 20)
    Places(tmp_path).keep("/a", place)
    assert Places(tmp_path).get("/a") == place
    (tmp_path / "k8s-audit-places.json").write_text("{")
    assert Places(tmp_path).get("/a") is None
    places = Places(tmp_path / "absent")
    places.keep("/a", place)
    assert "cannot be kept" in places.problem
