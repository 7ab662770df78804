"""Sockets as the sensor reports them: made, bound, listening and shut down, by real system calls."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from hullwatch.fields.address import address_text, read_address, read_tuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.observation import Record, Sensor

    Call = Callable[..., int]

SOCKET, BIND, LISTEN, SHUTDOWN = 41, 49, 50, 48
CLOEXEC, NONBLOCK = 4096, 64  # Falco's portable values
TCP, UDP, ICMP = 6, 17, 1


def end_of(record: Record) -> tuple[str, int]:
    end = read_address(record.bytes("addr"))
    assert end is not None
    return address_text(end.address), end.port


@pytest.mark.parametrize(
    ("family", "type_", "protocol", "flags"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, 0, 0),
        (socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, UDP, CLOEXEC),
        (socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, ICMP, NONBLOCK),
        (socket.AF_PACKET, socket.SOCK_RAW, 0x0300, 0),
        (socket.AF_NETLINK, socket.SOCK_DGRAM, 0, 0),
        (socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, 0),
    ],
)
def test_a_new_socket_has_its_family_type_and_protocol(
    sensor: Sensor, call: Call, family: int, type_: int, protocol: int, flags: int
) -> None:
    results: list[int] = []
    seen = sensor.during(lambda: results.append(call(SOCKET, family, type_, protocol)))
    os.close(results[0])
    record = seen.one("socket", pid=os.getpid())
    assert record.values == {"fd": results[0], "domain": family, "type": type_, "proto": protocol, "flags": flags}


@pytest.mark.parametrize(
    ("family", "type_", "error"),
    [(99, 1, errno.EAFNOSUPPORT), (socket.AF_INET, 77 << 20, errno.EINVAL), (2**32 - 1, 1, errno.EAFNOSUPPORT)],
)
def test_a_socket_that_cannot_be_made_has_its_error(
    sensor: Sensor, call: Call, family: int, type_: int, error: int
) -> None:
    results: list[int] = []
    seen = sensor.during(lambda: results.append(call(SOCKET, family, type_, 0)))
    assert results == [-error]
    record = seen.one("socket", pid=os.getpid())
    assert (record.number("fd"), record.number("domain"), record.number("type")) == (-error, family, type_)


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_bound_socket_has_the_port_that_the_kernel_chose(sensor: Sensor, family: int, address: str) -> None:
    def act() -> None:
        server.bind((address, 0))
        server.listen(7)

    with socket.socket(family) as server:
        seen = sensor.during(act)
        expected = (address, server.getsockname()[1])
        bound, listening = seen.one("bind", pid=os.getpid()), seen.one("listen", pid=os.getpid())
        assert end_of(bound) == end_of(listening) == expected
        assert (bound.number("fd"), bound.number("res"), bound.number("l4proto")) == (server.fileno(), 0, TCP)
        assert (listening.number("fd"), listening.number("backlog")) == (server.fileno(), 7)
    assert not bound.has_flag("USER_MEMORY")


def test_an_address_that_is_taken_is_reported_as_it_was_asked_for(sensor: Sensor, call: Call) -> None:
    results: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as second:
        port = taken.getsockname()[1]
        address = struct.pack("=H", socket.AF_INET) + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
        seen = sensor.during(lambda: results.append(call(BIND, second.fileno(), address, len(address))))
    record = seen.one("bind", pid=os.getpid())
    assert results == [-errno.EADDRINUSE]
    assert (record.number("res"), end_of(record)) == (-errno.EADDRINUSE, ("127.0.0.1", port))
    assert record.has_flag("USER_MEMORY")


def test_a_bind_without_memory_behind_it_has_no_address(sensor: Sensor, call: Call) -> None:
    with socket.socket() as server:
        seen = sensor.during(lambda: call(BIND, server.fileno(), 8, 16))
    record = seen.one("bind", pid=os.getpid(), res=-errno.EFAULT)
    assert record.bytes("addr") == b""


def test_a_bound_packet_socket_has_its_family(sensor: Sensor) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as listener:
        seen = sensor.during(lambda: listener.bind(("lo", 3)))
    assert seen.one("bind", pid=os.getpid(), res=0).bytes("addr") == bytes([socket.AF_PACKET])


def test_listening_to_what_cannot_listen_fails(sensor: Sensor, call: Call) -> None:
    results: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        seen = sensor.during(lambda: results.extend(call(LISTEN, fd, -5) for fd in (datagrams.fileno(), -1)))
    assert results == [-errno.EOPNOTSUPP, -errno.EBADF]
    record = seen.one("listen", pid=os.getpid())  # of what is no socket nothing is known
    assert (record.number("res"), record.number("backlog")) == (-errno.EOPNOTSUPP, -5)


@pytest.mark.parametrize(("how", "reported"), [(0, 0), (1, 1), (2, 2), (3, 255), (258, 255)])
def test_a_shutdown_has_its_direction_and_both_ends(sensor: Sensor, call: Call, how: int, reported: int) -> None:
    results: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        seen = sensor.during(lambda: results.append(call(SHUTDOWN, client.fileno(), how)))
        record = seen.one("shutdown", pid=os.getpid(), fd=client.fileno())
        ends = read_tuple(record.bytes("tuple"))
        assert ends is not None
        assert [end.port for end in ends] == [client.getsockname()[1], server.getsockname()[1]]
    assert (record.number("res"), record.number("how")) == (results[0], reported)
    assert results[0] == (0 if how < 3 else -errno.EINVAL)
