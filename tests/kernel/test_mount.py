"""Mounts as the sensor reports them."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hullwatch.events.table import FLAGS
from tests.kernel.test_names import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Sensor

    Call = Callable[..., int]

MOUNT, UMOUNT2 = 165, 166
NO_SUID, BIND, MAGIC = 2, 0x1000, 0xC0ED0000
DETACH, NO_FOLLOW = 2, 8
FLAG = FLAGS["mount_flags"]


def test_mount_and_umount_have_what_was_mounted_where(sensor: Sensor, call: Call, here: Path) -> None:
    (here / "point").mkdir()
    record = report(sensor, call, "mount", MOUNT, b"no\nthing", b"./point/", b"tmpfs", NO_SUID | MAGIC, 0)
    assert (record.number("res"), record.text("dir"), record.text("targetraw")) == (0, str(here / "point"), "./point/")
    assert (record.text("dev"), record.text("type"), record.number("flags")) == ("no\nthing", "tmpfs", FLAG["NOSUID"])
    record = report(sensor, call, "umount2", UMOUNT2, b"point", DETACH)
    assert (record.number("res"), record.text("name")) == (0, str(here / "point"))
    assert record.number("flags") == FLAGS["umount_flags"]["DETACH"]


def test_a_bind_mount_without_a_type_says_so(sensor: Sensor, call: Call, here: Path) -> None:
    (here / "point").mkdir()
    record = report(sensor, call, "mount", MOUNT, bytes(here), b"point", 0, BIND, 0)
    call(UMOUNT2, b"point", 0)
    assert (record.number("res"), record.text("dev"), record.text("type")) == (0, str(here), "")
    assert (record.text("dir"), record.number("flags")) == (str(here / "point"), FLAG["BIND"])


def test_mounts_that_failed_have_the_error(sensor: Sensor, call: Call, here: Path) -> None:
    record = report(sensor, call, "mount", MOUNT, b"/dev/sda1", b"gone", b"\xffext4", 0, 0)
    assert record.number("res") in {-errno.ENOENT, -errno.ENODEV}
    assert (record.text("dir"), record.text("dev")) == (str(here / "gone"), "/dev/sda1")
    record = report(sensor, call, "umount2", UMOUNT2, b"file", NO_FOLLOW)
    assert (record.number("res"), record.text("name")) == (-errno.EINVAL, str(here / "file"))
    assert record.number("flags") == FLAGS["umount_flags"]["NOFOLLOW"]
