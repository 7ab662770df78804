"""Permissions, owners, sizes, times and attributes of files, as the sensor reports their change."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS
from tests.kernel.test_names import WORKING_DIRECTORY, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kernel.observation import Record, Sensor

    Call = Callable[..., int]

CHMOD, FCHMOD, FCHMODAT, FCHMODAT2 = 90, 91, 268, 452
CHOWN, FCHOWN, LCHOWN, FCHOWNAT = 92, 93, 94, 260
NO_FOLLOW, EMPTY_PATH = 0x100, 0x1000
LEFT = 0xFFFFFFFF
AT_FLAGS = FLAGS["fchownat_flags"]


@pytest.fixture
def descriptor(here: Path) -> Iterator[int]:
    """A descriptor of ``file`` in the working directory, open for writing."""
    opened = os.open(here / "file", os.O_RDWR)
    yield opened
    os.close(opened)


def described(sensor: Sensor, call: Call, name: str, number: int, *arguments: Any) -> Record:
    """Make a call with a descriptor and return its record, what is said of the file checked."""
    results: list[int] = []
    record = sensor.during(lambda: results.append(call(number, *arguments))).one(name, pid=os.getpid())
    assert (record.number("res"), record.number("fd")) == (results[0], arguments[0])
    assert not record.has_flag("USER_MEMORY")
    if results[0] != -errno.EBADF:
        status = os.fstat(arguments[0])
        assert (record.number("ino"), record.number("dev")) == (status.st_ino, status.st_dev)
        assert record.number("inode_mode") == status.st_mode
    else:
        assert (record.text("name"), record.number("ino"), record.number("inode_mode")) == ("", 0, 0)
    return record


def test_chmod_has_path_and_mode(sensor: Sensor, call: Call, here: Path) -> None:
    record = report(sensor, call, "chmod", CHMOD, b"file", 0o4755)
    assert (record.number("res"), record.text("filename"), record.text("nameraw")) == (0, str(here / "file"), "file")
    assert record.number("mode") == 0o4755
    record = report(sensor, call, "chmod", CHMOD, b"gone", 0o600)
    assert (record.number("res"), record.text("filename")) == (-errno.ENOENT, str(here / "gone"))


def test_fchmodat_begins_at_its_descriptor(sensor: Sensor, call: Call, here: Path) -> None:
    folder = os.open(here, os.O_RDONLY)
    try:
        record = report(sensor, call, "fchmodat", FCHMODAT, folder, b"file", 0o2711)
        assert (record.number("res"), record.number("dirfd"), record.number("mode")) == (0, folder, 0o2711)
        assert record.text("filename") == str(here / "file")
        record = report(sensor, call, "fchmodat", FCHMODAT, folder, b"gone", 0o2711)
        assert (record.number("res"), record.text("filename")) == (-errno.ENOENT, str(here / "gone"))
    finally:
        os.close(folder)


def test_fchmodat2_has_its_flags(sensor: Sensor, call: Call, here: Path, descriptor: int) -> None:
    record = report(sensor, call, "fchmodat2", FCHMODAT2, descriptor, b"", 0o700, EMPTY_PATH)
    if record.number("res") == -errno.ENOSYS:
        pytest.skip("this kernel has no fchmodat2, which came in 6.6")
    assert (record.number("res"), record.text("filename")) == (0, str(here / "file"))
    assert record.number("flags") == AT_FLAGS["AT_EMPTY_PATH"]
    record = report(sensor, call, "fchmodat2", FCHMODAT2, WORKING_DIRECTORY, b"gone", 0o700, NO_FOLLOW)
    assert (record.number("res"), record.text("filename")) == (-errno.ENOENT, str(here / "gone"))
    assert record.number("flags") == AT_FLAGS["AT_SYMLINK_NOFOLLOW"]


def test_fchmod_names_the_file_by_the_kernels_objects(sensor: Sensor, call: Call, here: Path, descriptor: int) -> None:
    (here / "file").rename(here / "moved")
    record = described(sensor, call, "fchmod", FCHMOD, descriptor, 0o4711)
    assert (record.number("res"), record.text("name"), record.number("mode")) == (0, str(here / "moved"), 0o4711)
    assert record.number("inode_mode") == 0o104711


def test_fchmod_of_no_descriptor_has_no_file(sensor: Sensor, call: Call) -> None:
    assert described(sensor, call, "fchmod", FCHMOD, 999_999, 0o4711).number("res") == -errno.EBADF


@pytest.mark.parametrize(("name", "number"), [("chown", CHOWN), ("lchown", LCHOWN)])
def test_chown_has_path_and_both_ids(sensor: Sensor, call: Call, here: Path, name: str, number: int) -> None:
    record = report(sensor, call, name, number, b"file", 1234, LEFT)
    assert (record.number("res"), record.text("path")) == (0, str(here / "file"))
    assert (record.number("uid"), record.number("gid")) == (1234, LEFT)
    record = report(sensor, call, name, number, b"gone", 0, 0)
    assert (record.number("res"), record.text("path")) == (-errno.ENOENT, str(here / "gone"))


def test_fchownat_has_its_flags(sensor: Sensor, call: Call, here: Path, descriptor: int) -> None:
    record = report(sensor, call, "fchownat", FCHOWNAT, descriptor, b"", 5, 6, EMPTY_PATH | NO_FOLLOW)
    assert (record.number("res"), record.text("pathname")) == (0, str(here / "file"))
    assert (record.number("uid"), record.number("gid")) == (5, 6)
    assert record.number("flags") == AT_FLAGS["AT_EMPTY_PATH"] | AT_FLAGS["AT_SYMLINK_NOFOLLOW"]
    record = report(sensor, call, "fchownat", FCHOWNAT, WORKING_DIRECTORY, b"./gone", 0, 0, 0)
    assert (record.number("res"), record.text("pathname")) == (-errno.ENOENT, str(here / "gone"))


def test_fchown_names_the_file_by_the_kernels_objects(sensor: Sensor, call: Call, here: Path, descriptor: int) -> None:
    record = described(sensor, call, "fchown", FCHOWN, descriptor, 7, 8)
    assert (record.number("res"), record.text("name")) == (0, str(here / "file"))
    assert (record.number("uid"), record.number("gid")) == (7, 8)
    assert described(sensor, call, "fchown", FCHOWN, 999_999, 7, 8).number("res") == -errno.EBADF
