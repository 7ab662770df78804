"""Exec, fork and exit as the sensor reports them, by real system calls."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS
from tests.kernel.observation import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kernel.observation import Record, Sensor

    Child = Callable[..., dict[str, Any]]

TRUE = shutil.which("true") or "/bin/true"
NOT_SET = 0xFFFFFFFF
FLAG = FLAGS["execve_flags"]
EXECS = ("execve", "execveat")


def start_of(pid: int | str) -> int:
    """Return when a process started, in the ticks of /proc."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def ticks(nanoseconds: int) -> int:
    return nanoseconds * os.sysconf("SC_CLK_TCK") // 1_000_000_000


def exec_of(sensor: Sensor, command: list[str | bytes | Path], **options: object) -> Record:
    """Run a program; return what the sensor says of its exec."""
    pids: list[int] = []
    seen = sensor.during(lambda: pids.append(run(command, **options).pid))
    return seen.one(*EXECS, pid=pids[0])


def test_arguments_come_byte_for_byte_also_line_breaks_empty_ones_and_what_is_not_utf8(sensor: Sensor) -> None:
    arguments = [TRUE.encode(), b"two words", b"line\nbreak", b"", b"\xff\xfe\x80", "ü€".encode(), b"\x1b[31m"]
    record = exec_of(sensor, list(arguments))
    assert record.bytes("argv") == b"".join(argument + b"\0" for argument in arguments)
    assert not record.has_flag("TRUNCATED")


def test_arguments_of_more_than_4095_bytes_are_cut_and_the_record_says_so(sensor: Sensor) -> None:
    record = exec_of(sensor, [TRUE, "a" * 3000, "b" * 3000])
    whole = f"{TRUE}\0{'a' * 3000}\0{'b' * 3000}\0".encode()
    assert record.bytes("argv") == whole[:4095]
    assert record.has_flag("TRUNCATED")


def test_an_exec_without_any_argument_is_reported(sensor: Sensor, child: Child) -> None:
    pids: list[int] = []
    script = "pid = os.fork()\nif pid == 0:\n call(59, sys.argv[1].encode(), 0, 0)\nsay(other=pid)\nos.waitpid(pid, 0)"
    seen = sensor.during(lambda: pids.append(child(script, TRUE)["other"]))
    assert seen.one("execve", pid=pids[0]).bytes("argv") == b"\0"  # the kernel adds an empty one


def test_working_directory_name_of_the_program_and_its_file_are_the_kernels(sensor: Sensor, tmp_path: Path) -> None:
    program = tmp_path / "a program ü"
    shutil.copy2(TRUE, program)
    link = tmp_path / "link"
    link.symlink_to(program)
    folder = tmp_path / "folder\nwith a break"
    folder.mkdir()
    record = exec_of(sensor, [link], cwd=folder)
    file = program.stat()
    assert record.text("cwd") == str(folder)
    assert record.text("comm") == "link"
    assert record.text("filename") == str(link)
    assert record.text("trusted_exepath") == str(program)
    assert record.number("exe_ino") == file.st_ino
    assert record.number("exe_ino_mtime") == file.st_mtime_ns
    assert record.number("exe_ino_ctime") == file.st_ctime_ns
    assert record.number("res") == 0
    assert record.number("flags") & ~FLAG["EXE_WRITABLE"] == 0


def test_times_of_a_file_before_1970_and_far_in_the_future_are_right_modulo_2_64(
    sensor: Sensor, tmp_path: Path
) -> None:
    program = tmp_path / "old"
    shutil.copy2(TRUE, program)
    os.utime(program, ns=(0, -5_000_000_000))
    record = exec_of(sensor, [program])
    assert record.number("exe_ino_mtime") == (-5_000_000_000) % (1 << 64)


def test_a_name_of_more_than_15_bytes_is_cut_as_the_kernel_does_it(sensor: Sensor, tmp_path: Path) -> None:
    program = tmp_path / "a-name-that-is-far-too-long"
    shutil.copy2(TRUE, program)
    assert exec_of(sensor, [program]).text("comm") == "a-name-that-is-"


def test_user_and_group_are_the_effective_ones(sensor: Sensor) -> None:
    record = exec_of(sensor, [TRUE], user=1234, group=4321, extra_groups=[])
    assert record.header.uid == 1234
    assert record.number("gid") == 4321


def test_the_login_uid_follows_the_session(sensor: Sensor, child: Child) -> None:
    script = """
pid = os.fork()
if pid == 0:
    with open("/proc/self/loginuid", "w") as file:
        file.write("1077")
    os.execv(sys.argv[1], [sys.argv[1], "logged in"])
os.waitpid(pid, 0)
say(other=pid)
"""
    pids: list[int] = []
    seen = sensor.during(lambda: pids.append(child(script, TRUE)["other"]))
    assert seen.one("execve", pid=pids[0]).number("loginuid") == 1077
    inherited = int(Path("/proc/self/loginuid").read_text())
    assert exec_of(sensor, [TRUE]).number("loginuid") == inherited


def test_the_terminal_is_the_controlling_one(sensor: Sensor) -> None:
    outer, inner = os.openpty()
    script = (
        f"import fcntl, os, sys, termios; fcntl.ioctl({inner}, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], ['now'])"
    )
    command = [sys.executable, "-I", "-S", "-c", script, TRUE]
    pids: list[int] = []

    def act() -> None:
        pids.append(run(command, pass_fds=[inner], start_new_session=True).pid)

    device = os.fstat(inner).st_rdev
    try:
        seen = sensor.during(act)
    finally:
        os.close(outer)
        os.close(inner)
    record = seen.one("execve", pid=pids[0], argv=b"now\0")
    assert record.number("tty") == device
    assert os.major(device) == 136
    assert exec_of(sensor, [TRUE], start_new_session=True).number("tty") == 0


def test_process_group_session_and_parent_are_the_hosts_numbers(sensor: Sensor) -> None:
    record = exec_of(sensor, [TRUE], start_new_session=True)
    pid = record.header.pid
    assert (record.number("pgid"), record.number("sid"), record.number("vpid")) == (pid, pid, pid)
    assert record.header.tid == pid
    assert record.number("ptid") == os.getpid()
    assert ticks(record.number("parent_start")) == start_of("self")
    plain = exec_of(sensor, [TRUE])
    assert (plain.number("pgid"), plain.number("sid")) == (os.getpgid(0), os.getsid(0))


def test_ancestors_are_named_with_their_start_parent_first(sensor: Sensor) -> None:
    record = exec_of(sensor, [TRUE])
    ancestors = [(pid, ticks(start)) for start, pid in struct.iter_unpack("<QQ", record.bytes("ancestors"))]
    expected: list[tuple[int, int]] = []
    pid = os.getpid()
    while pid and len(expected) < 8:
        expected.append((pid, start_of(pid)))
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert ancestors == expected


def test_a_process_of_another_pid_namespace_has_both_its_numbers(sensor: Sensor, child: Child) -> None:
    script = """
if libc.unshare(0x20000000):  # CLONE_NEWPID
    raise OSError(ctypes.get_errno())
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1]])
os.waitpid(pid, 0)
say(other=pid)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, TRUE)))
    pid = said[0]["other"]
    record = seen.one("execve", pid=pid)
    assert record.number("vpid") == 1
    assert record.number("pgid") == os.getpgid(0)
    assert seen.of("fork", "clone", pid=said[0]["pid"]).where(res=pid)[0].number("vpid") == 1


def test_a_script_is_named_as_asked_for_and_its_interpreter_is_the_executable(sensor: Sensor, tmp_path: Path) -> None:
    shell = os.path.realpath("/bin/sh")
    script = tmp_path / "script"
    script.write_text("#!/bin/sh -e\nexit 0\n")
    script.chmod(0o755)
    record = exec_of(sensor, [script, "argument"])
    assert record.text("filename") == str(script)
    assert record.text("trusted_exepath") == shell
    assert record.text("comm") == "script"
    assert record.bytes("argv") == f"/bin/sh\0-e\0{script}\0argument\0".encode()
    assert record.number("exe_ino") == Path(shell).stat().st_ino


def test_control_groups_of_both_versions_are_named(sensor: Sensor) -> None:
    process = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        lines = [line.split(":", 2) for line in Path(f"/proc/{process.pid}/cgroup").read_text().splitlines()]
        listed = sensor.list_processes().one("process", pid=process.pid)
    names = {controllers: path for _, controllers, path in lines}
    memory = next((path for kinds, path in names.items() if "memory" in kinds.split(",")), "")
    hierarchy = next((int(number) for number, kinds, _ in lines if "memory" in kinds.split(",")), 0)
    assert listed.text("cgroup_v1") == memory
    assert listed.text("cgroup_v2") == names.get("", "/")
    assert listed.header.cgroup_hierarchy == hierarchy
    record = exec_of(sensor, [TRUE])
    assert (record.text("cgroup_v1"), record.text("cgroup_v2")) == (memory, names.get("", "/"))


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Path]:
    """A mounted overlay with a program ``lower`` in its lower layer."""
    for name in ("low", "store", "merged"):
        (tmp_path / name).mkdir()
    shutil.copy2(TRUE, tmp_path / "low" / "lower")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path / "store"], check=True)
    for name in ("up", "work"):
        (tmp_path / "store" / name).mkdir()
    layers = f"lowerdir={tmp_path}/low,upperdir={tmp_path}/store/up,workdir={tmp_path}/store/work"
    try:
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, tmp_path / "merged"], check=True)
        try:
            yield tmp_path / "merged"
        finally:
            subprocess.run(["umount", tmp_path / "merged"], check=True)
    finally:
        subprocess.run(["umount", tmp_path / "store"], check=True)


def test_the_layer_of_an_overlay_that_a_program_lies_in_is_told(sensor: Sensor, overlay: Path) -> None:
    shutil.copy2(TRUE, overlay / "upper")
    assert exec_of(sensor, [overlay / "lower"]).number("flags") & ~FLAG["EXE_WRITABLE"] == FLAG["EXE_LOWER_LAYER"]
    assert exec_of(sensor, [overlay / "upper"]).number("flags") & ~FLAG["EXE_WRITABLE"] == FLAG["EXE_UPPER_LAYER"]
    shutil.copy2(TRUE, overlay / "lower.new")
    (overlay / "lower.new").rename(overlay / "lower")
    assert exec_of(sensor, [overlay / "lower"]).number("flags") & ~FLAG["EXE_WRITABLE"] == FLAG["EXE_UPPER_LAYER"]


def test_a_program_that_lives_only_in_memory_is_marked(sensor: Sensor) -> None:
    memory = os.memfd_create("payload", 0)
    try:
        os.write(memory, Path(TRUE).read_bytes())
        record = exec_of(sensor, [f"/proc/self/fd/{memory}"], pass_fds=[memory])
    finally:
        os.close(memory)
    assert record.number("flags") & ~FLAG["EXE_WRITABLE"] == FLAG["EXE_FROM_MEMFD"]
    assert record.text("trusted_exepath") == "/memfd:payload"


def test_execveat_of_a_descriptor_is_named_after_the_call(sensor: Sensor, child: Child) -> None:
    script = """
memory = os.memfd_create("payload", 0)
with open(sys.argv[1], "rb") as file:
    os.write(memory, file.read())
pid = os.fork()
if pid == 0:
    arguments = (ctypes.c_char_p * 3)(b"name", b"argument", None)
    call(322, memory, b"", arguments, 0, 0x1000)  # AT_EMPTY_PATH
_, status = os.waitpid(pid, 0)
say(other=pid, status=status, memory=memory)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, TRUE)))
    assert said[0]["status"] == 0
    record = seen.one("execveat", pid=said[0]["other"])
    assert record.bytes("argv") == b"name\0argument\0"
    assert record.text("filename") == f"/dev/fd/{said[0]['memory']}"
    assert record.number("flags") & ~FLAG["EXE_WRITABLE"] == FLAG["EXE_FROM_MEMFD"]
    assert not seen.of("execve", pid=said[0]["other"])


def test_execveat_of_a_program_in_a_directory_is_named_after_the_call(sensor: Sensor, child: Child) -> None:
    script = """
folder = os.open(os.path.dirname(sys.argv[1]), os.O_PATH)
pid = os.fork()
if pid == 0:
    call(322, folder, os.path.basename(sys.argv[1]).encode(), (ctypes.c_char_p * 2)(b"name", None), 0, 0)
os.waitpid(pid, 0)
say(other=pid, folder=folder)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, TRUE)))
    record = seen.one("execveat", pid=said[0]["other"])
    assert record.text("filename") == f"/dev/fd/{said[0]['folder']}/{Path(TRUE).name}"
    assert record.text("trusted_exepath") == os.path.realpath(TRUE)


def test_a_deleted_program_on_a_tmpfs_is_not_taken_for_one_in_memory(sensor: Sensor, overlay: Path) -> None:
    program = overlay.parent / "store" / "deleted"
    shutil.copy2(TRUE, program)
    descriptor = os.open(program, os.O_RDONLY)
    try:
        program.unlink()
        record = exec_of(sensor, [f"/proc/self/fd/{descriptor}"], pass_fds=[descriptor])
    finally:
        os.close(descriptor)
    assert record.number("flags") & ~FLAG["EXE_WRITABLE"] == 0
    assert record.text("trusted_exepath") == str(program)


# vfork() shares the stack, so neither Python nor a C library function can make the call: seven instructions do.
VFORK = """
import mmap
code = mmap.mmap(-1, 4096, prot=7)
#          mov eax, 58 ; syscall ; test eax, eax ; jnz end ; xor edi, edi ; mov eax, 231 ; syscall ; end: ret
code.write(bytes.fromhex("b83a0000000f0585c0750931ffb8e70000000f05c3"))
vfork = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
"""


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("clone", "call(56, 17, 0, 0, 0, 0)"),
        ("fork", "call(57)"),
        ("vfork", "vfork()"),
        ("clone3", "call(435, (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17, 0, 0, 0), 64)"),
    ],
)
def test_a_new_process_is_named_after_the_call_that_made_it(
    sensor: Sensor, child: Child, name: str, statement: str
) -> None:
    script = f"""{VFORK}
with open("/proc/self/comm", "w") as file:
    file.write("new name")
pid = {statement}
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
say(other=pid)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script)))
    parent, pid = said[0]["pid"], said[0]["other"]
    record = seen.one("clone", "fork", "vfork", "clone3", pid=parent, res=pid)
    assert record.name == name
    assert record.number("vpid") == pid
    assert record.text("comm") == "new name"
    assert seen.one("procexit", pid=pid).header.process_start == record.number("child_start")


def test_threads_are_no_new_processes(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []
    script = "import threading\nthread = threading.Thread(target=os.getpid)\nthread.start()\nthread.join()\nsay()"
    seen = sensor.during(lambda: said.append(child(script)))
    assert not seen.of("clone", "fork", "vfork", "clone3", pid=said[0]["pid"])
    assert len(seen.of("procexit", pid=said[0]["pid"])) == 1


def test_an_exit_code_is_reported(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child("os._exit(42)", status=42)))
    assert seen.one("procexit", pid=said[0]["pid"]).values == {"status": 42 << 8, "ret": 42, "sig": 0, "core": 0}


def test_a_deadly_signal_is_reported(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child("os.kill(os.getpid(), 15)", status=-signal.SIGTERM)))
    assert seen.one("procexit", pid=said[0]["pid"]).values == {"status": 15, "ret": 0, "sig": 15, "core": 0}


def test_a_core_dump_is_noted_where_the_kernel_wrote_one(sensor: Sensor, child: Child, tmp_path: Path) -> None:
    script = """
import resource
os.chdir(sys.argv[1])
resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
pid = os.fork()
if pid == 0:
    os.abort()
_, status = os.waitpid(pid, 0)
say(other=pid, dumped=os.WCOREDUMP(status))
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(tmp_path))))
    record = seen.one("procexit", pid=said[0]["other"])
    assert (record.number("sig"), record.number("core")) == (signal.SIGABRT, int(said[0]["dumped"]))
    assert said[0]["dumped"] or Path("/proc/sys/kernel/core_pattern").read_text().startswith("|")


THREADS = """
import threading
barrier = threading.Barrier(33)
def wait():
    barrier.wait()
    threading.Event().wait()
for _ in range(32):
    threading.Thread(target=wait, daemon=True).start()
barrier.wait()
"""


def test_a_process_of_many_threads_ends_once(sensor: Sensor, child: Child) -> None:
    said: list[dict[str, Any]] = []

    def act() -> None:
        said.extend(child(THREADS + "os._exit(9)", status=9) for _ in range(20))

    seen = sensor.during(act)
    ends = [seen.one("procexit", pid=item["pid"]) for item in said]
    assert {record.number("ret") for record in ends} == {9}
    assert len(ends) == 20


def test_a_leader_that_ends_before_its_threads_does_not_end_the_process(sensor: Sensor, child: Child) -> None:
    script = """
import threading
def last():
    leader = f"/proc/{os.getpid()}/stat"
    while open(leader).read().rpartition(")")[2].split()[0] != "Z":
        pass
    try:
        open("/the leader is gone")
    except OSError:
        call(60, 7)  # ends this thread only
pid = os.fork()
if pid == 0:
    threading.Thread(target=last).start()
    call(60, 5)
_, status = os.waitpid(pid, 0)
say(other=pid, status=status)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script)))
    pid = said[0]["other"]
    end = seen.one("procexit", pid=pid)
    after = seen.one("openat", pid=pid, name="/the leader is gone")
    assert end.header.time > after.header.time
    assert end.number("status") == said[0]["status"]  # the leader's code or the last thread's: as this kernel has it


def test_an_exec_by_another_thread_keeps_the_process(sensor: Sensor, child: Child) -> None:
    script = """
import threading
threading.Thread(target=os.execv, args=(sys.argv[1], ["by a thread"])).start()
threading.Event().wait()
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, TRUE)))
    pid = said[0]["pid"]
    record = seen.one("execve", pid=pid, argv=b"by a thread\0")
    assert record.header.tid == pid
    assert len(seen.of("procexit", pid=pid)) == 1


@pytest.mark.parametrize(
    ("mode", "owner", "group", "user", "groups", "writable"),
    [
        (0o755, 0, 0, 0, (), True),
        (0o555, 5, 5, 0, (), True),  # the superuser may, whatever the permissions say
        (0o755, 0, 0, 1234, (), False),
        (0o755, 1234, 0, 1234, (), True),
        (0o575, 1234, 0, 1234, (), False),  # the owner's permissions count, and no others
        (0o775, 0, 4321, 1234, (4321,), True),
        (0o775, 0, 4321, 1234, (9, 8), False),
        (0o777, 0, 0, 1234, (), True),
    ],
)
def test_an_executable_that_its_user_may_change_is_marked(
    sensor: Sensor, mode: int, owner: int, group: int, user: int, groups: tuple[int, ...], *, writable: bool
) -> None:
    folder = Path(tempfile.mkdtemp())  # where other users can go
    try:
        folder.chmod(0o755)
        program = folder / "program"
        shutil.copy2(TRUE, program)
        os.chown(program, owner, group)
        program.chmod(mode)
        record = exec_of(sensor, [program], user=user, group=user, extra_groups=list(groups))
    finally:
        shutil.rmtree(folder)
    assert bool(record.number("flags") & FLAG["EXE_WRITABLE"]) == writable


def test_an_executable_on_a_read_only_mount_is_not_marked_as_writable(sensor: Sensor, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path / "store"], check=True)
    try:
        shutil.copy2(TRUE, tmp_path / "store" / "program")
        assert exec_of(sensor, [tmp_path / "store" / "program"]).number("flags") == FLAG["EXE_WRITABLE"]
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "store"], check=True)
        assert exec_of(sensor, [tmp_path / "store" / "program"]).number("flags") == 0
    finally:
        subprocess.run(["umount", tmp_path / "store"], check=True)
