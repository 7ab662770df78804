"""Sockets that are made, bound and closed through io_uring, and what they send and receive."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.fields.address import write_address, write_tuple
from tests.kernel.observation import Sensor
from tests.kernel.test_io_uring import records_of
from tests.kernel.test_sensor import has_drop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Record

    Child = Callable[..., dict[str, Any]]

SENDMSG, RECVMSG, SEND, RECV, PROVIDE_BUFFERS, SHUTDOWN, SOCKET, SEND_ZC = 9, 10, 26, 27, 31, 34, 45, 47
BIND, LISTEN = 56, 57
LOCAL = "127.0.0.1"
# Addresses as the kernel takes them, and the header of a message.
ADDRESSES = """
def internet(port):
    return struct.pack("<H", 2) + struct.pack("!H4s8x", port, socket.inet_aton("127.0.0.1"))
def message(data, name=b""):
    vector = struct.pack("<QQ", address(data), len(data))
    return struct.pack("<QIxxxxQQQQI4x", address(name) if name else 0, len(name), address(vector), 1, 0, 0, 0)
"""


def seen(sensor: Sensor, child: Child, script: str, *arguments: object) -> tuple[dict[str, Any], list[Record]]:
    """Run a script; return what it said and the records of its ring."""
    return records_of(sensor, child, ADDRESSES + script, *arguments)


def ends(record: Record) -> tuple[int, int]:
    """Return the ports of an IPv4 record, ours first."""
    value = record.bytes("tuple")
    assert value[:5] == bytes([2, 127, 0, 0, 1])
    return int.from_bytes(value[5:7], "little"), int.from_bytes(value[11:13], "little")


def needs(result: int, what: str) -> None:
    """Skip what this kernel cannot do."""
    if result == -errno.EINVAL:
        pytest.skip(f"this kernel ({os.uname().release}) {what}")


# ---- the life of a socket


def test_a_socket_that_is_made_through_io_uring_is_told_of(sensor: Sensor, child: Child) -> None:
    script = f"say(results=[submit({SOCKET}, 10, second=2 | 0o2000000, length=17), submit({SOCKET}, 99, second=1)])"
    said, (made, failed) = seen(sensor, child, script)
    assert [made.number("fd"), failed.number("fd")] == said["results"] == [said["results"][0], -errno.EAFNOSUPPORT]
    assert (made.name, made.number("domain"), made.number("type"), made.number("proto")) == (
        *("socket", 10, 2 | 0o2000000, 17),
    )


def test_a_socket_is_bound_and_listens_through_io_uring(sensor: Sensor, child: Child, here: Path) -> None:
    script = f"""
os.chdir(sys.argv[1])
one, two = socket.socket(), socket.socket(socket.AF_UNIX)
results = [submit({BIND}, one.fileno(), internet(0), 16), submit({LISTEN}, one.fileno(), length=5)]
results += [submit({BIND}, two.fileno(), b"\\1\\0name\\0", 7), submit({SHUTDOWN}, one.fileno(), length=1)]
say(results=results, fds=[one.fileno(), two.fileno()], port=one.getsockname()[1])
"""
    said, records = seen(sensor, child, script, here)
    needs(said["results"][0], "binds no sockets through io_uring")
    bound, listening, named, shut = records
    first, second = said["fds"]
    assert said["results"] == [0, 0, 0, 0]
    assert [record.name for record in records] == ["bind", "listen", "bind", "shutdown"]
    assert [record.number("fd") for record in records] == [first, first, second, first]
    assert bound.bytes("addr") == listening.bytes("addr") == write_address(LOCAL, said["port"])
    assert (bound.number("l4proto"), listening.number("backlog"), shut.number("how")) == (6, 5, 1)
    assert named.bytes("addr") == b"\1" + os.fsencode(here / "name")
    assert not any(record.has_flag("USER_MEMORY") for record in records)


def test_a_bind_through_io_uring_that_fails_has_the_address_that_was_asked_for(
    sensor: Sensor, child: Child, here: Path
) -> None:
    script = f"""
os.chdir(sys.argv[1])
taken, one, two = socket.create_server(("127.0.0.1", 0)), socket.socket(), socket.socket(socket.AF_UNIX)
port = taken.getsockname()[1]
results = [submit({BIND}, one.fileno(), internet(port), 16), submit({BIND}, two.fileno(), b"\\1\\0file\\0", 7)]
say(results=results, port=port)
"""
    said, records = seen(sensor, child, script, here)
    needs(said["results"][0], "binds no sockets through io_uring")
    assert [record.number("res") for record in records] == said["results"] == [-errno.EADDRINUSE] * 2
    assert records[0].bytes("addr") == write_address(LOCAL, said["port"])
    assert records[1].bytes("addr") == b"\1" + os.fsencode(here / "file")
    assert all(record.has_flag("USER_MEMORY") for record in records)


# ---- what is sent and received


def test_data_over_a_connection_through_io_uring_has_both_ends(sensor: Sensor, child: Child) -> None:
    script = f"""
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
there, _ = server.accept()
results = [submit({SEND}, client.fileno(), b"hello", length=5), submit({RECV}, there.fileno(), bytes(9), length=9)]
results.append(submit({SEND_ZC}, client.fileno(), b"more", length=4))
say(results=results, fds=[client.fileno(), there.fileno()], ports=[client.getsockname()[1], server.getsockname()[1]])
"""
    said, (sent, received, *more) = seen(sensor, child, script)
    client, server = said["ports"]
    assert [sent.name, received.name] == ["sendto", "recvfrom"]
    assert [sent.number("res"), received.number("res")] == said["results"][:2] == [5, 5]
    assert [sent.number("fd"), received.number("fd")] == said["fds"]
    assert [sent.number("size"), received.number("size")] == [5, 9]
    assert [ends(sent), ends(received)] == [(client, server), (server, client)]
    assert {sent.number("connected"), received.number("connected")} == {1}
    assert [(record.name, record.number("res")) for record in more] == [("sendto", said["results"][2])]


@pytest.mark.parametrize("operation", [SEND, SENDMSG])
def test_data_that_is_sent_to_an_address_through_io_uring_has_that_address(
    sensor: Sensor, child: Child, operation: int
) -> None:
    script = f"""
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("127.0.0.1", 0))
if {operation} == {SEND}:
    result = submit({SEND}, one.fileno(), b"hello", internet(9), 5, place=16)
else:
    result = submit({SENDMSG}, one.fileno(), message(b"hello", internet(9)), length=1)
say(result=result, port=one.getsockname()[1])
"""
    said, (record,) = seen(sensor, child, script)
    assert (record.name, record.number("res")) == ("sendto" if operation == SEND else "sendmsg", said["result"])
    assert said["result"] == 5
    assert (ends(record), record.number("l4proto")) == ((said["port"], 9), 17)
    assert (record.number("connected"), record.has_flag("USER_MEMORY")) == (0, True)


def test_a_message_that_is_received_through_io_uring_has_the_address_that_it_came_from(
    sensor: Sensor, child: Child
) -> None:
    script = f"""
one, two = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
for end in (one, two):
    end.bind(("127.0.0.1", 0))
two.sendto(b"hello", one.getsockname())
result = submit({RECVMSG}, one.fileno(), message(bytes(9), bytes(16)), length=1)
say(result=result, ports=[one.getsockname()[1], two.getsockname()[1]])
"""
    said, (record,) = seen(sensor, child, script)
    assert (record.name, record.number("res"), record.number("size")) == ("recvmsg", 5, 5)
    assert ends(record) == tuple(said["ports"])


def test_each_result_of_a_request_that_receives_for_ever_is_a_receive(sensor: Sensor, child: Child) -> None:
    script = f"""
one, two = socket.socketpair()
submit({PROVIDE_BUFFERS}, 4, bytes(64), length=16, group=3)
submit({RECV}, one.fileno(), priority=2, group=3, wait=0)
results = []
for size in (3, 4):
    two.send(bytes(size))
    results.append(result())
two.close()
say(results=results + [result()], fd=one.fileno())
"""
    said, records = seen(sensor, child, script)
    assert [(record.name, record.number("res")) for record in records] == [("recvfrom", size) for size in (3, 4, 0)]
    assert said["results"] == [3, 4, 0]
    assert {record.number("fd") for record in records} == {said["fd"]}


def test_results_of_two_requests_that_cannot_be_told_apart_are_counted(sensor: Sensor, child: Child) -> None:
    script = f"""
one, two = socket.socketpair()
other, _ = socket.socketpair()
submit({PROVIDE_BUFFERS}, 4, bytes(64), length=16, group=3)
for end in (one, other):
    submit({RECV}, end.fileno(), priority=2, group=3, wait=0)
two.send(bytes(3))
say(result=result())
"""
    said, records = seen(sensor, child, script)
    assert (said["result"], [record.name for record in records if record.number("res") == 3]) == (3, [])
    sensor.wait_for(has_drop("recvfrom", "IO_URING"))


@pytest.mark.parametrize("operation", [SEND, SENDMSG])
def test_a_question_of_the_name_system_through_io_uring_is_read(sensor: Sensor, child: Child, operation: int) -> None:
    question = b"\x124\1\0\0\1\0\0\0\0\0\0\7example\4test\0\0\1\0\1"
    script = f"""
question = {question!r}
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if {operation} == {SEND}:
    result = submit({SEND}, one.fileno(), question, internet(53), len(question), place=16)
else:
    one.connect(("127.0.0.1", 53))
    result = submit({SENDMSG}, one.fileno(), message(question), length=1)
say(result=result)
"""
    said, records = seen(sensor, child, script)
    (dns,) = [record for record in records if record.name == "dns"]
    assert dns.bytes("data") == question
    assert dns.bytes("tuple")[7:] == write_tuple((LOCAL, 1), (LOCAL, 53))[7:]
    assert said["result"] == len(question)


def test_only_what_is_asked_for_is_told_of_a_question(child: Child) -> None:
    question = b"\x124\1\0\0\1\0\0\0\0\0\0\7example\4test\0\0\1\0\1"
    script = f"""
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
submit({SEND}, one.fileno(), {question!r}, internet(53), {len(question)}, place=16)
submit({SEND}, one.fileno(), b"another message of some length", internet(9), 30, place=16)
say(done=1)
"""
    with Sensor(interest=["dns"]) as sensor:
        _, records = seen(sensor, child, script)
    assert [record.name for record in records] == ["dns"]
