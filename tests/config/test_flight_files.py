"""The directory of captures: names that say the container, limits that hold, no directory that others may change."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from hullwatch.config.flight_files import FlightFiles
from hullwatch.config.settings import FlightRecorderSettings
from hullwatch.errors import CannotError

A, B = 0xAAAAAAAAAAAA, 0xBBBBBBBBBBBB
SMALL = 1 << 16


def made(files: FlightFiles, container: int, *, age: float = 3600, size: int = 10) -> Path:
    """Make a capture that was written some seconds ago; return it."""
    stream, path, _ = files.open(container)
    with stream:
        stream.write(bytes(size))
        then = time.time() - age
        os.utime(stream.fileno(), (then, then))
    return Path(path)


def test_the_name_says_when_and_which_container_and_the_file_is_for_root_alone(tmp_path: Path) -> None:
    files = FlightFiles(FlightRecorderSettings(), tmp_path)
    path, host = made(files, 0xABCD), made(files, 0)
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z-00000000abcd\.hwcap", path.name)
    assert host.name.endswith("Z-host.hwcap")
    assert path.parent == tmp_path / "captures"
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_captures_of_the_same_millisecond_have_different_names(tmp_path: Path) -> None:
    files = FlightFiles(FlightRecorderSettings(), tmp_path)
    assert len({made(files, A) for _ in range(20)}) == 20


def test_the_oldest_of_the_container_that_has_most_goes_and_is_counted(tmp_path: Path) -> None:
    files = FlightFiles(FlightRecorderSettings(files=4), tmp_path)
    quiet = made(files, B)
    noisy = [made(files, A) for _ in range(3)]
    stream, path, removed = files.open(A)
    stream.close()
    assert removed == 1
    assert set(quiet.parent.iterdir()) == {quiet, *noisy[1:], Path(path)}


def test_all_together_take_no_more_than_is_set(tmp_path: Path) -> None:
    files = FlightFiles(FlightRecorderSettings(size=1 << 20, file_size=SMALL), tmp_path)
    for _ in range(30):
        made(files, A, size=SMALL)
    assert sum(one.stat().st_size for one in (tmp_path / "captures").iterdir()) <= 1 << 20


def test_captures_that_are_being_written_are_not_removed(tmp_path: Path) -> None:
    files = FlightFiles(FlightRecorderSettings(files=2), tmp_path)
    for _ in range(2):
        made(files, A, age=0)
    with pytest.raises(CannotError, match="2 captures, all of the last minute"):
        files.open(B)


def test_what_else_is_in_the_directory_stays(tmp_path: Path) -> None:
    files = FlightFiles(FlightRecorderSettings(files=1), tmp_path)
    other = tmp_path / "captures" / "mine.hwcap"
    other.touch()
    first = made(files, A, size=5)
    made(files, B, size=0)
    assert other.exists()
    assert not first.exists()


def test_where_the_disk_has_too_little_room_none_is_begun(tmp_path: Path) -> None:
    files = FlightFiles(FlightRecorderSettings(size=1 << 60, file_size=1 << 59), tmp_path)
    with pytest.raises(CannotError, match="bytes are free where"):
        files.open(A)
    assert not list((tmp_path / "captures").iterdir())


def test_a_directory_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotError, match=r"There is no directory /.*/missing for captures: make it"):
        FlightFiles(FlightRecorderSettings(directory=str(tmp_path / "missing")), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(CannotError, match="cannot be used: Not a directory"):
        FlightFiles(FlightRecorderSettings(directory=str(tmp_path / "file")), tmp_path)


def test_a_directory_that_others_may_change_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(CannotError, match="others than its owner may write to it"):
        FlightFiles(FlightRecorderSettings(directory=str(shared)), tmp_path)
    (tmp_path / "captures").symlink_to(shared)
    with pytest.raises(CannotError, match="cannot be used"):
        FlightFiles(FlightRecorderSettings(), tmp_path)


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a directory away")
    (tmp_path / "captures").mkdir()
    os.chown(tmp_path / "captures", 1000, 1000)
    with pytest.raises(CannotError, match="it belongs to user 1000"):
        FlightFiles(FlightRecorderSettings(), tmp_path)


def test_nothing_is_made_when_the_recorder_is_off(tmp_path: Path) -> None:
    files = FlightFiles(FlightRecorderSettings(enabled=False), tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(CannotError, match="off"):
        files.open(A)
