"""Unix sockets as the sensor reports them: files, abstract names, none, and hostile ones."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.fields.address import read_unix_address, read_unix_tuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kernel.observation import Record, Records, Sensor

    Call = Callable[..., int]
    Child = Callable[..., dict[str, Any]]

ACCEPT4, CONNECT = 288, 42
LONGEST = 108
NAMES = (b"plain", b"new\nline", b"not-utf8-\xff\xfe", b"escape-\x1b[31m", b"x" * 40)


def name_of(record: Record) -> str | None:
    return (
        read_unix_address(record.bytes("addr")) if "addr" in record.values else read_unix_tuple(record.bytes("tuple"))
    )


def exchange(sensor: Sensor, address: str | bytes) -> Records:
    """Bind, listen, connect, accept and shut down; return what was seen of it."""

    def act() -> None:
        server.bind(address)
        server.listen(3)
        client.connect(address)
        with server.accept()[0] as accepted:
            accepted.shutdown(socket.SHUT_WR)
        client.shutdown(socket.SHUT_RDWR)

    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        return sensor.during(act).of("bind", "listen", "connect", "accept4", "shutdown", pid=os.getpid())


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_the_same_in_every_call(sensor: Sensor, tmp_path: Path, name: bytes) -> None:
    path = os.fsencode(tmp_path) + b"/" + name
    seen = exchange(sensor, path)
    assert [record.name for record in seen] == ["bind", "listen", "connect", "accept4", "shutdown", "shutdown"]
    assert [name_of(record) for record in seen] == [os.fsdecode(path)] * 6
    assert not any(record.has_flag("USER_MEMORY") for record in seen)
    assert all(record.number("l4proto") == 0 for record in seen)


@pytest.mark.parametrize("name", [*NAMES, b"in\0side", b"y" * (LONGEST - 1)])
def test_an_abstract_name_begins_with_an_at_sign(sensor: Sensor, name: bytes) -> None:
    seen = exchange(sensor, b"\0" + name)
    assert [name_of(record) for record in seen] == [os.fsdecode(b"@" + name)] * 6


def test_a_relative_name_is_made_absolute(sensor: Sensor, tmp_path: Path, child: Child) -> None:
    script = """
import socket
os.chdir(sys.argv[1])
server = socket.socket(socket.AF_UNIX)
server.bind("here")
results = [socket.socket(socket.AF_UNIX).connect_ex(name) for name in ("here", "../absent")]
say(results=results)
"""
    said: list[dict[str, Any]] = []
    seen = sensor.during(lambda: said.append(child(script, str(tmp_path))))
    pid = said[0]["pid"]
    assert name_of(seen.one("bind", pid=pid)) == f"{tmp_path}/here"
    refused, absent = seen.of("connect", pid=pid)
    assert said[0]["results"] == [errno.ECONNREFUSED, errno.ENOENT]
    assert name_of(refused) == f"{tmp_path}/here"
    assert name_of(absent) == f"{tmp_path}/../absent"
    assert refused.has_flag("USER_MEMORY")


def test_a_link_does_not_hide_where_a_connection_goes(sensor: Sensor, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "real"))
        server.listen()
        (tmp_path / "link").symlink_to("real")
        seen = sensor.during(lambda: client.connect(str(tmp_path / "link")))
    assert name_of(seen.one("connect", pid=os.getpid())) == f"{tmp_path}/real"


@pytest.mark.parametrize("name", [b"\0" + b"z" * (LONGEST - 1), b"/" + b"z" * (LONGEST - 2), b"", b"/tmp/\xff\n"])
def test_a_failed_connection_has_the_name_that_was_asked_for(sensor: Sensor, call: Call, name: bytes) -> None:
    results: list[int] = []
    address = b"\1\0" + name
    with socket.socket(socket.AF_UNIX) as client:
        seen = sensor.during(lambda: results.append(call(CONNECT, client.fileno(), address, len(address))))
    assert results[0] < 0
    record = seen.one("connect", pid=os.getpid(), res=results[0])
    assert name_of(record) == os.fsdecode(b"@" + name[1:] if name[:1] == b"\0" else name)
    assert record.has_flag("USER_MEMORY")


@pytest.mark.parametrize("length", [0, 1, 2, 111, 1 << 31])
def test_a_length_that_no_address_has_is_survived(sensor: Sensor, call: Call, length: int) -> None:
    results: list[int] = []
    address = b"\1\0/" + b"a" * 120
    with socket.socket(socket.AF_UNIX) as client:
        seen = sensor.during(lambda: results.append(call(CONNECT, client.fileno(), address, length)))
    assert results == [-errno.EINVAL]
    assert name_of(seen.one("connect", pid=os.getpid())) == ""


def test_a_pair_has_its_descriptors(sensor: Sensor, call: Call) -> None:
    pairs: list[tuple[socket.socket, socket.socket]] = []
    results: list[int] = []

    def act() -> None:
        pairs.append(socket.socketpair())
        results.append(call(53, socket.AF_INET, 1, 0, 8))

    seen = sensor.during(act).of("socketpair", pid=os.getpid())
    one, other = pairs[0]
    with one, other:
        assert (seen[0].number("fd1"), seen[0].number("fd2")) == (one.fileno(), other.fileno())
    assert (seen[0].number("res"), seen[0].number("domain"), seen[0].number("type") & 15) == (0, 1, 1)
    assert results[0] < 0
    assert (seen[1].number("res"), seen[1].number("fd1")) == (results[0], -1)
