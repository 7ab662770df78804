"""Threads, descriptors, paths, users and containers are rebuilt from the events of a capture."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, cast

import pytest

from hullwatch.captures.scap import threads as threads_module
from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.lookup import from_scap
from hullwatch.fields.address import write_address, write_tuple
from hullwatch.fields.catalogue import catalogue
from tests.captures.scap.scap_files import (
    block,
    closed,
    event,
    i64,
    machine,
    opened,
    section,
    text,
    thread,
    threads,
    u32,
)

if TYPE_CHECKING:
    from hullwatch.captures.scap.event import ScapEvent

BEGINNING = section() + machine() + threads(thread(1, 1, 0, "init"), thread(10, 10, 1, "bash", "/home/me"))
ID = "0123456789ab" + "c" * 52
CGROUPS = f"cpu=/docker/{ID}\0memory=/docker/{ID}\0".encode()


def of(given: ScapEvent, name: str) -> object:
    """Return a field of an event."""
    field = catalogue()[name]
    function = from_scap(field, None)
    assert function is not None
    return function(given, None) if field.argument != "none" else function(given)


def read(*parts: bytes) -> list[ScapEvent]:
    """Return the events that rules see, each looked at when it comes."""
    return [*ScapCapture(io.BytesIO(BEGINNING + b"".join(parts)), "x.scap").events()]


def last(name: str, *parts: bytes) -> object:
    """Return a field of the last event, at its time."""
    found: object = None
    for one in ScapCapture(io.BytesIO(BEGINNING + b"".join(parts)), "x.scap").events():
        found = of(one, name)
    return found


def cloned(parent: int, *, tid: int, result: int, flags: int = 0, vtid: int = -1, cgroups: bytes = b"") -> bytes:
    """Return the end of a clone, in the parent or, with result 0, in the child."""
    own = tid if vtid < 0 else vtid
    values = [
        i64(result), b"bash\0", b"-c\0", i64(tid), i64(parent if flags & 8192 else tid),
        i64(1 if parent == tid else parent), b"/home/me\0", i64(1024),
        b"", b"", b"", b"", b"", b"bash\0", cgroups, u32(flags), u32(0), u32(0), i64(own), i64(own),
    ]  # fmt: skip
    return event(223, *values, tid=tid)


def executed(path: str, *, cgroups: bytes = b"") -> bytes:
    """Return the end of an execve of thread 10, as the newest writers have it."""
    values = [
        i64(0), b"ls\0", b"-l\0/\0", i64(10), i64(10), i64(1), b"/home/me\0", i64(1024), b"", b"", b"", b"", b"",
        b"ls\0", cgroups, b"A=1\0B=2\0", u32(34816), i64(10), u32(1000), u32(1), i64(0), i64(0xFF), i64(0xFF), i64(77),
        i64(5), i64(6), u32(1000), path.encode() + b"\0", i64(10), u32(50), b"ls\0",
    ]  # fmt: skip
    return event(293, *values)


def test_an_exec_gives_the_thread_another_program_and_the_environment() -> None:
    done = read(executed("/usr/bin/ls"))[-1]
    wanted = {
        "proc.name": "ls", "proc.exepath": "/usr/bin/ls", "proc.args": "-l /", "proc.cmdline": "ls -l /",
        "proc.env": "A=1 B=2", "proc.tty": 34816, "user.uid": 1000, "group.gid": 50, "proc.is_exe_writable": True,
        "proc.exe_ino": 77, "user.loginuid": 1000, "proc.pname": "init", "proc.cwd": "/home/me",
    }  # fmt: skip
    assert {name: of(done, name) for name in wanted} == wanted


def test_a_child_has_its_parents_descriptors_and_directory_and_those_of_its_own() -> None:
    fork = cloned(10, tid=10, result=20)
    assert last("fd.name", opened("/a"), fork, closed(tid=20)) == "/a"
    assert last("fd.name", opened("/a"), fork, closed(tid=20), opened("/b", fd=4), closed(fd=3)) == "/a"
    assert last("fd.name", fork, opened("notes", tid=20)) == "/home/me/notes"
    assert last("proc.pname", fork, opened("notes", tid=20)) == "bash"
    assert last("proc.duration", fork, opened("notes", tid=20)) == 0


def test_a_thread_shares_the_descriptors_of_its_process() -> None:
    clone = cloned(10, tid=21, result=0, flags=8192)
    opens = opened("/shared", tid=21)
    assert last("fd.name", clone, opens, closed(tid=10)) == "/shared"
    assert last("thread.ismain", clone, opens) is False
    assert last("proc.pid", clone, opens) == 10


def test_a_parents_event_from_inside_a_container_tells_nothing_of_the_child() -> None:
    inside = cloned(10, tid=10, result=7, vtid=3)
    assert last("proc.name", inside, opened("/a", tid=7)) == "<NA>"
    childs = cloned(10, tid=30, result=0, vtid=7, cgroups=CGROUPS)
    assert last("proc.vpid", inside, childs) == 7
    assert last("container.id", inside, childs) == ID[:12]


def test_the_container_is_the_one_of_the_control_groups_and_is_known_once_an_event_tells_of_it() -> None:
    told = {"container": {"id": ID[:12], "name": "web", "image": "nginx:1", "imagerepo": "nginx", "type": 0}}
    event_of_container = event(272, json.dumps(told).encode() + b"\0", tid=-1)
    running = executed("/bin/ls", cgroups=CGROUPS)
    assert last("container.id", running) == ID[:12]
    assert last("container.name", running) == ""
    assert last("container.name", event_of_container, running) == "web"
    assert last("container.image.repository", running, event_of_container, opened("/a")) == "nginx"


def test_a_descriptor_is_gone_after_its_close_and_known_during_it() -> None:
    events = [
        of(one, "fd.name")
        for one in ScapCapture(io.BytesIO(BEGINNING + opened("/a") + closed() + closed()), "x").events()
    ]
    assert events == ["/a", "/a", ""]


@pytest.mark.parametrize(
    ("flags", "found"), [(1 | 4096, ""), (1, "/a")], ids=["closed on exec", "kept"]
)  # fmt: skip
def test_an_exec_closes_what_is_to_be_closed(flags: int, found: str) -> None:
    assert last("fd.name", opened("/a", flags=flags), executed("/bin/ls"), closed()) == found


def test_duplicates_are_of_the_same_file() -> None:
    assert last("fd.name", opened("/a"), event(363, i64(9), i64(3), i64(9)), closed(fd=3), closed(fd=9)) == "/a"
    assert last("fd.name", opened("/a"), event(151, i64(8), i64(3), b"\x01", i64(0)), closed(fd=8)) == "/a"


def test_a_path_is_relative_to_the_directory_that_the_call_names() -> None:
    directory = opened("/etc", fd=5, flags=1 | 1024)
    assert last("fd.name", directory, opened("../var/./x", directory=5)) == "/var/x"
    assert last("fd.name", opened("x", directory=77)) == "<UNKNOWN>x"
    moved = event(95, i64(0), b"/srv\0")
    assert last("fd.name", moved, opened("x")) == "/srv/x"
    assert last("proc.cwd", moved, opened("x")) == "/srv"
    assert last("fs.path.target", moved, event(175, i64(0), b"a\0", b"../b\0")) == "/b"


def test_a_connection_has_two_ends_and_its_protocol_is_the_sockets() -> None:
    made = event(19, i64(3), u32(2), u32(2), u32(0), u32(0))
    ends = write_tuple(("10.0.0.2", 4000), ("10.0.0.1", 53))
    connected = event(23, i64(0), ends, i64(3), write_address("10.0.0.1", 53))
    wanted = {
        "fd.name": "10.0.0.2:4000->10.0.0.1:53", "fd.l4proto": "udp", "fd.sip": "10.0.0.1", "fd.cport": 4000,
        "fd.rport": 53, "fd.lip": "10.0.0.2", "fd.is_server": False, "fd.type": "ipv4", "fd.connected": True,
    }  # fmt: skip
    for name, value in wanted.items():
        assert last(name, made, connected) == value, name
    failed = event(23, i64(-111), ends, i64(3), write_address("10.0.0.1", 53))
    assert last("fd.name", made, failed) == ""


def test_an_accepted_connection_is_the_servers() -> None:
    accepted = event(247, i64(4), write_tuple(("10.0.0.2", 4000), ("10.0.0.1", 80)), b"\0", u32(0), u32(1))
    assert last("fd.is_server", accepted) is True
    assert last("fd.lport", accepted) == 80
    assert last("fd.rip", accepted) == "10.0.0.2"


def test_users_are_those_of_the_list_and_of_later_events() -> None:
    user = b"\x00" + u32(1000) + u32(50) + text("me") + text("/home/me") + text("/bin/zsh")
    listed = block(0x206, user + b"\x01" + u32(50) + text("staff"))
    data = section() + machine() + listed + threads(thread(10, 10, 1, "bash")) + executed("/bin/ls")
    (done,) = ScapCapture(io.BytesIO(data), "x").events()
    assert [of(done, name) for name in ("user.name", "user.shell", "group.name")] == ["me", "/bin/zsh", "staff"]
    added = event(354, u32(1000), u32(50), b"you\0", b"/home/you\0", b"/bin/sh\0", b"\0")
    assert last("user.name", executed("/bin/ls"), added, opened("/a")) == "you"


def test_an_end_takes_the_thread_away_and_its_children_go_to_another() -> None:
    end = event(186, i64(0), i64(0), b"\0", b"\0", i64(1))
    assert last("proc.pname", cloned(10, tid=10, result=20), end, opened("/a", tid=20)) == "init"
    assert last("proc.name", end, opened("/a")) == "<NA>"


def test_an_enter_event_says_what_was_asked_for_before_anybody_could_change_it() -> None:
    begun = event(306, i64(-100), b"/etc/shadow\0", u32(1), u32(0))
    assert last("fd.name", begun, opened("/tmp/harmless")) == "/etc/shadow"


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "THREADS_KEPT", 2000)
    monkeypatch.setattr(threads_module, "DESCRIPTORS_KEPT", 1000)
    parts = [opened(f"/{number}", fd=number) for number in range(600)]
    parts += [cloned(10, tid=10, result=100 + number) for number in range(3000)]
    capture = ScapCapture(io.BytesIO(BEGINNING + b"".join(parts)), "x")
    assert sum(1 for _ in capture.events()) == 3600
    kept = capture.state.threads
    assert len(kept) <= 2000
    assert sum(len(one.files) for one in kept) <= 1000
    assert (kept.forgotten > 0, kept.descriptors_forgotten > 0) == (True, True)


def test_a_line_of_ancestors_has_an_end_and_no_circle() -> None:
    chain = [cloned(number, tid=number, result=number + 1) for number in range(10, 1400)]
    circle = threads(thread(3001, 3001, 3002, "a"), thread(3002, 3002, 3001, "b"))
    capture = ScapCapture(io.BytesIO(BEGINNING + circle + b"".join(chain) + opened("/a", tid=3001)), "x")
    found = [of(one, "proc.aname") for one in capture.events()]
    assert isinstance(found[-1], tuple)
    assert len(cast("tuple[str, ...]", found[-1])) <= 2


def test_arguments_are_shown_with_their_names() -> None:
    assert last("evt.args", opened("/a", flags=4097)) == (
        "fd=3(<f>/a) dirfd=-100(AT_FDCWD) name=/a flags=4097(O_RDONLY|O_CLOEXEC) mode=0 dev=0 ino=7"
    )
    assert last("evt.args", event(129, i64(-1), i64(10), b"\x09")) == "res=-1(EPERM) pid=10(bash) sig=9(SIGKILL)"
    polled = struct.pack("<Hqh", 1, 3, 4)
    assert last("evt.args", opened("/a"), event(81, i64(1), polled, i64(-1))) == "res=1 fds=3:f4 timeout=-1"


def test_texts_of_threads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads_module, "TEXT_KEPT", 100_000)
    values = [
        i64(0),
        b"x\0",
        bytes(30_000),
        i64(10),
        i64(10),
        i64(1),
        b"/\0",
        i64(0),
        *[b""] * 5,
        b"x\0",
        b"",
        bytes(30_000),
    ]
    children = [cloned(10, tid=10, result=100 + number) for number in range(50)]
    capture = ScapCapture(io.BytesIO(BEGINNING + event(231, *values) + b"".join(children)), "x")
    assert sum(1 for _ in capture.events()) == 51
    assert sum(one.weight for one in capture.state.threads) <= 100_000
    assert capture.state.threads.texts_forgotten > 0
