"""Data that sockets send and receive, and messages of the domain name system, as the sensor reports them."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.fields.address import read_tuple, read_unix_tuple, tuple_text
from tests.kernel.observation import Sensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kernel.observation import Record

    Call = Callable[..., int]
    Child = Callable[..., dict[str, Any]]

SENDTO, SENDMMSG = 44, 307
UDP = 17
QUESTION = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + b"\7example\3com\0" + b"\0\1\0\1"
ANSWER = b"\x12\x34\x81\x80" + QUESTION[4:6] + b"\0\1\0\0\0\0" + QUESTION[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4"


def ends_of(record: Record) -> str:
    ends = read_tuple(record.bytes("tuple"))
    assert ends is not None
    return tuple_text(*ends)


@pytest.fixture(scope="module")
def server() -> Iterator[socket.socket]:
    """A name server's place: port 53 of an address that nothing else here uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.53.53.53", 53))
        bound.settimeout(5)
        yield bound


def test_a_datagram_names_its_peer(sensor: Sensor) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        other.bind(("127.0.0.1", 0))
        client.bind(("127.0.0.1", 0))
        seen = sensor.during(lambda: (client.sendto(b"x" * 9, other.getsockname()), other.recvfrom(100)))
        here, there = client.getsockname()[1], other.getsockname()[1]
        # The process reads the sensor's stream too.
        sent = seen.one("sendto", pid=os.getpid(), fd=client.fileno())
        received = seen.one("recvfrom", pid=os.getpid(), fd=other.fileno())
        assert (sent.number("res"), sent.number("size")) == (9, 9)
        assert (received.number("res"), received.number("size")) == (9, 100)
    assert ends_of(sent) == f"127.0.0.1:{here}->127.0.0.1:{there}"
    assert ends_of(received) == f"127.0.0.1:{there}->127.0.0.1:{here}"
    for record in (sent, received):
        assert (record.number("l4proto"), record.number("connected")) == (UDP, 0)
        assert record.has_flag("USER_MEMORY")


def test_a_stream_goes_where_it_is_connected_to_whatever_the_call_says(sensor: Sensor, call: Call) -> None:
    decoy = struct.pack("=H", socket.AF_INET) + (99).to_bytes(2, "big") + bytes([192, 0, 2, 1]) + bytes(8)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        seen = sensor.during(lambda: call(SENDTO, client.fileno(), b"abc", 3, 0, decoy, 16))
        expected = f"127.0.0.1:{client.getsockname()[1]}->127.0.0.1:{listener.getsockname()[1]}"
    record = seen.one("sendto", pid=os.getpid())
    assert (ends_of(record), record.number("connected")) == (expected, 1)
    assert not record.has_flag("USER_MEMORY")


def test_an_address_without_a_family_is_ipv4(sensor: Sensor, call: Call) -> None:
    target = b"\0\0" + (9).to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    results: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        seen = sensor.during(lambda: results.append(call(SENDTO, client.fileno(), b"abc", 3, 0, target, 16)))
    assert results == [3]
    assert ends_of(seen.one("sendto", pid=os.getpid())).endswith("->127.0.0.1:9")


def test_a_message_over_a_unix_socket_has_its_path(sensor: Sensor, tmp_path: Path) -> None:
    path = str(tmp_path / "log\n")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
    ):
        log.bind(path)
        seen = sensor.during(lambda: client.sendmsg([b"ab", b"c"], [], 0, path))
        record = seen.one("sendmsg", pid=os.getpid())
        assert read_unix_tuple(record.bytes("tuple")) == path
        assert (record.number("res"), record.number("size"), record.number("connected")) == (3, 3, 0)
        client.connect(path)
        record = sensor.during(lambda: client.send(b"abcd")).one("sendto", pid=os.getpid())
    assert read_unix_tuple(record.bytes("tuple")) == path
    assert (record.number("res"), record.number("connected")) == (4, 1)
    assert not record.has_flag("USER_MEMORY")


def test_a_message_that_cannot_be_sent_has_its_error(sensor: Sensor) -> None:
    def act() -> None:
        with contextlib.suppress(OSError):
            client.sendmsg([b"x"], [], 0, ("255.255.255.255", 7))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        seen = sensor.during(act)
    record = seen.one("sendmsg", pid=os.getpid())
    assert record.number("res") == -errno.EACCES
    assert ends_of(record).endswith("->255.255.255.255:7")


def test_waiting_in_vain_is_no_event(sensor: Sensor) -> None:
    def act() -> None:
        with contextlib.suppress(BlockingIOError):
            client.recvfrom(10)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0)
        seen = sensor.during(act)
        assert not seen.of("recvfrom", pid=os.getpid()).where(fd=client.fileno())


BATCH = """
import socket, struct
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def message(port, data):
    address = ctypes.create_string_buffer(
        struct.pack("=H", 2) + struct.pack(">H", port) + bytes([127, 53, 53, 53]) + bytes(8))
    data = ctypes.create_string_buffer(data, len(data))
    vector = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(data), len(data)))
    kept.extend((address, data, vector))
    return struct.pack("=QIIQQQQIIII", ctypes.addressof(address), 16, 0, ctypes.addressof(vector), 1, 0, 0, 0, 0, 0, 0)
kept = []
batch = ctypes.create_string_buffer(b"".join(message(53, bytes.fromhex(text)) for text in sys.argv[1:]))
say(result=call(307, client.fileno(), batch, len(sys.argv) - 1, 0))
"""


def test_every_message_of_a_batch_is_an_event_and_a_question(
    sensor: Sensor, child: Child, server: socket.socket
) -> None:
    said: list[dict[str, Any]] = []
    questions = [QUESTION, QUESTION[:-3] + b"\x1c\0\1"]
    seen = sensor.during(lambda: said.append(child(BATCH, *(one.hex() for one in questions))))
    pid = said[0]["pid"]
    assert said[0]["result"] == 2
    assert [record.number("res") for record in seen.of("sendmmsg", pid=pid)] == [len(QUESTION)] * 2
    asked = seen.of("dns", pid=pid)
    assert [record.bytes("data") for record in asked] == questions
    assert all(ends_of(record).endswith("->127.53.53.53:53") for record in asked)
    server.recv(100)
    server.recv(100)


WAYS: dict[str, tuple[Callable[[socket.socket], object], Callable[[socket.socket], object]]] = {
    "send and recv": (lambda one: one.send(QUESTION), lambda one: one.recv(512)),
    "write and read": (lambda one: os.write(one.fileno(), QUESTION), lambda one: os.read(one.fileno(), 512)),
    "writev and readv": (
        lambda one: os.writev(one.fileno(), [QUESTION[:5], QUESTION[5:7], QUESTION[7:]]),
        lambda one: os.readv(one.fileno(), [bytearray(10), bytearray(500)]),
    ),
    "sendmsg and recvmsg": (
        lambda one: one.sendmsg([QUESTION[:12], QUESTION[12:]]),
        lambda one: one.recvmsg_into([bytearray(3), bytearray(600)]),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_question_and_answer_are_seen_however_they_are_written_and_read(
    sensor: Sensor, server: socket.socket, way: str
) -> None:
    def act() -> None:
        WAYS[way][0](client)
        _, address = server.recvfrom(512)
        server.sendto(ANSWER, address)
        WAYS[way][1](client)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(server.getsockname())
        seen = sensor.during(act).of("dns", pid=os.getpid())
        here = f"127.0.0.1:{client.getsockname()[1]}"
    by_client = [record for record in seen if ends_of(record) == f"{here}->127.53.53.53:53"]
    assert [record.bytes("data") for record in by_client] == [QUESTION, ANSWER]
    assert len(seen) == 4  # the server's two calls as well
    assert all(record.has_flag("USER_MEMORY") and not record.has_flag("TRUNCATED") for record in seen)


@pytest.mark.parametrize("pieces", [[b"q" * 4000], [b"q" * 10] * 9])
def test_a_message_of_which_not_all_is_looked_at_is_marked(
    sensor: Sensor, server: socket.socket, pieces: list[bytes]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        seen = sensor.during(lambda: client.sendmsg(pieces, [], 0, server.getsockname()))
    record = seen.one("dns", pid=os.getpid())
    assert record.has_flag("TRUNCATED")
    assert record.bytes("data") == b"".join(pieces[:4])[:2047]
    server.recv(5000)


def test_what_goes_to_other_ports_or_into_files_is_no_question(sensor: Sensor, tmp_path: Path) -> None:
    def act() -> None:
        client.sendto(QUESTION, other.getsockname())
        (tmp_path / "file").write_bytes(QUESTION)

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        other.bind(("127.0.0.1", 0))
        seen = sensor.during(act)
    assert not seen.of("dns", pid=os.getpid())


def test_only_what_is_asked_for_of_a_call_is_sent(server: socket.socket) -> None:
    with Sensor(interest={"dns"}) as only, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        seen = only.during(lambda: client.sendto(QUESTION, server.getsockname()))
        assert [record.name for record in seen.of("dns", "sendto", pid=os.getpid())] == ["dns"]
        only.set_interest({"sendto"})
        seen = only.during(lambda: client.sendto(QUESTION, server.getsockname()))
        assert [record.name for record in seen.of("dns", "sendto", pid=os.getpid())] == ["sendto"]
    server.recv(512)
    server.recv(512)
