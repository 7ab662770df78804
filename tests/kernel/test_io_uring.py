"""Files through io_uring: opens are events like others; what else is done to them is counted."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS
from tests.kernel.test_sensor import has_drop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Sensor

# Does something to a file with one entry of a ring: io_uring_setup, the mappings, an entry, io_uring_enter.
# Offsets are those of struct io_uring_params and io_uring_sqe in linux/io_uring.h.
THROUGH_A_RING = """
import mmap, struct
SETUP, ENTER, GETEVENTS = 425, 426, 1
parameters = ctypes.create_string_buffer(120)
ring = call(SETUP, 4, parameters)
sq_entries, cq_entries = struct.unpack_from("<II", parameters, 0)
head, tail, mask, _, _, _, array = struct.unpack_from("<7I", parameters, 40)
cq_head, cq_tail, cq_mask, _, _, cqes = struct.unpack_from("<6I", parameters, 80)
size = max(array + 4 * sq_entries, cqes + 16 * cq_entries)
queue = mmap.mmap(ring, size, offset=0)
entries = mmap.mmap(ring, 64 * sq_entries, offset=0x10000000)
path = ctypes.create_string_buffer(sys.argv[1].encode())
struct.pack_into("<BBHiQQIIQ", entries, 0, int(sys.argv[2]), 0, 0, -100, 0, ctypes.addressof(path), 0, 0, 7)
struct.pack_into("<I", queue, array, 0)
struct.pack_into("<I", queue, tail, 1)
call(ENTER, ring, 1, 1, GETEVENTS, 0, 0)
user_data, result, _ = struct.unpack_from("<QiI", queue, cqes)
assert user_data == 7
say(result=result)
"""


FLAG = FLAGS["file_flags"]
OPENAT, UNLINKAT = "18", "36"  # operations


def test_a_file_that_is_opened_through_io_uring_is_an_open_with_its_real_path(
    sensor: Sensor, child: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "a file\n"
    file.write_text("x")
    (tmp_path / "link").symlink_to(file)
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(THROUGH_A_RING, str(tmp_path / "link"), OPENAT)))
    record = seen.one("openat", pid=said[0]["pid"], name=str(file))
    assert record.has_flag("IO_URING")
    assert not record.has_flag("USER_MEMORY")
    assert (record.number("fd"), record.number("dirfd")) == (said[0]["result"], -100)
    assert record.number("ino") == file.stat().st_ino
    assert record.number("flags") & FLAG["O_RDONLY"]


@pytest.mark.parametrize(("name", "cut"), [("/nobody/here\n", False), ("/" + "x" * 300, True)])
def test_an_open_through_io_uring_that_fails_has_the_name_that_was_asked_for(
    sensor: Sensor, child: Callable[..., dict[str, Any]], name: str, *, cut: bool
) -> None:
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(THROUGH_A_RING, name, OPENAT)))
    records = [r for r in seen.of("openat", pid=said[0]["pid"]) if r.has_flag("IO_URING")]
    assert [r.text("name") for r in records] == [name[:255]]
    assert records[0].number("fd") == said[0]["result"] == (-errno.ENAMETOOLONG if cut else -errno.ENOENT)
    assert records[0].has_flag("TRUNCATED") == cut
    assert records[0].has_flag("USER_MEMORY")


def test_opens_through_io_uring_are_not_looked_at_when_nobody_asks(
    sensor: Sensor, child: Callable[..., dict[str, Any]]
) -> None:
    said: list[dict[str, Any]] = []
    sensor.set_interest(["kill"])
    try:
        seen = sensor.during(lambda: said.append(child(THROUGH_A_RING, "/etc/hostname", OPENAT)))
    finally:
        sensor.set_interest(None)
    assert said[0]["result"] > 2
    assert not seen.of("openat", pid=said[0]["pid"])


def test_a_file_that_is_removed_through_io_uring_is_counted(
    sensor: Sensor, child: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert child(THROUGH_A_RING, str(tmp_path / "file"), UNLINKAT)["result"] == 0
    assert not (tmp_path / "file").exists()
    sensor.wait_for(has_drop("unlinkat", "IO_URING"))
