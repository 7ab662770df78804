"""Files that are opened and removed through io_uring: not seen yet, and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


OPENAT, UNLINKAT = 18, 36


def test_a_file_that_is_opened_through_io_uring_is_counted(
    sensor: Sensor, child: Callable[..., dict[str, Any]]
) -> None:
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(THROUGH_A_RING, "/etc/hostname", str(OPENAT))))
    assert said[0]["result"] > 2, "the ring did not open the file"
    sensor.wait_for(has_drop("openat", "IO_URING"))
    assert not [
        r for r in seen if r.header.pid == said[0]["pid"] and r.name == "openat" and "hostname" in r.text("name")
    ]


def test_a_file_that_is_removed_through_io_uring_is_counted(
    sensor: Sensor, child: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert child(THROUGH_A_RING, str(tmp_path / "file"), str(UNLINKAT))["result"] == 0
    assert not (tmp_path / "file").exists()
    sensor.wait_for(has_drop("unlinkat", "IO_URING"))
