"""Files that a container maps to execute them, of which only those that may not be of its image are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS
from tests.kernel.observation import Records, Sensor

if TYPE_CHECKING:
    from pathlib import Path

Child = Callable[..., dict[str, Any]]
Mapped = Callable[[str], tuple[Records, dict[str, Any]]]
PAGE = 4096
# In mounts of its own, as a container: an overlay with a file below and one above, and a tmpfs.
MOUNTS = """
libc.unshare(0x20000)
libc.mount(b"none", b"/", None, 0x44000, None)
os.chdir(sys.argv[1])
for name in ("lower", "upper", "work", "merged", "memory"):
    os.mkdir(name)
open("lower/below.so", "wb").write(bytes(4096))
options = b"lowerdir=lower,upperdir=upper,workdir=work"
assert libc.mount(b"overlay", b"merged", b"overlay", 0, options) == 0
assert libc.mount(b"tmpfs", b"memory", b"tmpfs", 0, None) == 0
def map_file(path):
    with open(path, "rb") as file:
        at = call(9, 0, 4096, 5, 2, file.fileno(), 0)
        found = os.fstat(file.fileno())
        say(**{path.replace("/", "_").partition(".")[0]: [at, found.st_ino, found.st_ctime_ns, found.st_mtime_ns]})
for path in ("merged/above.so", "memory/x.so"):
    open(path, "wb").write(bytes(4096))
"""


@pytest.fixture
def mapped(sensor: Sensor, child: Child, tmp_path: Path) -> Mapped:
    """Run statements behind ``MOUNTS``; returns the mapped libraries of that process and what it said."""

    def run(statements: str) -> tuple[Records, dict[str, Any]]:
        said: list[dict[str, Any]] = []
        seen = sensor.during(lambda: said.append(child(MOUNTS + statements, str(tmp_path))))
        return seen.of("mapped_library", pid=said[0]["pid"]), said[0]

    return run


def test_a_file_of_the_upper_layer_and_one_on_a_tmpfs_are_told_with_their_inodes(
    mapped: Mapped, tmp_path: Path
) -> None:
    seen, said = mapped("map_file('merged/above.so')\nmap_file('memory/x.so')")
    above, memory = seen.where(name=f"{tmp_path}/merged/above.so"), seen.where(name=f"{tmp_path}/memory/x.so")
    upper = FLAGS["file_flags"]["FD_UPPER_LAYER"]
    for (record,), key, flags in ((above, "merged_above", upper), (memory, "memory_x", 0)):
        names = ("ino", "ino_ctime", "ino_mtime", "file_flags")
        assert [record.number(name) for name in names] == [*said[key][1:], flags]
        assert record.number("addr") & 0xFFFFFFFF == said[key][0] & 0xFFFFFFFF  # of a call that returns an int


def test_a_file_of_the_lower_layer_is_not_told(mapped: Mapped) -> None:
    seen, said = mapped("map_file('merged/below.so')")
    assert "merged_below" in said
    assert not [record for record in seen if "merged" in record.text("name")]


def test_the_same_file_is_told_again_only_when_it_was_changed(mapped: Mapped, tmp_path: Path) -> None:
    seen, _ = mapped("for _ in range(3):\n    map_file('merged/above.so')")
    assert len(seen.where(name=f"{tmp_path}/merged/above.so")) == 1


def test_a_changed_file_is_told_again(mapped: Mapped, tmp_path: Path) -> None:
    change = "os.utime('merged/above.so', ns=(1, 1))"
    seen, _ = mapped(f"map_file('merged/above.so')\n{change}\nmap_file('merged/above.so')")
    assert len(seen.where(name=f"{tmp_path}/merged/above.so")) == 2


def test_files_without_a_name_and_devices_are_not_told(mapped: Mapped) -> None:
    nameless = "y = os.open('memory/above.so', 66); os.unlink('memory/above.so')"
    files = "os.memfd_create('code'), os.open('/dev/zero', 0), y"
    script = f"{nameless}\nfor file in ({files}):\n    call(9, 0, 4096, 5, 2, file, 0)"
    seen, _ = mapped(f"{script}\nmap_file('memory/x.so')")
    assert [record.text("name").rpartition("/")[2] for record in seen] == ["x.so"]


def test_what_the_host_maps_is_not_told(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(bytes(PAGE))
    script = "with open(sys.argv[1], 'rb') as file:\n    call(9, 0, 4096, 5, 2, file.fileno(), 0)"
    seen = sensor.during(lambda: child(script, str(tmp_path / "x.so")))
    assert seen.of("mmap").where(name=str(tmp_path / "x.so"))
    assert not seen.of("mapped_library")


def test_without_a_rule_about_drift_none_is_told(sensor: Sensor, mapped: Mapped) -> None:
    try:
        sensor.set_interest(["mmap"])
        seen, _ = mapped("map_file('memory/x.so')")
    finally:
        sensor.set_interest(None)
    assert not seen
