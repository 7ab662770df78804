"""Namespaces, root and working directory, session and process group, by real system calls."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.events.codec import Value
    from tests.kernel.observation import Record, Sensor

    Child = Callable[..., dict[str, Any]]

CLONE = FLAGS["clone_flags"]
TRY = """
def attempt(number, *arguments):
    try:
        call(number, *arguments)
    except OSError:
        pass
"""
HOSTILE = "a\nb\x1b[31m ü"


def made(sensor: Sensor, child: Child, name: str, script: str, *arguments: str, **values: int) -> Record:
    """Run a script; return the one record of that type that its process caused."""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(TRY + script, *arguments)))
    return seen.one(name, pid=said[0]["pid"], **values)


def plain(record: Record) -> dict[str, Value]:
    """Return what rules see of a record; the namespaces behind it are test_namespaces.py's."""
    return {name: value for name, value in record.values.items() if name != "namespaces"}


KERNEL_FLAGS = {
    "CLONE_NEWNS": 0x20000, "CLONE_NEWCGROUP": 0x2000000, "CLONE_NEWUTS": 0x4000000, "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWPID": 0x20000000, "CLONE_NEWNET": 0x40000000, "CLONE_FILES": 0x400, "CLONE_FS": 0x200,
}  # fmt: skip


def test_new_namespaces_are_named_by_falcos_values(sensor: Sensor, child: Child) -> None:
    record = made(sensor, child, "unshare", f"call(272, {sum(KERNEL_FLAGS.values())})")
    assert plain(record) == {"res": 0, "flags": sum(CLONE[name] for name in KERNEL_FLAGS)}


def test_a_new_user_namespace_is_reported(sensor: Sensor, child: Child) -> None:
    record = made(sensor, child, "unshare", "attempt(272, 0x10000000)")
    assert record.number("flags") == CLONE["CLONE_NEWUSER"]
    assert record.number("res") in {0, -errno.EPERM}  # the kernel makes none for those who live in a chroot


def test_namespaces_that_cannot_be_had_are_reported_with_the_error(sensor: Sensor, child: Child) -> None:
    record = made(sensor, child, "unshare", "os.setresuid(9999, 9999, 9999)\nattempt(272, 0x20000)")
    assert plain(record) == {"res": -errno.EPERM, "flags": CLONE["CLONE_NEWNS"]}


@pytest.mark.parametrize(("link", "flag"), [("net", "CLONE_NEWNET"), ("uts", "CLONE_NEWUTS"), ("mnt", "CLONE_NEWNS")])
def test_a_namespace_that_is_joined_is_named_by_its_number_and_kind_whatever_was_asked(
    sensor: Sensor, child: Child, link: str, flag: str
) -> None:
    record = made(sensor, child, "setns", f"fd = os.open('/proc/self/ns/{link}', 0)\nsay(fd=fd)\ncall(308, fd, 0)")
    inode = Path(f"/proc/self/ns/{link}").stat().st_ino
    assert record.number("res") == 0
    assert record.number("nstype") == CLONE[flag]
    assert record.number("ns_inum") == inode


def test_joining_something_that_is_no_namespace_is_reported_with_the_error(sensor: Sensor, child: Child) -> None:
    record = made(sensor, child, "setns", "attempt(308, 99, 0x40000000)")
    assert plain(record) == {"res": -errno.EBADF, "fd": 99, "nstype": CLONE["CLONE_NEWNET"], "ns_inum": 0}
    record = made(sensor, child, "setns", "attempt(308, os.open('/dev/null', 0), 0)")
    assert (record.number("res"), record.number("ns_inum"), record.number("nstype")) == (-errno.EINVAL, 0, 0)


def test_the_working_directory_after_the_call_is_the_kernels(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    record = made(sensor, child, "chdir", "os.chdir(sys.argv[1])", str(tmp_path / "link"))
    assert record.values == {"res": 0, "path": str(folder)}
    assert not record.has_flag("USER_MEMORY")
    record = made(sensor, child, "fchdir", "os.fchdir(os.open(sys.argv[1], 0))", str(folder))
    assert (record.number("res"), record.text("path")) == (0, str(folder))


def test_a_directory_that_is_not_there_is_named_from_the_root(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    script = "os.chdir(sys.argv[1])\nattempt(80, b'nobody/\\xff\\n')"
    record = made(sensor, child, "chdir", script, str(tmp_path), res=-errno.ENOENT)
    assert os.fsencode(record.text("path")) == os.fsencode(f"{tmp_path}/nobody/") + b"\xff\n"
    assert record.has_flag("USER_MEMORY")
    record = made(sensor, child, "chdir", "os.chdir('/')\nattempt(80, b'nobody')", res=-errno.ENOENT)
    assert record.text("path") == "/nobody"
    record = made(sensor, child, "chdir", "attempt(80, b'')", res=-errno.ENOENT)
    assert record.text("path") == ""
    record = made(sensor, child, "fchdir", "attempt(81, 99)")
    assert record.values == {"res": -errno.EBADF, "fd": 99, "path": ""}


def test_a_name_that_is_too_long_is_cut_and_the_record_says_so(sensor: Sensor, child: Child) -> None:
    record = made(sensor, child, "chdir", "attempt(80, b'/' + b'x' * 5000)", res=-errno.ENAMETOOLONG)
    assert record.text("path") == "/" + "x" * 4094
    assert record.has_flag("TRUNCATED")


def test_a_new_root_directory_is_named_as_it_was_seen_before(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    (tmp_path / "jail" / "cell").mkdir(parents=True)
    script = "os.chdir(sys.argv[1])\nos.chroot('jail')\nos.chroot('/cell')"
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(tmp_path))))
    records = seen.of("chroot", pid=said[0]["pid"])
    first, second = (r.text("path") for r in records)
    assert first.endswith(f"{tmp_path}/jail")  # behind what the tests' own root is, where that is a directory
    assert second == f"{first}/cell"
    assert not any(r.has_flag("USER_MEMORY") or r.has_flag("UNREACHABLE") for r in records)


def test_a_root_directory_that_cannot_be_had_is_reported_with_the_error(sensor: Sensor, child: Child) -> None:
    record = made(sensor, child, "chroot", "os.chdir('/usr')\nos.setresuid(9, 9, 9)\nattempt(161, b'bin')")
    assert record.values == {"res": -errno.EPERM, "path": "/usr/bin"}
    assert record.has_flag("USER_MEMORY")


def test_a_pivot_of_the_root_is_reported_as_written(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    script = """
call(272, 0x20000)
mount = lambda source, target, kind, flags: call(165, source, target, kind, flags, 0)
mount(b"none", b"/", None, 0x44000)  # private, with all below
mount(b"tmpfs", os.fsencode(sys.argv[1]), b"tmpfs", 0)
os.chdir(sys.argv[1])
os.mkdir("old")
call(155, b".", b"old")
"""
    record = made(sensor, child, "pivot_root", script, str(tmp_path))
    assert record.values == {"res": 0, "new_root": ".", "put_old": "old"}
    assert record.has_flag("USER_MEMORY")


def test_a_pivot_that_fails_is_reported_with_the_error(sensor: Sensor, child: Child) -> None:
    record = made(sensor, child, "pivot_root", "attempt(155, b'/nobody\\n', b'/')")
    assert record.values == {"res": -errno.ENOENT, "new_root": "/nobody\n", "put_old": "/"}


def test_sessions_and_process_groups_are_reported(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []
    script = "os.setpgid(0, 0)\nattempt(109, 0, 999999)\nattempt(112)\npid = os.fork()\nif pid == 0:\n os.setsid()\n "
    script += "os._exit(0)\nsay(other=pid)\nos.waitpid(pid, 0)"
    seen = sensor.during(lambda: said.append(child(TRY + script)))
    pid, other = said[0]["pid"], said[0]["other"]
    groups = [r.values for r in seen.of("setpgid", pid=pid)]
    assert groups == [{"res": 0, "pid": 0, "pgid": 0}, {"res": -errno.EPERM, "pid": 0, "pgid": 999999}]
    assert seen.one("setsid", pid=pid).number("res") == -errno.EPERM
    assert seen.one("setsid", pid=other).number("res") == other


def test_a_filter_of_system_calls_is_reported(sensor: Sensor, child: Child) -> None:
    record = made(sensor, child, "seccomp", "attempt(317, 1, 1 << 20, 0)")
    assert record.values == {"res": -errno.EINVAL, "op": 1, "flags": 1 << 20}
    assert made(sensor, child, "seccomp", "call(317, 2, 0, (ctypes.c_uint * 1)(0))").number("res") == 0
