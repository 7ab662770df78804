"""Opens, names of files and connections through io_uring are events like others."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.events.table import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Record, Sensor

    Child = Callable[..., dict[str, Any]]

# A ring: io_uring_setup, the mappings, an entry for each request, io_uring_enter. Offsets are those of struct
# io_uring_params and io_uring_sqe in linux/io_uring.h.
RING = """
import mmap, socket, struct
SETUP, ENTER, REGISTER, GETEVENTS, REGISTER_FILES = 425, 426, 427, 1, 2
parameters = ctypes.create_string_buffer(120)
ring = call(SETUP, 4, parameters)
sq_entries, cq_entries = struct.unpack_from("<II", parameters, 0)
head, tail, mask, _, _, _, array = struct.unpack_from("<7I", parameters, 40)
cq_head, cq_tail, cq_mask, _, _, cqes = struct.unpack_from("<6I", parameters, 80)
size = max(array + 4 * sq_entries, cqes + 16 * cq_entries)
queue = mmap.mmap(ring, size, offset=0)
entries = mmap.mmap(ring, 64 * sq_entries, offset=0x10000000)
kept = []
def address(value):
    if not isinstance(value, (str, bytes)):
        return value
    kept.append(ctypes.create_string_buffer(value if isinstance(value, bytes) else os.fsencode(value)))
    return ctypes.addressof(kept[-1])
def submit(operation, fd=-100, name=0, second=0, length=0, flags=0, priority=0, place=0, third=0, group=None, wait=1):
    \"\"\"Hand in one request; return its result, None without waiting.\"\"\"
    end = struct.unpack_from("<I", queue, tail)[0]
    selects = 0 if group is None or operation == 31 else 32
    values = (operation, selects, priority, fd, address(second), address(name), length, flags, 7, group or 0, 0, place)
    entries[:64] = struct.pack("<BBHiQQIIQHHiQ8x", *values, address(third))
    struct.pack_into("<I", queue, array + 4 * (end & (sq_entries - 1)), 0)
    struct.pack_into("<I", queue, tail, end + 1)
    call(ENTER, ring, 1, wait, GETEVENTS, 0, 0)
    return result() if wait else None
def result():
    begin, end = (struct.unpack_from("<I", queue, place)[0] for place in (cq_head, cq_tail))
    if begin == end:
        call(ENTER, ring, 0, 1, GETEVENTS, 0, 0)
    user_data, value, _ = struct.unpack_from("<QiI", queue, cqes + 16 * (begin & (cq_entries - 1)))
    struct.pack_into("<I", queue, cq_head, begin + 1)
    assert user_data == 7
    return value
"""
PATH = "sys.argv[1]"
OPENAT, UNLINKAT, MKDIRAT, RENAMEAT, LINKAT, SYMLINKAT, CONNECT, ACCEPT = 18, 36, 37, 35, 39, 38, 16, 13
FLAG = FLAGS["file_flags"]


def records_of(
    sensor: Sensor, child: Child, statements: str, *arguments: object
) -> tuple[dict[str, Any], list[Record]]:
    """Run statements behind ``RING``; return what they say, and the records that are said to be of a ring."""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(RING + statements, *map(str, arguments))))
    return said[0], [r for r in seen if r.header.pid == said[0]["pid"] and r.has_flag("IO_URING")]


# ---- opens


def test_a_file_that_is_opened_through_io_uring_is_an_open_with_its_real_path(
    sensor: Sensor, child: Child, tmp_path: Path
) -> None:
    file = tmp_path / "a file\n"
    file.write_text("x")
    (tmp_path / "link").symlink_to(file)
    said, (record,) = records_of(sensor, child, f"say(result=submit({OPENAT}, name={PATH}))", tmp_path / "link")
    assert (record.name, record.text("name")) == ("openat", str(file))
    assert not record.has_flag("USER_MEMORY")
    assert (record.number("fd"), record.number("dirfd")) == (said["result"], -100)
    assert record.number("ino") == file.stat().st_ino
    assert record.number("flags") & FLAG["O_RDONLY"]


@pytest.mark.parametrize("name", ["/nobody/here\n", "/" + "x" * 255, "/" + "x" * 300, "/x" * 2047])
def test_an_open_through_io_uring_that_fails_has_the_name_that_was_asked_for(
    sensor: Sensor, child: Child, name: str
) -> None:
    said, (record,) = records_of(sensor, child, f"say(result=submit({OPENAT}, name={PATH}))", name)
    assert (record.text("name"), record.has_flag("TRUNCATED")) == (name, False)
    assert record.number("fd") == said["result"] in {-errno.ENAMETOOLONG, -errno.ENOENT}
    assert record.has_flag("USER_MEMORY")


def test_a_file_in_the_ring_s_own_table_is_known_by_the_name_that_was_asked_for(
    sensor: Sensor, child: Child, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    script = f"""
call(REGISTER, ring, REGISTER_FILES, struct.pack("<i", -1), 1)
say(result=submit({OPENAT}, name={PATH}, place=1))
"""
    said, (record,) = records_of(sensor, child, script, tmp_path / "file")
    assert (record.number("fd"), record.text("name")) == (said["result"], str(tmp_path / "file"))
    assert record.has_flag("USER_MEMORY")


# ---- names of files


def test_a_file_that_is_removed_through_io_uring_is_named_by_the_directory_of_its_descriptor(
    sensor: Sensor, child: Child, here: Path
) -> None:
    (here / "folder").mkdir()
    script = f"""
os.chdir({PATH})
folder = os.open(".", os.O_RDONLY)
say(first=submit({UNLINKAT}, name="./file"), second=submit({UNLINKAT}, folder, "folder/", flags=0x200), folder=folder)
"""
    said, (first, second) = records_of(sensor, child, script, here)
    assert (first.name, first.number("res"), first.number("dirfd")) == ("unlinkat", said["first"], -100)
    assert (first.text("name"), first.text("nameraw")) == (str(here / "file"), "./file")
    assert (second.number("res"), second.number("dirfd")) == (said["second"], said["folder"])
    assert (second.text("name"), second.number("flags")) == (
        str(here / "folder"),
        FLAGS["unlinkat_flags"]["AT_REMOVEDIR"],
    )
    assert not list(here.iterdir())


def test_a_directory_that_is_made_through_io_uring_has_its_mode(sensor: Sensor, child: Child, here: Path) -> None:
    script = f"os.chdir({PATH})\nsay(results=[submit({MKDIRAT}, name='new', length=0o1750) for _ in range(2)])"
    said, records = records_of(sensor, child, script, here)
    assert [record.number("res") for record in records] == said["results"] == [0, -errno.EEXIST]
    assert {record.text("path") for record in records} == {str(here / "new")}
    assert {(record.name, record.number("mode")) for record in records} == {("mkdirat", 0o1750)}


@pytest.mark.parametrize(("operation", "name"), [(RENAMEAT, "renameat2"), (LINKAT, "linkat"), (SYMLINKAT, "symlinkat")])
def test_calls_with_two_names_through_io_uring_have_both(
    sensor: Sensor, child: Child, here: Path, operation: int, name: str
) -> None:
    (here / "folder").mkdir()
    script = f"""
os.chdir({PATH})
folder = os.open("folder", os.O_RDONLY)
at = dict(fd=folder) if {operation} == {SYMLINKAT} else dict(length=folder)
say(result=submit({operation}, name="file", second="x/../new", **at), folder=folder)
"""
    (here / "folder" / "x").mkdir()
    said, (record,) = records_of(sensor, child, script, here)
    assert (record.name, record.number("res")) == (name, said["result"]) == (name, 0)
    assert (here / "folder" / "new").exists() or (here / "folder" / "new").is_symlink()
    target = "linkpath" if name == "symlinkat" else "newpath"
    assert (record.text(target), record.text("targetraw")) == (str(here / "folder" / "new"), "x/../new")
    if name == "symlinkat":
        assert (record.text("target"), record.number("linkdirfd")) == ("file", said["folder"])
    else:
        directories = ("olddir", "newdir") if name == "linkat" else ("olddirfd", "newdirfd")
        assert [record.number(one) for one in directories] == [-100, said["folder"]]
        assert (record.text("oldpath"), record.text("sourceraw")) == (str(here / "file"), "file")
    assert record.has_flag("USER_MEMORY")


def test_long_names_of_requests_that_are_handed_in_together_are_not_mixed_up(
    sensor: Sensor, child: Child, here: Path
) -> None:
    script = f"""
os.chdir({PATH})
names = ["./" * 500 + f"gone{{number}}" for number in range(8)]
for name in names:
    submit({UNLINKAT}, name=name, wait=0)
say(results=[result() for _ in names])
"""
    said, records = records_of(sensor, child, script, here)
    assert said["results"] == [-errno.ENOENT] * 8
    assert sorted(record.text("name") for record in records) == [str(here / f"gone{number}") for number in range(8)]


# ---- connections


def test_a_connection_through_io_uring_has_both_its_ends(sensor: Sensor, child: Child) -> None:
    script = f"""
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
one = socket.socket()
there = struct.pack("<H", 2) + struct.pack("!H4s8x", port, socket.inet_aton("127.0.0.1"))
connected = submit({CONNECT}, one.fileno(), there, 16)
accepted = submit({ACCEPT}, server.fileno())
say(fds=[one.fileno(), accepted], results=[connected], ports=[one.getsockname()[1], port])
"""
    said, (connect, accept) = records_of(sensor, child, script)
    client, server = said["ports"]
    both = (
        bytes([2, 127, 0, 0, 1]) + client.to_bytes(2, "little") + bytes([127, 0, 0, 1]) + server.to_bytes(2, "little")
    )
    assert (connect.name, connect.number("res"), connect.number("fd")) == ("connect", 0, said["fds"][0])
    assert (connect.bytes("tuple"), connect.number("l4proto")) == (both, 6)
    assert (accept.name, accept.number("fd")) == ("accept4", said["fds"][1])
    assert (accept.bytes("tuple"), accept.number("l4proto")) == (both, 6)
    assert not connect.has_flag("USER_MEMORY")


def test_a_connection_through_io_uring_that_fails_has_the_address_that_was_asked_for(
    sensor: Sensor, child: Child
) -> None:
    script = f"""
one = socket.socket()
there = struct.pack("<H", 2) + struct.pack("!H4s8x", 1, socket.inet_aton("127.0.0.1"))
other = socket.socket(socket.AF_UNIX)
path = struct.pack("<H", 1) + b"/nobody/here" + bytes(1)
say(results=[submit({CONNECT}, one.fileno(), there, 16), submit({CONNECT}, other.fileno(), path, len(path))])
"""
    said, (refused, missing) = records_of(sensor, child, script)
    assert [refused.number("res"), missing.number("res")] == said["results"] == [-errno.ECONNREFUSED, -errno.ENOENT]
    assert refused.bytes("tuple")[-6:] == bytes([127, 0, 0, 1, 1, 0])
    assert missing.bytes("tuple")[17:] == b"/nobody/here"
    assert refused.has_flag("USER_MEMORY")


def test_every_connection_of_a_request_that_accepts_for_ever_is_an_accept(sensor: Sensor, child: Child) -> None:
    script = f"""
server = socket.create_server(("127.0.0.1", 0))
submit({ACCEPT}, server.fileno(), priority=1, wait=0)
clients = [socket.create_connection(server.getsockname()) for _ in range(3)]
say(fds=[result() for _ in clients], ports=[client.getsockname()[1] for client in clients])
"""
    said, records = records_of(sensor, child, script)
    found = [(r.name, r.number("fd"), int.from_bytes(r.bytes("tuple")[5:7], "little")) for r in records]
    assert found == [("accept4", fd, port) for fd, port in zip(said["fds"], said["ports"], strict=True)]


def test_an_accept_into_the_ring_s_own_table_says_nothing_of_a_descriptor_that_it_has_not(
    sensor: Sensor, child: Child
) -> None:
    script = f"""
call(REGISTER, ring, REGISTER_FILES, struct.pack("<i", -1), 1)
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
os.dup2(client.fileno(), 0)
say(result=submit({ACCEPT}, server.fileno(), place=1))
"""
    said, (record,) = records_of(sensor, child, script)
    assert (record.number("fd"), record.bytes("tuple")) == (said["result"], b"") == (0, b"")


# ---- what is not wanted


def test_calls_through_io_uring_are_not_looked_at_when_nobody_asks(sensor: Sensor, child: Child) -> None:
    sensor.set_interest(["kill"])
    try:
        said, records = records_of(sensor, child, f"say(result=submit({OPENAT}, name={PATH}))", "/etc/hostname")
    finally:
        sensor.set_interest(None)
    assert said["result"] > 2
    assert not records
