"""Permissions, owners, sizes, times and attributes of files, as the sensor reports their change."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
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
TRUNCATE, FTRUNCATE, UTIME, UTIMES, FUTIMESAT, UTIMENSAT = 76, 77, 132, 235, 261, 280
SETXATTR, LSETXATTR, FSETXATTR, SETXATTRAT = 188, 189, 190, 463
UNCHANGED, NOW = (1 << 64) - 1, (1 << 64) - 2
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


def test_truncate_has_path_and_length(sensor: Sensor, call: Call, here: Path) -> None:
    record = report(sensor, call, "truncate", TRUNCATE, b"file", 3)
    assert (record.number("res"), record.text("path"), record.number("length")) == (0, str(here / "file"), 3)
    record = report(sensor, call, "truncate", TRUNCATE, b"file", -1)
    assert (record.number("res"), record.number("length")) == (-errno.EINVAL, -1)


def test_ftruncate_names_the_file_by_the_kernels_objects(
    sensor: Sensor, call: Call, here: Path, descriptor: int
) -> None:
    record = described(sensor, call, "ftruncate", FTRUNCATE, descriptor, 1 << 20)
    assert (record.number("res"), record.text("name")) == (0, str(here / "file"))
    assert record.number("length") == 1 << 20
    assert described(sensor, call, "ftruncate", FTRUNCATE, 999_999, 0).number("res") == -errno.EBADF


def times(record: Record) -> tuple[int, int]:
    return record.number("atime"), record.number("mtime")


@pytest.mark.parametrize(("name", "number"), [("utime", UTIME), ("utimes", UTIMES), ("futimesat", FUTIMESAT)])
def test_old_calls_that_set_times_have_them_in_nanoseconds(
    sensor: Sensor, call: Call, here: Path, name: str, number: int
) -> None:
    at = [WORKING_DIRECTORY] if name == "futimesat" else []
    given = struct.pack("<qq", 1, 2) if name == "utime" else struct.pack("<qqqq", 1, 5, 2, 6)
    record = report(sensor, call, name, number, *at, b"file", ctypes.create_string_buffer(given, len(given)))
    assert (record.number("res"), record.text("path")) == (0, str(here / "file"))
    expected = (1_000_000_000, 2_000_000_000) if name == "utime" else (1_000_005_000, 2_000_006_000)
    assert times(record) == expected
    record = report(sensor, call, name, number, *at, b"gone", 0)
    assert (record.number("res"), record.text("path"), *times(record)) == (-errno.ENOENT, str(here / "gone"), NOW, NOW)


def test_utimensat_knows_now_and_what_is_left(sensor: Sensor, call: Call, here: Path, descriptor: int) -> None:
    given = ctypes.create_string_buffer(struct.pack("<qqqq", 0, 0x3FFFFFFF, 0, 0x3FFFFFFE), 32)
    record = report(sensor, call, "utimensat", UTIMENSAT, WORKING_DIRECTORY, b"file", given, NO_FOLLOW)
    assert (record.number("res"), *times(record)) == (0, NOW, UNCHANGED)
    assert (record.number("dirfd"), record.number("flags")) == (WORKING_DIRECTORY, AT_FLAGS["AT_SYMLINK_NOFOLLOW"])
    given = ctypes.create_string_buffer(struct.pack("<qqqq", 5, 6, 7, 8), 32)
    record = report(sensor, call, "utimensat", UTIMENSAT, descriptor, 0, given, 0)
    assert (record.number("res"), record.text("path"), record.text("nameraw")) == (0, str(here / "file"), "")
    assert times(record) == (5_000_000_006, 7_000_000_008)
    record = report(sensor, call, "utimensat", UTIMENSAT, 999_999, b"it", given, 0)
    assert (record.number("res"), record.text("path")) == (-errno.EBADF, "it")


@pytest.mark.parametrize(("name", "number"), [("setxattr", SETXATTR), ("lsetxattr", LSETXATTR)])
def test_setxattr_has_path_attribute_and_size(sensor: Sensor, call: Call, here: Path, name: str, number: int) -> None:
    record = report(sensor, call, name, number, b"./file", b"trusted.a\n\xff", b"12345", 5, 0)
    assert (record.number("res"), record.text("path")) == (0, str(here / "file"))
    assert (os.fsencode(record.text("attribute")), record.number("size")) == (b"trusted.a\n\xff", 5)
    record = report(sensor, call, name, number, b"gone", b"user.x", b"", 0, 2)
    assert (record.number("res"), record.text("path")) == (-errno.ENOENT, str(here / "gone"))
    assert record.number("flags") == FLAGS["setxattr_flags"]["XATTR_REPLACE"]


@pytest.mark.parametrize(("name", "flags"), [("setxattr", EMPTY_PATH), ("lsetxattr", NO_FOLLOW)])
def test_setxattrat_is_told_of_as_what_it_means(
    sensor: Sensor, call: Call, here: Path, descriptor: int, name: str, flags: int
) -> None:
    given = b"12345"
    value = ctypes.create_string_buffer(given, len(given))
    arguments = struct.pack("<QII", ctypes.addressof(value), len(given), 1)
    place, path = (descriptor, b"") if flags == EMPTY_PATH else (WORKING_DIRECTORY, b"./file")
    record = report(sensor, call, name, SETXATTRAT, place, path, flags, b"trusted.at", arguments, len(arguments))
    if record.number("res") == -errno.ENOSYS:
        pytest.skip(f"this kernel ({os.uname().release}) has no setxattrat()")
    assert (record.number("res"), record.text("path")) == (0, str(here / "file"))
    assert (record.text("attribute"), record.number("size")) == ("trusted.at", 5)
    assert record.number("flags") == FLAGS["setxattr_flags"]["XATTR_CREATE"]


def test_fsetxattr_names_the_file_by_the_kernels_objects(
    sensor: Sensor, call: Call, here: Path, descriptor: int
) -> None:
    record = described(sensor, call, "fsetxattr", FSETXATTR, descriptor, b"trusted.a", b"123", 3, 1)
    assert (record.number("res"), record.text("name")) == (0, str(here / "file"))
    assert (record.text("attribute"), record.number("size")) == ("trusted.a", 3)
    assert record.number("flags") == FLAGS["setxattr_flags"]["XATTR_CREATE"]
    record = described(sensor, call, "fsetxattr", FSETXATTR, 999_999, b"trusted.a", b"", 0, 0)
    assert (record.number("res"), record.text("attribute")) == (-errno.EBADF, "trusted.a")
