"""The open family as the sensor reports it, by real system calls of this process and of children."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kernel.observation import Record, Sensor

    Call = Callable[..., int]
    Child = Callable[..., dict[str, Any]]

OPEN, CREAT, OPENAT, OPENAT2 = 2, 85, 257, 437
WORKING_DIRECTORY = -100
FLAG = FLAGS["file_flags"]
OPENS = ("open", "openat", "openat2", "creat")
# What the kernel sets by itself is not in the flags of the call; glibc does not add it on 64 bits either.
PORTABLE = {
    os.O_RDONLY: ["O_RDONLY"],
    os.O_WRONLY: ["O_WRONLY"],
    os.O_RDWR: ["O_RDWR"],
    os.O_RDWR | os.O_APPEND: ["O_RDWR", "O_APPEND"],
    os.O_RDONLY | os.O_NONBLOCK: ["O_RDONLY", "O_NONBLOCK"],
    os.O_WRONLY | os.O_DSYNC: ["O_WRONLY", "O_DSYNC"],
    os.O_WRONLY | os.O_SYNC: ["O_WRONLY", "O_SYNC", "O_DSYNC"],  # as the kernel has it, O_SYNC contains O_DSYNC
    os.O_WRONLY | os.O_TRUNC: ["O_WRONLY", "O_TRUNC"],
    os.O_RDONLY | os.O_CLOEXEC: ["O_RDONLY", "O_CLOEXEC"],
    os.O_RDWR | os.O_DIRECT: ["O_RDWR", "O_DIRECT"],
    os.O_RDONLY | 0o100000: ["O_RDONLY", "O_LARGEFILE"],
}


def portable(*names: str) -> int:
    return sum(FLAG[name] for name in names)


def opened(sensor: Sensor, call: Call, number: int, *arguments: Any, overlay: bool = False) -> Record:
    """Make a call of the open family; return its record after checking it against the open file.

    For a file of an overlay, stat() gives a device of its own for each layer, not the overlay's.
    """
    results: list[int] = []
    stats: list[os.stat_result] = []

    def act() -> None:
        result = call(number, *arguments)
        results.append(result)
        if result >= 0:
            stats.append(os.fstat(result))
            os.close(result)

    seen = sensor.during(act)
    record = seen.one(*OPENS, pid=os.getpid(), fd=results[0])
    if stats:
        assert record.number("ino") == stats[0].st_ino
        assert overlay or record.number("dev") == stats[0].st_dev
        assert record.number("inode_mode") == stats[0].st_mode
        assert not record.has_flag("USER_MEMORY")
    else:
        assert (record.number("ino"), record.number("dev"), record.number("inode_mode")) == (0, 0, 0)
        assert record.has_flag("USER_MEMORY")
    return record


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file"
    path.write_text("content")
    path.chmod(0o640)
    return path


def test_open_is_reported_under_its_own_name(sensor: Sensor, call: Call, file: Path) -> None:
    record = opened(sensor, call, OPEN, bytes(file), os.O_RDONLY, 0)
    assert (record.name, record.text("name"), record.number("dirfd")) == ("open", str(file), WORKING_DIRECTORY)
    assert (record.number("flags"), record.number("mode")) == (portable("O_RDONLY"), 0)


def test_creat_is_reported_as_the_open_that_it_is(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    path = tmp_path / "new"
    record = opened(sensor, call, CREAT, bytes(path), 0o604)
    assert (record.name, record.text("name"), record.number("dirfd")) == ("creat", str(path), WORKING_DIRECTORY)
    assert record.number("flags") == portable("O_WRONLY", "O_CREAT", "O_TRUNC", "O_F_CREATED")
    assert record.number("mode") == 0o604


def test_creat_of_an_existing_file_has_not_created_it(sensor: Sensor, call: Call, file: Path) -> None:
    record = opened(sensor, call, CREAT, bytes(file), 0o604)
    assert record.number("flags") == portable("O_WRONLY", "O_CREAT", "O_TRUNC")


def test_openat2_gives_flags_and_mode_of_its_structure(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    path = tmp_path / "new"
    how = ctypes.create_string_buffer(struct.pack("<QQQ", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o751, 0), 24)
    record = opened(sensor, call, OPENAT2, WORKING_DIRECTORY, bytes(path), how, 24)
    assert (record.name, record.text("name")) == ("openat2", str(path))
    assert record.number("flags") == portable("O_WRONLY", "O_CREAT", "O_EXCL", "O_F_CREATED")
    assert record.number("mode") == 0o751
    assert record.number("inode_mode") == 0o100751 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("flags", PORTABLE)
def test_flags_have_portable_values(sensor: Sensor, call: Call, file: Path, flags: int) -> None:
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, bytes(file), flags, 0o777)
    assert record.number("flags") == portable(*PORTABLE[flags])
    assert record.number("mode") == 0  # means something only where a file can be made


def test_a_directory_and_a_nameless_file_in_it_are_told_apart(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, bytes(tmp_path), os.O_RDONLY | os.O_DIRECTORY, 0)
    assert record.number("flags") == portable("O_RDONLY", "O_DIRECTORY")
    assert record.text("name") == str(tmp_path)
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, bytes(tmp_path), os.O_RDWR | os.O_TMPFILE, 0o600)
    assert record.number("flags") & ~FLAG["O_F_CREATED"] == portable("O_RDWR", "O_DIRECTORY", "O_TMPFILE")
    assert record.number("mode") == 0o600


def test_a_created_file_is_marked_and_an_existing_one_is_not(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    path = bytes(tmp_path / "new")
    flags = os.O_RDWR | os.O_CREAT
    first = opened(sensor, call, OPENAT, WORKING_DIRECTORY, path, flags, 0o600)
    second = opened(sensor, call, OPENAT, WORKING_DIRECTORY, path, flags, 0o600)
    assert first.number("flags") == portable("O_RDWR", "O_CREAT", "O_F_CREATED")
    assert second.number("flags") == portable("O_RDWR", "O_CREAT")


def test_a_device_is_told_by_its_mode(sensor: Sensor, call: Call) -> None:
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, b"/dev/null", os.O_WRONLY, 0)
    assert record.text("name") == "/dev/null"
    assert record.number("inode_mode") & 0o170000 == 0o020000


@pytest.mark.parametrize("name", [b"line\nbreak", b"\xff\xfe", "ü€".encode(), b"\x1b[31m", b"a" * 255])
def test_a_name_comes_byte_for_byte(sensor: Sensor, call: Call, tmp_path: Path, name: bytes) -> None:
    path = bytes(tmp_path) + b"/" + name
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, path, os.O_RDWR | os.O_CREAT, 0o600)
    assert os.fsencode(record.text("name")) == path


def test_a_symbolic_link_and_dots_are_resolved(sensor: Sensor, call: Call, file: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / ".." / "a file")
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, bytes(tmp_path) + b"/folder/.././/link", 0, 0)
    assert record.text("name") == str(file)


def test_a_path_relative_to_a_descriptor_is_whole(sensor: Sensor, call: Call, file: Path, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_PATH)
    try:
        record = opened(sensor, call, OPENAT, folder, b"a file", os.O_RDONLY, 0)
        assert (record.text("name"), record.number("dirfd")) == (str(file), folder)
        record = opened(sensor, call, OPENAT, folder, b"no file", os.O_RDONLY, 0)
        assert (record.text("name"), record.number("dirfd")) == ("no file", folder)
    finally:
        os.close(folder)


def test_a_path_relative_to_the_working_directory_is_whole(
    sensor: Sensor, call: Call, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, b"./a file", os.O_RDONLY, 0)
    assert record.text("name") == str(file)


def test_the_root_directory_is_a_slash(sensor: Sensor, call: Call) -> None:
    assert opened(sensor, call, OPENAT, WORKING_DIRECTORY, b"/..", os.O_RDONLY, 0).text("name") == "/"


@pytest.fixture
def mounted(tmp_path: Path, file: Path) -> Iterator[Path]:
    """The directory of ``file``, mounted a second time."""
    target = tmp_path / "elsewhere" / "bound"
    target.mkdir(parents=True)
    subprocess.run(["mount", "--bind", tmp_path, target], check=True)
    yield target
    subprocess.run(["umount", target], check=True)


def test_a_file_behind_a_bind_mount_is_named_by_the_way_that_was_taken(
    sensor: Sensor, call: Call, mounted: Path
) -> None:
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, bytes(mounted / "a file"), os.O_RDONLY, 0)
    assert record.text("name") == str(mounted / "a file")


def test_a_process_with_another_root_sees_its_own_paths(sensor: Sensor, child: Child, file: Path) -> None:
    script = "os.chroot(sys.argv[1])\nos.chdir('/')\nsay(fd=os.open('a file', os.O_RDONLY))"
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(file.parent))))
    record = seen.one("openat", pid=said[0]["pid"], ino=file.stat().st_ino)
    assert record.text("name") == "/a file"
    assert not record.has_flag("UNREACHABLE")


def test_a_file_outside_of_the_root_directory_is_marked(
    sensor: Sensor, child: Child, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "jail").mkdir()
    script = """
folder = os.open(os.path.dirname(sys.argv[1]), os.O_PATH)
os.chroot(sys.argv[2])
os.open("a file", 0, dir_fd=folder)
say()
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(file), str(tmp_path / "jail"))))
    record = seen.one("openat", pid=said[0]["pid"], ino=file.stat().st_ino)
    assert record.has_flag("UNREACHABLE")
    assert record.text("name").endswith(str(file))  # the whole way, as the host's root sees it


def test_a_file_of_another_mount_namespace_is_marked(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    """Another process of another namespace, reached through /proc as a passed descriptor would be."""
    script = (
        f"mount --make-rprivate / && mount -t tmpfs tmpfs '{tmp_path}' && echo secret > '{tmp_path}/inside' && "
        f"exec 3< '{tmp_path}/inside' && echo ready && exec cat"
    )
    command = ["unshare", "--mount", "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, b"/proc/%d/fd/3" % process.pid, os.O_RDONLY, 0)
        process.stdin.close()
    assert record.has_flag("UNREACHABLE")
    assert record.text("name").endswith(f"{tmp_path}/inside")


def test_a_deleted_file_keeps_the_name_that_it_had(sensor: Sensor, call: Call, file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        file.unlink()
        record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, b"/proc/self/fd/%d" % descriptor, os.O_RDONLY, 0)
    finally:
        os.close(descriptor)
    assert record.text("name") == str(file)


def test_a_descriptor_that_is_opened_again_is_named_by_its_file(sensor: Sensor, call: Call, file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, b"/dev/fd/%d" % descriptor, os.O_RDONLY, 0)
    finally:
        os.close(descriptor)
    assert record.text("name") == str(file)


def test_a_path_of_nearly_the_longest_length_is_whole(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    path = bytes(tmp_path)
    while len(path) < 4095:
        path += b"/" + b"d" * min(250, 4095 - len(path) - 1)
        if len(path) >= 4095 - 2:
            break
        Path(os.fsdecode(path)).mkdir()
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, path, os.O_RDWR | os.O_CREAT, 0o600)
    assert len(path) >= 4090
    assert os.fsencode(record.text("name")) == path
    assert not record.has_flag("TRUNCATED")


def test_a_path_that_is_longer_than_any_call_takes_is_cut_at_its_beginning(
    sensor: Sensor, child: Child, tmp_path: Path
) -> None:
    script = """
os.chdir(sys.argv[1])
for _ in range(30):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
say(fd=os.open("the end", os.O_RDWR | os.O_CREAT))
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(tmp_path))))
    record = next(r for r in seen.of("openat", pid=said[0]["pid"]) if r.text("name").endswith("/the end"))
    assert record.has_flag("TRUNCATED")
    assert 3800 < len(record.text("name")) < 4096
    assert record.text("name").startswith("/ddd")


def test_a_path_of_very_many_directories_is_cut_at_its_beginning(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "/".join("x" * 120)
    folder.mkdir(parents=True)
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, bytes(folder / "end"), os.O_RDWR | os.O_CREAT, 0o600)
    assert record.has_flag("TRUNCATED")
    assert record.text("name").endswith("/x/x/x/end")


@pytest.mark.parametrize(
    ("name", "flags", "error"),
    [
        (b"no/such/../file\n\xff", os.O_RDONLY, errno.ENOENT),
        (b"/etc", os.O_WRONLY, errno.EISDIR),
        (b"/dev/null/below", os.O_RDONLY, errno.ENOTDIR),
        (b"", os.O_RDONLY, errno.ENOENT),
    ],
)
def test_a_failed_open_has_the_error_and_the_name_as_it_was_written(
    sensor: Sensor, call: Call, name: bytes, flags: int, error: int
) -> None:
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, name, flags, 0)
    assert record.number("fd") == -error
    assert os.fsencode(record.text("name")) == name


def test_a_failed_open_at_an_address_without_memory_is_reported_without_a_name(sensor: Sensor, call: Call) -> None:
    record = opened(sensor, call, OPENAT, WORKING_DIRECTORY, 8, os.O_RDONLY, 0)
    assert (record.number("fd"), record.text("name")) == (-errno.EFAULT, "")


def test_a_failed_open_by_a_user_is_reported_with_that_user(sensor: Sensor, child: Child) -> None:
    script = (
        "os.setresuid(1234, 1234, 1234)\ntry:\n os.open('/etc/shadow', os.O_RDONLY)\nexcept PermissionError:\n say()"
    )
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script)))
    record = seen.one("openat", pid=said[0]["pid"], name="/etc/shadow")
    assert (record.header.uid, record.number("fd")) == (1234, -errno.EACCES)


def test_the_layer_of_an_overlay_is_told(sensor: Sensor, call: Call, tmp_path: Path) -> None:
    for name in ("low", "store", "merged"):
        (tmp_path / name).mkdir()
    (tmp_path / "low" / "file").write_text("lower")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path / "store"], check=True)
    try:
        for name in ("up", "work"):
            (tmp_path / "store" / name).mkdir()
        layers = f"lowerdir={tmp_path}/low,upperdir={tmp_path}/store/up,workdir={tmp_path}/store/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, tmp_path / "merged"], check=True)
        try:
            path = bytes(tmp_path / "merged" / "file")
            read = opened(sensor, call, OPENAT, WORKING_DIRECTORY, path, os.O_RDONLY, 0, overlay=True)
            written = opened(sensor, call, OPENAT, WORKING_DIRECTORY, path, os.O_WRONLY, 0, overlay=True)
        finally:
            subprocess.run(["umount", tmp_path / "merged"], check=True)
    finally:
        subprocess.run(["umount", tmp_path / "store"], check=True)
    assert read.number("flags") == portable("O_RDONLY", "FD_LOWER_LAYER")
    assert written.number("flags") == portable("O_WRONLY", "FD_UPPER_LAYER")
    assert read.text("name") == os.fsdecode(path)


def test_a_file_that_is_opened_by_its_handle_has_the_kernels_path(sensor: Sensor, child: Child, file: Path) -> None:
    script = """
handle = ctypes.create_string_buffer(8 + 128)
handle[0] = 128
mount = ctypes.c_int()
call(303, -100, os.fsencode(sys.argv[1]), handle, ctypes.byref(mount), 0)
place = os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY)
opened = call(304, place, handle, os.O_WRONLY | os.O_APPEND)
try:
    call(304, 999999, handle, os.O_RDONLY)
except OSError:
    say(place=place, opened=opened)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(file))))
    pid = said[0]["pid"]
    record = seen.one("open_by_handle_at", pid=pid, fd=said[0]["opened"])
    assert (record.text("path"), record.number("mountfd")) == (str(file), said[0]["place"])
    assert record.number("flags") & portable("O_RDWR", "O_APPEND") == portable("O_WRONLY", "O_APPEND")
    assert (record.number("ino"), record.number("dev")) == (file.stat().st_ino, file.stat().st_dev)
    assert record.number("inode_mode") == file.stat().st_mode
    failed = seen.one("open_by_handle_at", pid=pid, fd=-errno.EBADF)
    assert (failed.text("path"), failed.number("ino"), failed.number("inode_mode")) == ("", 0, 0)
