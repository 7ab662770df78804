"""Calls with two names as the sensor reports them: rename, link, symlink and their kin."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from hullwatch.events.table import FLAGS
from tests.kernel.test_names import WORKING_DIRECTORY, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kernel.observation import Record, Sensor

    Call = Callable[..., int]

RENAME, RENAMEAT, RENAMEAT2, LINK, LINKAT, SYMLINK, SYMLINKAT = 82, 264, 316, 86, 265, 88, 266
EXCHANGE, FOLLOW, EMPTY_PATH = 2, 0x400, 0x1000


@pytest.fixture
def folder(here: Path) -> Iterator[int]:
    """A descriptor of the directory ``folder`` in the working directory."""
    (here / "folder").mkdir()
    descriptor = os.open(here / "folder", os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def paths(record: Record) -> tuple[str, str]:
    return record.text("oldpath"), record.text("newpath")


@pytest.mark.parametrize(("name", "number"), [("rename", RENAME), ("link", LINK)])
def test_rename_and_link_have_both_paths(sensor: Sensor, call: Call, here: Path, name: str, number: int) -> None:
    new = bytes(here) + b"/a\n\xff"
    record = report(sensor, call, name, number, b"file", new)
    assert (record.number("res"), *paths(record)) == (0, str(here / "file"), os.fsdecode(new))
    assert (record.text("sourceraw"), record.text("targetraw")) == ("file", "")
    record = report(sensor, call, name, number, b"gone", b"./other")
    assert (record.number("res"), *paths(record)) == (-errno.ENOENT, str(here / "gone"), str(here / "other"))
    assert (record.text("sourceraw"), record.text("targetraw")) == ("gone", "./other")


def test_renameat_begins_each_path_at_its_own_descriptor(sensor: Sensor, call: Call, here: Path, folder: int) -> None:
    record = report(sensor, call, "renameat", RENAMEAT, WORKING_DIRECTORY, b"file", folder, b"moved")
    assert (record.number("res"), *paths(record)) == (0, str(here / "file"), str(here / "folder" / "moved"))
    assert (record.number("olddirfd"), record.number("newdirfd")) == (WORKING_DIRECTORY, folder)
    record = report(sensor, call, "renameat", RENAMEAT, folder, b"gone", WORKING_DIRECTORY, b"x")
    assert (record.number("res"), *paths(record)) == (-errno.ENOENT, str(here / "folder" / "gone"), str(here / "x"))


def test_renameat2_has_its_flags(sensor: Sensor, call: Call, here: Path, folder: int) -> None:
    (here / "folder" / "other").write_text("")
    record = report(sensor, call, "renameat2", RENAMEAT2, WORKING_DIRECTORY, b"file", folder, b"other", EXCHANGE)
    assert (record.number("res"), *paths(record)) == (0, str(here / "file"), str(here / "folder" / "other"))
    assert record.number("flags") == FLAGS["renameat2_flags"]["RENAME_EXCHANGE"]
    record = report(sensor, call, "renameat2", RENAMEAT2, 999_999, b"file", WORKING_DIRECTORY, b"new", 1)
    assert (record.number("res"), *paths(record)) == (-errno.EBADF, "file", str(here / "new"))


def test_linkat_has_its_flags_and_an_empty_name_is_the_descriptors_file(
    sensor: Sensor, call: Call, here: Path, folder: int
) -> None:
    record = report(sensor, call, "linkat", LINKAT, WORKING_DIRECTORY, b"file", folder, b"it", FOLLOW)
    assert (record.number("res"), *paths(record)) == (0, str(here / "file"), str(here / "folder" / "it"))
    assert record.number("flags") == FLAGS["linkat_flags"]["AT_SYMLINK_FOLLOW"]
    assert (record.number("olddir"), record.number("newdir")) == (WORKING_DIRECTORY, folder)
    descriptor = os.open("file", os.O_RDONLY)
    try:
        record = report(sensor, call, "linkat", LINKAT, descriptor, b"", folder, b"again", EMPTY_PATH)
    finally:
        os.close(descriptor)
    assert (record.number("res"), *paths(record)) == (0, str(here / "file"), str(here / "folder" / "again"))
    record = report(sensor, call, "linkat", LINKAT, WORKING_DIRECTORY, b"", folder, b"more", 0)
    assert (record.number("res"), *paths(record)) == (-errno.ENOENT, "", str(here / "folder" / "more"))


@pytest.mark.parametrize(("name", "number"), [("symlink", SYMLINK), ("symlinkat", SYMLINKAT)])
def test_a_symbolic_link_has_its_text_and_its_own_path(
    sensor: Sensor, call: Call, here: Path, folder: int, name: str, number: int
) -> None:
    at = [folder] if name == "symlinkat" else []
    place = here / "folder" if at else here
    record = report(sensor, call, name, number, b"../\xffshadow", *at, b"link")
    assert (record.number("res"), os.fsencode(record.text("target"))) == (0, b"../\xffshadow")
    assert (record.text("linkpath"), record.text("targetraw")) == (str(place / "link"), "link")
    assert not at or record.number("linkdirfd") == folder
    record = report(sensor, call, name, number, b"/etc/shadow", *at, b"link")
    assert (record.number("res"), record.text("target")) == (-errno.EEXIST, "/etc/shadow")
