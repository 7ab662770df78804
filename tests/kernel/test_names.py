"""Names of files made and removed, as the sensor reports them: unlink, rmdir, mkdir, mknod and their kin."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Record, Sensor

    Call = Callable[..., int]

UNLINK, RMDIR, UNLINKAT, MKDIR, MKDIRAT, MKNOD, MKNODAT = 87, 84, 263, 83, 258, 133, 259
WORKING_DIRECTORY = -100
REMOVE_DIRECTORY = 0x200


def report(sensor: Sensor, call: Call, name: str, number: int, *arguments: Any) -> Record:
    """Make a call and return its record, the result checked."""
    results: list[int] = []
    record = sensor.during(lambda: results.append(call(number, *arguments))).one(name, pid=os.getpid())
    assert record.number("res") == results[0]
    assert record.has_flag("USER_MEMORY")  # a name is the caller's
    return record


def test_unlink_names_the_file_that_it_removed(sensor: Sensor, call: Call, here: Path) -> None:
    record = report(sensor, call, "unlink", UNLINK, b"file")
    assert (record.number("res"), record.text("path"), record.text("nameraw")) == (0, str(here / "file"), "file")
    assert not (here / "file").exists()


def test_an_absolute_name_is_the_path_itself(sensor: Sensor, call: Call, here: Path) -> None:
    record = report(sensor, call, "unlink", UNLINK, bytes(here / "file"))
    assert (record.text("path"), record.text("nameraw")) == (str(here / "file"), "")


def test_unlink_that_failed_has_the_error_and_the_path(sensor: Sensor, call: Call, here: Path) -> None:
    record = report(sensor, call, "unlink", UNLINK, b"no such")
    assert (record.number("res"), record.text("path")) == (-errno.ENOENT, str(here / "no such"))


def test_rmdir_names_the_directory_without_its_last_slash(sensor: Sensor, call: Call, here: Path) -> None:
    (here / "folder").mkdir()
    record = report(sensor, call, "rmdir", RMDIR, b"./folder//")
    assert (record.number("res"), record.text("path")) == (0, str(here / "folder"))
    assert record.text("nameraw") == "./folder//"
    record = report(sensor, call, "rmdir", RMDIR, b"file")
    assert (record.number("res"), record.text("path")) == (-errno.ENOTDIR, str(here / "file"))


def test_unlinkat_has_the_directory_of_its_descriptor(sensor: Sensor, call: Call, here: Path) -> None:
    (here / "folder").mkdir()
    (here / "folder" / "inner").mkdir()
    (here / "folder" / "it").write_text("")
    descriptor = os.open(here / "folder", os.O_RDONLY)
    try:
        record = report(sensor, call, "unlinkat", UNLINKAT, descriptor, b"it", 0)
        assert (record.number("res"), record.text("name")) == (0, str(here / "folder" / "it"))
        assert (record.number("dirfd"), record.number("flags")) == (descriptor, 0)
        record = report(sensor, call, "unlinkat", UNLINKAT, descriptor, b"inner", REMOVE_DIRECTORY)
        assert record.number("flags") == FLAGS["unlinkat_flags"]["AT_REMOVEDIR"]
        record = report(sensor, call, "unlinkat", UNLINKAT, descriptor, b"../folder/gone", 0)
        assert (record.number("res"), record.text("name")) == (-errno.ENOENT, str(here / "folder" / "gone"))
    finally:
        os.close(descriptor)


def test_a_descriptor_that_is_none_leaves_the_name_as_it_was_written(sensor: Sensor, call: Call) -> None:
    record = report(sensor, call, "unlinkat", UNLINKAT, 999_999, b"some/../name", 0)
    assert (record.number("res"), record.number("dirfd")) == (-errno.EBADF, 999_999)
    assert (record.text("name"), record.text("nameraw")) == ("some/../name", "")


@pytest.mark.parametrize(("name", "number"), [("mkdir", MKDIR), ("mkdirat", MKDIRAT)])
def test_mkdir_has_path_and_mode(sensor: Sensor, call: Call, here: Path, name: str, number: int) -> None:
    before = [WORKING_DIRECTORY] if name == "mkdirat" else []
    record = report(sensor, call, name, number, *before, b"new", 0o1750)
    assert (record.number("res"), record.text("path"), record.number("mode")) == (0, str(here / "new"), 0o1750)
    assert (here / "new").is_dir()
    record = report(sensor, call, name, number, *before, b"file", 0o700)
    assert (record.number("res"), record.text("path")) == (-errno.EEXIST, str(here / "file"))


@pytest.mark.parametrize(("name", "number"), [("mknod", MKNOD), ("mknodat", MKNODAT)])
def test_mknod_has_kind_and_device(sensor: Sensor, call: Call, here: Path, name: str, number: int) -> None:
    before = [WORKING_DIRECTORY] if name == "mknodat" else []
    record = report(sensor, call, name, number, *before, b"null", stat.S_IFCHR | 0o640, os.makedev(1, 3))
    assert (record.text("path"), record.number("dev")) == (str(here / "null"), os.makedev(1, 3))
    assert record.number("mode") == stat.S_IFCHR | 0o640
    record = report(sensor, call, name, number, *before, b"file", stat.S_IFIFO | 0o600, 0)
    assert (record.number("res"), record.text("path")) == (-errno.EEXIST, str(here / "file"))
