"""Mounts as the sensor reports them."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
from typing import TYPE_CHECKING

from hullwatch.events.table import FLAGS
from tests.kernel.test_names import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Sensor

    Call = Callable[..., int]

MOUNT, UMOUNT2 = 165, 166
NO_SUID, BIND, PRIVATE, MAGIC = 2, 0x1000, 1 << 18, 0xC0ED0000
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


# ---- what mounts since Linux 5.2

OPEN_TREE, MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT, MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
HERE = -100
CLONE, RECURSIVE, FROM_DESCRIPTOR, TO_DESCRIPTOR = 1, 0x8000, 4, 0x40
SET_STRING, CREATE = 1, 6
READ_ONLY, NO_EXEC = 1, 8


def test_a_file_system_that_is_mounted_in_steps_is_a_mount_with_what_the_kernel_knows(
    sensor: Sensor, call: Call, here: Path
) -> None:
    (here / "point").mkdir()
    context = call(FSOPEN, b"tmpfs", 0)
    call(FSCONFIG, context, SET_STRING, b"source", b"no\nthing", 0)
    call(FSCONFIG, context, CREATE, 0, 0, 0)
    mount = call(FSMOUNT, context, 0, READ_ONLY | NO_EXEC)
    assert mount >= 0
    seen = sensor.during(lambda: call(MOVE_MOUNT, mount, b"", HERE, b"./point", FROM_DESCRIPTOR))
    try:
        record = seen.one("mount", pid=os.getpid())
        assert (record.number("res"), record.text("dir"), record.text("targetraw")) == (0, str(here / "point"), "")
        assert (record.text("dev"), record.text("type")) == ("no\nthing", "tmpfs")
        assert record.number("flags") & ~FLAG["RELATIME"] == FLAG["RDONLY"] | FLAG["NOEXEC"]
        assert not record.has_flag("USER_MEMORY")
    finally:
        os.close(context)
        os.close(mount)
        call(UMOUNT2, b"point", DETACH)


def test_a_copy_of_a_tree_is_a_bind_mount_of_what_was_copied(sensor: Sensor, call: Call, here: Path) -> None:
    (here / "point").mkdir()
    (here / "from").mkdir()
    trees: list[int] = []

    def act() -> None:
        trees.append(call(OPEN_TREE, HERE, b"./from", CLONE | RECURSIVE))
        call(MOVE_MOUNT, trees[0], b"", HERE, b"point", FROM_DESCRIPTOR)

    seen = sensor.during(act)
    opened, record = seen.one("open_tree", pid=os.getpid()), seen.one("mount", pid=os.getpid())
    os.close(trees[0])
    call(UMOUNT2, b"point", DETACH)
    assert (opened.number("fd"), opened.number("dirfd")) == (trees[0], HERE)
    assert (opened.text("name"), opened.text("nameraw")) == (str(here / "from"), "./from")
    names = FLAGS["open_tree_flags"]
    assert opened.number("flags") == names["OPEN_TREE_CLONE"] | names["AT_RECURSIVE"]
    assert (record.text("dev"), record.text("dir"), record.text("type")) == (
        str(here / "from"),
        str(here / "point"),
        "",
    )
    assert record.number("flags") & (FLAG["BIND"] | FLAG["REC"]) == FLAG["BIND"] | FLAG["REC"]


def test_a_mount_that_is_moved_or_changed_is_the_mount_that_it_stands_for(
    sensor: Sensor, call: Call, here: Path
) -> None:
    for name in ("one", "two"):
        (here / name).mkdir()
    call(MOUNT, b"x", b"one", b"tmpfs", 0, 0)
    call(MOUNT, b"", b"one", b"", PRIVATE, 0)
    try:
        record = report(sensor, call, "mount", MOUNT_SETATTR, HERE, b"one", RECURSIVE, attributes(set=NO_EXEC), 32)
        assert (record.text("dir"), record.text("dev"), record.text("type")) == (str(here / "one"), "", "")
        assert record.number("flags") == FLAG["REMOUNT"] | FLAG["BIND"] | FLAG["REC"] | FLAG["NOEXEC"]
        record = report(sensor, call, "mount", MOUNT_SETATTR, HERE, b"one", 0, attributes(propagation=PRIVATE), 32)
        assert (record.number("res"), record.number("flags")) == (0, FLAG["PRIVATE"])
        record = report(sensor, call, "mount", MOVE_MOUNT, HERE, b"one", HERE, b"two", 0)
        assert record.number("res") in {0, -errno.EINVAL}  # below a shared mount nothing can be moved
        assert (record.text("dev"), record.text("dir"), record.text("targetraw")) == ("one", str(here / "two"), "two")
        assert record.number("flags") == FLAG["MOVE"]
    finally:
        call(UMOUNT2, b"one", DETACH)
        call(UMOUNT2, b"two", DETACH)


def test_mounts_in_steps_that_fail_have_the_error_and_where_they_were_to_be(
    sensor: Sensor, call: Call, here: Path
) -> None:
    record = report(sensor, call, "mount", MOVE_MOUNT, 999_999, b"", HERE, b"file", FROM_DESCRIPTOR)
    assert (record.number("res"), record.text("dir")) == (-errno.EBADF, str(here / "file"))
    record = report(sensor, call, "mount", MOUNT_SETATTR, HERE, b"gone", 0, attributes(set=READ_ONLY), 32)
    assert (record.number("res"), record.text("dir")) == (-errno.ENOENT, str(here / "gone"))
    record = sensor.during(lambda: call(OPEN_TREE, HERE, b"gone", CLONE)).one("open_tree", pid=os.getpid())
    assert (record.number("fd"), record.text("name")) == (-errno.ENOENT, str(here / "gone"))


def test_the_command_that_mounts_is_seen_whichever_way_it_goes(sensor: Sensor, here: Path) -> None:
    (here / "point").mkdir()
    seen = sensor.during(lambda: subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "it", "point"], check=True))
    subprocess.run(["umount", "point"], check=True)
    record = seen.one("mount", dir=str(here / "point"))
    assert (record.number("res"), record.text("dev"), record.text("type")) == (0, "it", "tmpfs")
    assert record.number("flags") & FLAG["NOEXEC"]


def attributes(set: int = 0, propagation: int = 0) -> bytes:  # noqa: A002 - the structure's own word
    """Return a struct mount_attr."""
    return struct.pack("<4Q", set, 0, propagation, 0)
