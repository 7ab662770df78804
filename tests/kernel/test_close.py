"""Closing of files that were written, as the sensor reports it; every other close sends nothing."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.observation import Sensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Child = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("access", [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND])
def test_a_close_after_writing_names_the_file_by_the_kernels_objects(sensor: Sensor, here: Path, access: int) -> None:
    descriptor = os.open(here / "file", access)
    (here / "file").rename(here / "moved\n")
    status = os.fstat(descriptor)
    record = sensor.during(lambda: os.close(descriptor)).one("close", pid=os.getpid())
    assert (record.number("res"), record.number("fd"), record.text("name")) == (0, descriptor, str(here / "moved\n"))
    assert (record.number("ino"), record.number("dev")) == (status.st_ino, status.st_dev)
    assert record.number("inode_mode") == status.st_mode
    assert not record.has_flag("USER_MEMORY")


def test_other_closes_send_nothing(sensor: Sensor, here: Path) -> None:
    def act() -> None:
        for name, access in ((here / "file", os.O_RDONLY), (here, os.O_RDONLY), ("/dev/null", os.O_RDWR)):
            os.close(os.open(name, access))
        for one in os.pipe():
            os.close(one)
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            os.close(999_999)

    assert sensor.during(act).of("close", pid=os.getpid()) == []


def test_a_copy_of_a_descriptor_is_closed_by_itself(sensor: Sensor, here: Path) -> None:
    def act() -> None:
        descriptor = os.open(here / "file", os.O_WRONLY)
        os.close(os.dup(descriptor))
        os.close(descriptor)

    assert len(sensor.during(act).of("close", pid=os.getpid())) == 2


def test_a_file_that_was_deleted_meanwhile_keeps_the_name_that_it_had(sensor: Sensor, here: Path) -> None:
    descriptor = os.open(here / "file", os.O_WRONLY)
    (here / "file").unlink()
    record = sensor.during(lambda: os.close(descriptor)).one("close", pid=os.getpid())
    assert record.text("name") == str(here / "file")


def test_a_range_of_descriptors_is_closed_one_by_one(sensor: Sensor, child: Child, here: Path) -> None:
    script = """
names, fds = [sys.argv[1] + str(number) for number in range(3)], []
for name, access in zip(names, (os.O_WRONLY, os.O_RDONLY, os.O_RDWR)):
    fds.append(os.open(name, access | os.O_CREAT))
call(436, fds[0], fds[-1], 4)  # on the next exec
call(436, fds[0], 0xFFFFFFFF, 0)
say(fds=fds)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(here / "made"))))
    fds = said[0]["fds"]
    closed = [one for one in seen.of("close", pid=said[0]["pid"]) if one.text("name").startswith(str(here))]
    assert [(one.number("fd"), one.text("name")) for one in closed] == [
        (fds[0], str(here / "made0")),
        (fds[2], str(here / "made2")),
    ]


def test_a_close_that_nobody_asked_for_is_not_sent_until_it_is(here: Path) -> None:
    def act() -> None:
        os.close(os.open(here / "file", os.O_WRONLY))

    with Sensor(interest=["unlink"]) as sensor:
        assert sensor.during(act).of("close") == []
        sensor.set_interest(["close"])
        assert sensor.during(act).one("close", pid=os.getpid()).text("name") == str(here / "file")
        sensor.set_interest([])
        assert sensor.during(act).of("close") == []
        sensor.set_interest(["close", "openat"])
        assert sensor.during(act).one("close", pid=os.getpid()).text("name") == str(here / "file")
