"""Connections as the sensor reports them, by real system calls of this process."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.observation import Record, Sensor

    Call = Callable[..., int]
    Child = Callable[..., dict[str, Any]]

ACCEPT, ACCEPT4 = 43, 288
TCP, UDP = 6, 17
NOWHERE = "0.0.0.0"


class Tuple(NamedTuple):
    """A SOCKTUPLE, unpacked."""

    family: int
    source: str
    source_port: int
    destination: str
    destination_port: int


def tuple_of(record: Record) -> Tuple:
    raw = record.bytes("tuple")
    size = {2: 4, 10: 16}[raw[0]]
    assert len(raw) == 1 + 2 * (size + 2)
    source, destination = raw[1 : 1 + size], raw[3 + size : 3 + 2 * size]
    ports = [struct.unpack_from("<H", raw, place)[0] for place in (1 + size, 3 + 2 * size)]
    return Tuple(raw[0], str(ipaddress.ip_address(source)), ports[0], str(ipaddress.ip_address(destination)), ports[1])


def connected(sensor: Sensor, connection: socket.socket, address: tuple[Any, ...], error: int = 0) -> Record:
    """Connect; return the record after checking the descriptor, the result, and who it was."""

    def act() -> None:
        assert connection.connect_ex(address) == error

    record = sensor.during(act).one("connect", pid=os.getpid())
    assert record.number("fd") == connection.fileno()
    assert record.number("res") == -error
    assert record.header.uid == os.geteuid()
    return record


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_tcp_connection_has_both_its_ends(sensor: Sensor, family: int, address: str) -> None:
    with socket.create_server((address, 0), family=family) as server, socket.socket(family) as client:
        port = server.getsockname()[1]
        record = connected(sensor, client, (address, port))
        assert tuple_of(record) == (family, address, client.getsockname()[1], address, port)
        assert record.number("l4proto") == TCP
        assert not record.has_flag("USER_MEMORY")


def test_an_ipv4_connection_of_an_ipv6_socket_has_mapped_addresses(sensor: Sensor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6) as client:
        port = server.getsockname()[1]
        record = connected(sensor, client, ("::ffff:127.0.0.1", port))
        found = tuple_of(record)
        mapped = str(ipaddress.ip_address("::ffff:127.0.0.1"))
        assert found == (10, mapped, client.getsockname()[1], mapped, port)


@pytest.mark.parametrize(
    ("family", "address", "nowhere"), [(socket.AF_INET, "127.0.0.1", NOWHERE), (socket.AF_INET6, "::1", "::")]
)
def test_a_refused_connection_has_the_address_that_was_asked_for(
    sensor: Sensor, family: int, address: str, nowhere: str
) -> None:
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
    with socket.socket(family) as client:
        record = connected(sensor, client, (address, port), errno.ECONNREFUSED)
    assert tuple_of(record) == (family, nowhere, 0, address, port)
    assert record.has_flag("USER_MEMORY")


def test_an_unreachable_network_is_reported_with_its_address(sensor: Sensor, child: Child) -> None:
    script = """
import socket
libc.unshare(0x40000000)  # CLONE_NEWNET: no route at all
say(result=socket.socket().connect_ex(("192.0.2.7", 443)))
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script)))
    assert said[0]["result"] == errno.ENETUNREACH
    record = seen.one("connect", pid=said[0]["pid"], res=-errno.ENETUNREACH)
    assert tuple_of(record) == (2, NOWHERE, 0, "192.0.2.7", 443)


def test_a_connection_that_is_on_its_way_has_its_addresses(sensor: Sensor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.settimeout(0)
        port = server.getsockname()[1]
        record = connected(sensor, client, ("127.0.0.1", port), errno.EINPROGRESS)
        assert tuple_of(record) == (2, "127.0.0.1", client.getsockname()[1], "127.0.0.1", port)


def test_a_connected_datagram_socket_is_a_connection_of_udp(sensor: Sensor) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        record = connected(sensor, client, ("127.0.0.1", 53))
        assert tuple_of(record) == (2, "127.0.0.1", client.getsockname()[1], "127.0.0.1", 53)
        assert record.number("l4proto") == UDP


def test_a_second_connection_that_fails_is_not_taken_for_the_first(sensor: Sensor) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", 53))
        record = connected(sensor, client, ("255.255.255.255", 80), errno.EACCES)  # a broadcast, not permitted
    assert tuple_of(record) == (2, NOWHERE, 0, "255.255.255.255", 80)


def test_dissolving_a_connection_is_none(sensor: Sensor, call: Callable[..., int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", 53))
        seen = sensor.during(lambda: call(42, client.fileno(), bytes(16), 16))  # AF_UNSPEC
    assert not seen.of("connect", pid=os.getpid())


@pytest.mark.parametrize(("name", "number"), [("accept", ACCEPT), ("accept4", ACCEPT4)])
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_an_accepted_connection_names_the_client_first(
    sensor: Sensor, call: Call, name: str, number: int, family: int, address: str
) -> None:
    accepted: list[int] = []
    with socket.create_server((address, 0), family=family) as server, socket.socket(family) as client:
        client.connect(server.getsockname())
        seen = sensor.during(lambda: accepted.append(call(number, server.fileno(), 0, 0, 0)))
        ends = (client.getsockname()[1], server.getsockname()[1])
        os.close(accepted[0])
    record = seen.one("accept", "accept4", pid=os.getpid())
    assert record.name == name
    assert record.number("fd") == accepted[0]
    assert tuple_of(record) == (family, address, ends[0], address, ends[1])
    assert record.number("l4proto") == TCP


def test_an_ipv4_client_of_an_ipv6_server_has_a_mapped_address(sensor: Sensor, call: Call) -> None:
    accepted: list[int] = []
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    with server, socket.create_connection(("127.0.0.1", server.getsockname()[1])) as client:
        seen = sensor.during(lambda: accepted.append(call(ACCEPT4, server.fileno(), 0, 0, 0)))
        port = client.getsockname()[1]
        os.close(accepted[0])
    record = seen.one("accept", "accept4", pid=os.getpid())
    assert tuple_of(record)[:3] == (10, str(ipaddress.ip_address("::ffff:127.0.0.1")), port)


def test_an_accept_that_fails_has_its_error(sensor: Sensor, call: Call) -> None:
    results: list[int] = []
    with socket.socket() as nobody:
        seen = sensor.during(lambda: results.extend(call(ACCEPT4, fd, 0, 0, 0) for fd in (nobody.fileno(), -1)))
    assert results == [-errno.EINVAL, -errno.EBADF]
    for result in results:
        record = seen.one("accept4", pid=os.getpid(), fd=result)
        assert record.bytes("tuple") == b""


def test_an_accept_that_nobody_answers_is_no_event(sensor: Sensor) -> None:
    def act() -> None:
        with contextlib.suppress(BlockingIOError):
            server.accept()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        seen = sensor.during(act)
    assert not seen.of("accept", "accept4", pid=os.getpid())


def test_a_connect_of_what_is_no_socket_is_not_reported(sensor: Sensor, call: Call) -> None:
    address = struct.pack("=HH4s8x", socket.AF_INET, 0x5000, bytes([127, 0, 0, 1]))
    results: list[int] = []
    with open("/dev/null", "rb") as file:  # noqa: PTH123 - a descriptor is what matters
        seen = sensor.during(lambda: results.extend(call(42, fd, address, 16) for fd in (file.fileno(), -1, 10**6)))
    assert results == [-errno.ENOTSOCK, -errno.EBADF, -errno.EBADF]
    assert not seen.of("connect", pid=os.getpid())


def test_an_address_without_memory_behind_it_is_passed_over(sensor: Sensor, call: Call) -> None:
    results: list[int] = []
    with socket.socket() as client:
        seen = sensor.during(lambda: results.append(call(42, client.fileno(), 8, 16)))
    assert results == [-errno.EFAULT]
    assert not seen.of("connect", pid=os.getpid())
