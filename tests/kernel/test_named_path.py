"""What becomes of names that are long, odd or misleading: the path is right, or the record says what is not known."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.test_names import MKDIR, UNLINK, UNLINKAT, WORKING_DIRECTORY, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.observation import Sensor

    Call = Callable[..., int]
    Child = Callable[..., dict[str, Any]]

RENAME, RENAMEAT = 82, 264


@pytest.mark.parametrize(
    "name", [b"line\nbreak", b"\xff\xfe", "ü€".encode(), b"\x1b[31m", b"...", b"..a", b".b", b"a" * 255]
)
def test_a_name_comes_byte_for_byte(sensor: Sensor, call: Call, here: Path, name: bytes) -> None:
    record = report(sensor, call, "mkdir", MKDIR, name, 0o700)
    assert (record.number("res"), os.fsencode(record.text("path"))) == (0, bytes(here) + b"/" + name)
    assert os.fsencode(record.text("nameraw")) == name


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (b"/", "/"),
        (b"/..", "/"),
        (b"//no/./such/../x/", "/no/x"),
        (b"/../../no/..", "/"),
        (b"/no/a/b/../../../such/./.", "/such"),
    ],
)
def test_dots_and_slashes_are_resolved_as_text(sensor: Sensor, call: Call, name: bytes, path: str) -> None:
    record = report(sensor, call, "unlink", UNLINK, name)
    assert (record.text("path"), record.text("nameraw")) == (path, "" if name == b"/" else os.fsdecode(name))
    assert not record.has_flag("TRUNCATED")


def test_dots_at_the_beginning_climb_the_working_directory(sensor: Sensor, call: Call, here: Path) -> None:
    record = report(sensor, call, "unlink", UNLINK, b".././../no such")
    assert record.text("path") == str(here.parent.parent / "no such")
    record = report(sensor, call, "unlink", UNLINK, b"../" * 90 + b"no such")
    assert record.text("path") == "/no such"
    record = report(sensor, call, "unlink", UNLINK, b".")
    assert record.text("path") == str(here)


@pytest.mark.parametrize("name", [8, b""])
def test_a_name_that_says_nothing_has_no_path(sensor: Sensor, call: Call, name: int | bytes) -> None:
    record = report(sensor, call, "unlink", UNLINK, name)
    assert (record.text("path"), record.text("nameraw")) == ("", "")
    assert record.number("res") == (-errno.ENOENT if name == b"" else -errno.EFAULT)


def test_a_path_of_nearly_the_longest_length_is_whole(sensor: Sensor, call: Call) -> None:
    name = b"/" + b"/".join([b"d" * 250] * 16)
    name = name[:4080]
    record = report(sensor, call, "unlink", UNLINK, name)
    assert os.fsencode(record.text("path")) == name
    assert not record.has_flag("TRUNCATED")


@pytest.mark.parametrize("name", [b"n" * 4095, b"/".join([b"n" * 200] * 21)[:4095]])
def test_a_name_that_leaves_no_room_for_its_directory_stands_for_itself(
    sensor: Sensor, call: Call, name: bytes
) -> None:
    record = report(sensor, call, "unlink", UNLINK, name)
    assert record.has_flag("TRUNCATED")
    assert (os.fsencode(record.text("path")), record.text("nameraw")) == (name, "")
    assert record.number("res") < 0


def test_a_directory_that_does_not_fit_is_cut_at_its_beginning(sensor: Sensor, call: Call, here: Path) -> None:
    name = b"/".join([b"n" * 200] * 21)[: 4090 - len(here.name)]
    record = report(sensor, call, "unlink", UNLINK, name)
    assert record.has_flag("TRUNCATED")
    assert record.text("path").endswith(f"/{os.fsdecode(name)}")
    assert os.fsencode(record.text("nameraw")) == name


def test_a_name_that_is_longer_than_any_call_takes_is_cut_and_marked(sensor: Sensor, call: Call) -> None:
    record = report(sensor, call, "unlink", UNLINK, b"/" + b"x" * 5000)
    assert record.number("res") == -errno.ENAMETOOLONG
    assert record.has_flag("TRUNCATED")
    assert record.text("path") == "/" + "x" * 4094


def test_two_names_of_the_longest_length_fit_into_one_record(sensor: Sensor, call: Call, here: Path) -> None:
    names = [b"/".join([letter * 200] * 21)[: 4090 - len(here.name)] for letter in (b"a", b"b")]
    record = report(sensor, call, "rename", RENAME, *names)
    assert [os.fsencode(record.text(name)) for name in ("sourceraw", "targetraw")] == names
    assert record.text("oldpath").endswith(f"/{os.fsdecode(names[0])}")
    assert record.text("newpath").endswith(f"/{os.fsdecode(names[1])}")
    assert record.has_flag("TRUNCATED")


def test_a_symbolic_link_in_a_name_is_not_followed_and_the_record_says_whose_name_it_is(
    sensor: Sensor, call: Call, here: Path
) -> None:
    (here / "folder").mkdir()
    (here / "link").symlink_to("folder")
    (here / "folder" / "it").write_text("")
    record = report(sensor, call, "unlink", UNLINK, b"link/it")
    assert (record.number("res"), record.text("path")) == (0, str(here / "link" / "it"))


def test_a_path_through_proc_stays_as_it_was_written(sensor: Sensor, call: Call, here: Path) -> None:
    descriptor = os.open(here, os.O_RDONLY)
    try:
        name = b"/proc/self/fd/%d/file" % descriptor
        record = report(sensor, call, "unlink", UNLINK, name)
        assert (record.number("res"), record.text("path")) == (0, os.fsdecode(name))
        (here / "file").write_text("")
        record = report(sensor, call, "unlinkat", UNLINKAT, descriptor, b"file", 0)
    finally:
        os.close(descriptor)
    assert (record.number("res"), record.text("name")) == (0, str(here / "file"))


def test_a_directory_that_was_reached_by_a_symbolic_link_has_its_real_path(
    sensor: Sensor, call: Call, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "folder").mkdir()
    (here / "link").symlink_to("folder")
    monkeypatch.chdir(here / "link")
    record = report(sensor, call, "mkdir", MKDIR, b"new", 0o700)
    assert record.text("path") == str(here / "folder" / "new")


def test_a_directory_behind_a_bind_mount_is_named_by_the_way_that_was_taken(
    sensor: Sensor, call: Call, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "bound").mkdir()
    subprocess.run(["mount", "--bind", here, here / "bound"], check=True)
    try:
        with monkeypatch.context() as inside:
            inside.chdir(here / "bound")
            record = report(sensor, call, "unlink", UNLINK, b"file")
    finally:
        subprocess.run(["umount", here / "bound"], check=True)
    assert (record.number("res"), record.text("path")) == (0, str(here / "bound" / "file"))


def test_a_deleted_working_directory_is_named_as_it_was(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    script = """
os.chdir(sys.argv[1])
os.rmdir(sys.argv[1])
try:
    os.unlink("it")
except FileNotFoundError:
    say()
"""
    (tmp_path / "gone").mkdir()
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(tmp_path / "gone"))))
    record = seen.one("unlink", pid=said[0]["pid"])
    assert (record.number("res"), record.text("path")) == (-errno.ENOENT, str(tmp_path / "gone" / "it"))


def test_a_process_with_another_root_names_its_own_paths(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    script = "os.chroot(sys.argv[1])\nos.chdir('/')\nos.mkdir('new')\nos.mkdir('/new/../other')\nsay()"
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(tmp_path))))
    records = seen.of("mkdir", pid=said[0]["pid"])
    assert [record.text("path") for record in records] == ["/new", "/other"]
    assert not any(record.has_flag("UNREACHABLE") for record in records)


def test_a_directory_of_another_mount_namespace_is_marked(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    script = (
        f"mount --make-rprivate / && mount -t tmpfs tmpfs '{tmp_path}' && touch '{tmp_path}/inside' && "
        f"exec 3< '{tmp_path}' && echo ready && exec cat"
    )
    command = ["unshare", "--mount", "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        descriptor = os.open(f"/proc/{process.pid}/fd/3", os.O_RDONLY | os.O_DIRECTORY)
        record = report(sensor, call, "unlinkat", UNLINKAT, descriptor, b"inside", 0)
        os.close(descriptor)
        process.stdin.close()
    assert record.number("res") == 0
    assert record.has_flag("UNREACHABLE")
    assert record.text("name").endswith(f"{tmp_path}/inside")


def test_names_that_another_thread_changes_meanwhile_do_no_harm(sensor: Sensor, call: Call) -> None:
    """The name ends at an address that no memory is at."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    page = libc.mmap(None, 8192, 3, 0x22, -1, 0)
    libc.munmap(ctypes.c_void_p(page + 4096), 4096)
    ctypes.memmove(page + 4090, b"/abcde", 6)
    record = report(sensor, call, "unlink", UNLINK, page + 4090)
    assert (record.number("res"), record.text("path")) == (-errno.EFAULT, "")
    ctypes.memmove(page + 4090, b"/abcd\0", 6)
    record = report(sensor, call, "unlink", UNLINK, page + 4090)
    assert (record.number("res"), record.text("path")) == (-errno.ENOENT, "/abcd")
    libc.munmap(ctypes.c_void_p(page), 4096)


def test_a_relative_name_of_a_record_with_two_is_resolved_by_its_own_directory(
    sensor: Sensor, call: Call, here: Path
) -> None:
    record = report(sensor, call, "renameat", RENAMEAT, WORKING_DIRECTORY, b"./file", WORKING_DIRECTORY, b"../file")
    assert record.text("newpath") == str(here.parent / "file")
    Path(record.text("newpath")).unlink()
