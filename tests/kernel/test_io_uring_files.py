"""Files that are open, and their attributes, through io_uring."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS
from tests.kernel.test_io_uring import PATH, records_of
from tests.kernel.test_sensor import has_drop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Sensor

    Child = Callable[..., dict[str, Any]]

OPEN, CLOSE, FSETXATTR, SETXATTR, FTRUNCATE = 18, 19, 41, 42, 55


def test_a_file_that_is_cut_through_io_uring_is_named_by_the_kernels_objects(
    sensor: Sensor, child: Child, here: Path
) -> None:
    script = f"""
fd = os.open({PATH}, os.O_RDWR)
say(fd=fd, result=submit({FTRUNCATE}, fd, second=3))
"""
    said, records = records_of(sensor, child, script, here / "file")
    if said["result"] == -errno.EINVAL:
        pytest.skip(f"this kernel ({os.uname().release}) cuts no files through io_uring")
    (record,) = records
    assert (record.name, record.number("res"), record.number("fd")) == ("ftruncate", 0, said["fd"])
    assert (record.text("name"), record.number("length")) == (str(here / "file"), 3)
    assert record.number("ino") == (here / "file").stat().st_ino
    assert (here / "file").read_text() == "con"


def test_an_attribute_that_is_set_through_io_uring_has_the_path_that_the_name_means(
    sensor: Sensor, child: Child, here: Path
) -> None:
    script = f"""
os.chdir({PATH})
given = dict(name=b"trusted.a\\n\\xff", second=b"12345", length=5)
say(results=[submit({SETXATTR}, third=name, **given) for name in ("./file", "gone")])
"""
    said, (worked, failed) = records_of(sensor, child, script, here)
    assert [worked.number("res"), failed.number("res")] == said["results"] == [0, -errno.ENOENT]
    assert (worked.name, worked.text("path"), worked.text("nameraw")) == ("setxattr", str(here / "file"), "./file")
    assert (os.fsencode(worked.text("attribute")), worked.number("size")) == (b"trusted.a\n\xff", 5)
    assert failed.text("path") == str(here / "gone")
    assert os.getxattr(here / "file", b"trusted.a\n\xff") == b"12345"


def test_an_attribute_of_an_open_file_is_set_through_io_uring(sensor: Sensor, child: Child, here: Path) -> None:
    script = f"""
fd = os.open({PATH}, os.O_RDONLY)
say(fd=fd, result=submit({FSETXATTR}, fd, "trusted.b", "123", 3, 1))
"""
    said, (record,) = records_of(sensor, child, script, here / "file")
    assert (record.name, record.number("res"), record.number("fd")) == ("fsetxattr", said["result"], said["fd"])
    assert (record.text("name"), record.text("attribute")) == (str(here / "file"), "trusted.b")
    assert (record.number("size"), record.number("flags")) == (3, FLAGS["setxattr_flags"]["XATTR_CREATE"])
    assert said["result"] == 0


def test_a_file_that_was_written_is_closed_through_io_uring_and_one_that_was_read_is_not_told_of(
    sensor: Sensor, child: Child, here: Path
) -> None:
    script = f"""
read, written = os.open({PATH}, os.O_RDONLY), os.open({PATH}, os.O_WRONLY)
say(fd=written, results=[submit({CLOSE}, read), submit({CLOSE}, written)])
"""
    said, (record,) = records_of(sensor, child, script, here / "file")
    assert (record.name, record.number("fd"), record.text("name")) == ("close", said["fd"], str(here / "file"))
    assert said["results"] == [0, 0]


def test_a_file_in_the_ring_s_own_table_that_is_closed_is_counted(sensor: Sensor, child: Child, here: Path) -> None:
    script = f"""
call(REGISTER, ring, REGISTER_FILES, struct.pack("<i", -1), 1)
opened = submit({OPEN}, name={PATH}, flags=1, place=1)
say(results=[opened, submit({CLOSE}, 0, place=1)])
"""
    said, records = records_of(sensor, child, script, here / "file")
    assert said["results"] == [0, 0]
    assert [record.name for record in records] == ["openat"]
    sensor.wait_for(has_drop("close", "IO_URING"))
