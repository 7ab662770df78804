"""The basic tier of kernel programs, on a kernel that could have the full one: what it tells and where it cuts."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import BY_NAME, FLAGS
from hullwatch.sources.host import ask_support
from tests.kernel.observation import Sensor, program, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kernel.observation import Record

NAME_BYTES_BASIC = 512  # as in named_path.h
PATH_COMPONENTS_BASIC = 48  # as in path.h
MESSAGES_BASIC = 4  # as in message.bpf.c
SYS_SENDMMSG = {"x86_64": 307, "aarch64": 269}[os.uname().machine]


@pytest.fixture(scope="module")
def basic() -> Iterator[Sensor]:
    """A sensor with the basic tier, which sends everything."""
    with Sensor("--tier=basic") as running:
        yield running


def test_every_program_of_the_basic_tier_is_taken_by_the_verifier(basic: Sensor) -> None:
    """A handler that follows a pointer of the running thread without READ() is one that it would refuse."""
    every = [name for name, row in BY_NAME.items() if row.syscall]
    record = basic.during(lambda: basic.set_interest(None, narrowed=every)).of("kernel_support")[-1]
    basic.set_interest(None)
    refused = {number for (number,) in struct.iter_unpack("<H", record.bytes("unseen"))}
    assert [name for name, row in BY_NAME.items() if row.number in refused] == []
    assert record.number("tier") == FLAGS["tiers"]["BASIC"]
    assert not record.number("lacks") & FLAGS["kernel_lacks"]["RULED_OUT"]


def test_this_kernel_is_given_the_full_tier_and_the_sensor_says_so(sensor: Sensor) -> None:
    record = sensor.during(lambda: sensor.set_interest(None)).of("kernel_support")[-1]
    assert record.number("tier") == FLAGS["tiers"]["FULL"]
    assert record.bytes("unseen") == b""
    support = ask_support(program())
    assert support.tier == "full"
    assert record.number("lacks") == sum(FLAGS["kernel_lacks"][name] for name in support.lacks)


def test_a_program_is_told_with_its_arguments_directory_and_ancestors(basic: Sensor, here: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []
    records = basic.during(lambda: started.append(run(["/bin/echo", "one", "two words"], stdout=subprocess.DEVNULL)))
    record = records.one("execve", pid=started[0].pid)
    assert record.bytes("argv") == b"/bin/echo\0one\0two words\0"
    assert record.text("cwd") == str(here)
    assert record.text("trusted_exepath") == str(Path("/bin/echo").resolve())
    ancestors = list(struct.iter_unpack("<QQ", record.bytes("ancestors")))
    assert ancestors[0][1] == os.getpid()
    assert records.one("procexit", pid=started[0].pid).number("ret") == 0


def test_a_running_process_is_listed_with_its_arguments(basic: Sensor) -> None:
    """They come from /proc here."""
    arguments = ["cat", "-", "line\nbreak"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        process.stdout.read(1)  # its exec is done now
        record = basic.list_processes().one("process", pid=process.pid)
        process.stdin.close()
    assert record.bytes("argv") == b"cat\0-\0line\nbreak\0"
    assert record.text("comm") == "cat"
    assert struct.unpack_from("<QQ", record.bytes("ancestors"))[1] == os.getpid()


def test_a_file_is_told_by_the_kernels_path_and_a_name_is_made_plain(basic: Sensor, here: Path) -> None:
    def act() -> None:
        os.close(os.open("./file", os.O_RDWR))
        (here / "x").mkdir()
        os.unlink("x/.././/file")  # noqa: PTH108 - the name is what is tested

    records = basic.during(act)
    assert records.of("openat", pid=os.getpid()).one("openat", name=str(here / "file")).number("fd") > 0
    unlinked = records.one("unlink", "unlinkat", pid=os.getpid())
    assert unlinked.text("path" if unlinked.name == "unlink" else "name") == str(here / "file")


def test_a_longer_name_than_is_made_plain_stands_as_it_was_written_and_is_marked(basic: Sensor, here: Path) -> None:
    name = "./" * (NAME_BYTES_BASIC // 2) + "file"
    records = basic.during(lambda: os.unlink(name))  # noqa: PTH108 - the name is what is tested
    record = records.one("unlink", "unlinkat", pid=os.getpid())
    assert record.text("path" if record.name == "unlink" else "name") == name
    assert record.has_flag("TRUNCATED")
    assert not (here / "file").exists()


def test_a_file_further_down_than_is_followed_has_the_end_of_its_path(basic: Sensor, here: Path) -> None:
    folder = here.joinpath(*["d"] * PATH_COMPONENTS_BASIC)
    folder.mkdir(parents=True)
    records = basic.during((folder / "deep").touch)
    opens = records.of("open", "openat", pid=os.getpid())
    opened = [record for record in opens if record.text("name").endswith("/deep")]
    assert opened[0].text("name") == "/d" * (PATH_COMPONENTS_BASIC - 1) + "/deep"
    assert opened[0].has_flag("TRUNCATED")


def test_of_many_messages_of_one_call_the_first_are_told_and_the_call_is_counted(basic: Sensor) -> None:
    class Message(ctypes.Structure):
        _fields_ = (("name", ctypes.c_void_p), ("rest", ctypes.c_byte * 56))

    messages = (Message * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        sent: list[int] = []
        act = lambda: sent.append(libc.syscall(SYS_SENDMMSG, ours.fileno(), messages, len(messages), 0))  # noqa: E731
        records = basic.during(act)
    assert sent == [6]
    assert len(records.of("sendmmsg", pid=os.getpid())) == MESSAGES_BASIC
    key = (BY_NAME["sendmmsg"].number, FLAGS["drop_reasons"]["BASIC_TIER"])
    basic.wait_for(lambda record: record.name == "drops" and key in counted(record))


def counted(drops: Record) -> set[tuple[int, int]]:
    """Types and reasons of events that were not sent."""
    return {(number, reason) for number, reason, _, _ in struct.iter_unpack("<HHIQ", drops.bytes("counts"))}


@pytest.mark.parametrize("how", ["fork", "vfork", "clone"])
def test_a_child_is_told_by_the_call_that_made_it(
    basic: Sensor, child: Callable[..., dict[str, Any]], how: str
) -> None:
    """The number of the call is read from the kernel's stack here."""
    if os.uname().machine != "x86_64" and how != "clone":
        pytest.skip("this processor has no fork() and vfork()")
    number = {"fork": 57, "vfork": 58, "clone": 56}[how]
    statements = f"""
if {how!r} == 'vfork':
    import subprocess
    process = subprocess.Popen(['/bin/true']); process.wait(); say(made=process.pid)
else:
    made = call({number}, 17, 0, 0, 0, 0) if {how!r} == 'clone' else call({number})
    if made == 0:
        os._exit(0)
    os.waitpid(made, 0); say(made=made)
"""
    done: list[dict[str, Any]] = []
    records = basic.during(lambda: done.append(child(statements)))
    found = records.of("fork", "vfork", "clone", "clone3", pid=done[0]["pid"])
    assert [(record.name, record.number("res")) for record in found] == [(how, done[0]["made"])]


def test_what_is_left_out_to_save_time_is_counted(basic: Sensor, here: Path) -> None:
    """The programs that stand in for handlers are loaded with the first order, and have to be taken too."""
    basic.shed(["unlink", "unlinkat", "kill"], reads=True)

    def act() -> None:
        os.close(os.open("file", os.O_RDONLY))
        os.kill(os.getpid(), 0)
        os.close(os.open("written", os.O_RDWR | os.O_CREAT))

    records = basic.during(act)
    assert [record.text("name") for record in records.of("openat", pid=os.getpid())] == [str(here / "written")]
    assert not records.of("kill", pid=os.getpid())
    for name in ("kill", "openat"):
        key = (BY_NAME[name].number, FLAGS["drop_reasons"]["SHED"])
        basic.wait_for(lambda record, key=key: record.name == "drops" and key in counted(record))
    basic.shed([], reads=False)


def test_a_tier_that_is_none_is_refused() -> None:
    answer = subprocess.run([program(), "--tier=best"], capture_output=True, text=True, check=False)
    assert answer.returncode == 3
    assert "--tier takes 'full' or 'basic', not 'best'" in answer.stderr
