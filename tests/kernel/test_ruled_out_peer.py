"""Calls on sockets that were ruled out are not sent again, and any call that differs in something is."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.kernel.test_sensor import has_drop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from tests.kernel.observation import Records, Sensor

PORT, OTHER_PORT = 34_567, 34_568
ATTEMPTS = 5


class Call(NamedTuple):
    """A connect() of a new socket, and how it differs from others."""

    address: Any = ("127.0.0.1", PORT)
    family: int = socket.AF_INET
    type: int = socket.SOCK_STREAM
    own: Any = None
    blocking: bool = True

    def make(self) -> None:
        with socket.socket(self.family, self.type) as client:
            client.setblocking(self.blocking)
            if self.own is not None:
                client.bind(self.own)
            with contextlib.suppress(OSError):
                client.connect(self.address)


@pytest.fixture(scope="module", autouse=True)
def servers() -> Iterator[None]:
    """Servers that take connections on both ports, of both families."""
    with contextlib.ExitStack() as stack:
        for port in (PORT, OTHER_PORT):
            stack.enter_context(socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True))
        yield


@pytest.fixture(autouse=True)
def nothing_ruled_out(remembering: Sensor) -> None:
    """Each test begins anew."""
    remembering.forget_ruled_out()


def of_ours(seen: Records, *names: str) -> Records:
    return seen.of(*names, pid=os.getpid())


def rule_out(sensor: Sensor, name: str, act: Callable[[], object], then: Callable[[], object] | None = None) -> None:
    """Have the one call that an act makes ruled out; from then on it is not sent, nor is that of another act.

    A parent anywhere on this host that runs another program makes all of it void: then it is done again.
    """
    for _ in range(ATTEMPTS):
        found = of_ours(sensor.during(act), name)
        if found:
            record = found.one(name)
            assert record.number("fingerprint")
            sensor.rule_out(record.number("fingerprint"))
        if not of_ours(sensor.during(then or act), name):
            return
    raise AssertionError(f"{name} is still sent")


def test_a_connection_that_was_ruled_out_is_not_sent_but_counted(remembering: Sensor) -> None:
    rule_out(remembering, "connect", Call().make, lambda: [Call().make() for _ in range(20)])
    remembering.wait_for(has_drop("connect", "RULED_OUT"))


def test_the_clients_port_is_of_no_account(remembering: Sensor) -> None:
    rule_out(remembering, "connect", Call().make, Call(own=("127.0.0.1", OTHER_PORT + 1)).make)


CHANGES = {
    "another port": Call(("127.0.0.1", OTHER_PORT)),
    "another address": Call(("127.0.0.2", PORT)),
    "another address of its own": Call(own=("127.0.0.3", 0)),
    "another family": Call(("::1", PORT), socket.AF_INET6),
    "the same address in another family": Call(("::ffff:127.0.0.1", PORT), socket.AF_INET6),
    "another protocol": Call(type=socket.SOCK_DGRAM),
    "another result: it is on its way": Call(("127.0.0.1", PORT), blocking=False),
    "another result: it was refused": Call(("127.0.0.1", OTHER_PORT + 2)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_connection_is_sent(remembering: Sensor, change: Call) -> None:
    rule_out(remembering, "connect", Call().make)
    assert len(of_ours(remembering.during(change.make), "connect")) == 1
    rule_out(remembering, "connect", change.make)


def test_the_same_connection_with_another_result_is_sent(remembering: Sensor) -> None:
    """Where nobody listens any more the same call fails: rules tell the two apart."""
    server = socket.create_server(("127.0.0.9", OTHER_PORT + 3))
    act = Call(("127.0.0.9", OTHER_PORT + 3)).make
    with server:
        rule_out(remembering, "connect", act)
    record = of_ours(remembering.during(act), "connect").one("connect")
    assert record.number("res") < 0
    rule_out(remembering, "connect", act)


def test_another_process_and_another_user_that_connect_are_sent(
    remembering: Sensor, child: Callable[..., dict[str, Any]]
) -> None:
    rule_out(remembering, "connect", Call().make)
    statements = f"""
import socket
def connect():
    with socket.socket() as client:
        client.connect(("127.0.0.1", {PORT}))
connect()
connect()
os.seteuid(65534)
connect()
say()
"""
    said: list[dict[str, Any]] = []
    seen = remembering.during(lambda: said.append(child(statements)))
    found = [one.number("fingerprint") for one in seen.of("connect", pid=said[0]["pid"])]
    assert len(found) == 3
    assert found[0] == found[1] != found[2]


@contextlib.contextmanager
def unix_servers(*names: str | bytes) -> Generator[None]:
    with contextlib.ExitStack() as stack:
        for name in names:
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(name)
            server.listen()
        yield


def test_unix_sockets_are_told_apart_by_their_names(remembering: Sensor, here: Path) -> None:
    # Names that differ only in those bits that a simpler sum of their words would lose.
    names = [str(here / "one"), str(here / "two"), b"\0aaaaaaa\x01\0\0\0\x01aaa\x01", b"\0aaaaaaa\x81\0\0\0\x81aaa\x81"]
    calls = [Call(name, socket.AF_UNIX).make for name in names]
    with unix_servers(*names):
        for number, act in enumerate(calls):
            assert len(of_ours(remembering.during(act), "connect")) == 1, names[number]
            rule_out(remembering, "connect", act)
    (here / "one").rename(here / "three")
    assert len(of_ours(remembering.during(Call(str(here / "three"), socket.AF_UNIX).make), "connect")) == 1


def test_a_unix_socket_with_a_very_long_path_has_no_fingerprint(remembering: Sensor, here: Path) -> None:
    deep = here.joinpath(*["directory"] * 20)
    deep.mkdir(parents=True)
    os.chdir(deep)
    with unix_servers("socket"):
        seen = remembering.during(Call("socket", socket.AF_UNIX).make)
    assert of_ours(seen, "connect").one("connect").number("fingerprint") == 0


def accept_on(port: int, own: str = "127.0.0.1") -> None:
    """Take a connection from a new client."""
    with socket.create_server(("127.0.0.1", port)) as server, socket.socket() as client:
        client.bind((own, 0))
        client.connect(("127.0.0.1", port))
        server.accept()[0].close()


def test_accepted_connections_are_told_apart_by_all_but_the_clients_port(remembering: Sensor) -> None:
    rule_out(remembering, "accept4", lambda: accept_on(OTHER_PORT + 4))
    for port, own in ((OTHER_PORT + 5, "127.0.0.1"), (OTHER_PORT + 4, "127.0.0.3")):
        seen = remembering.during(lambda port=port, own=own: accept_on(port, own))
        assert len(of_ours(seen, "accept4")) == 1


def test_messages_are_told_apart_by_their_peers_and_not_by_their_size(remembering: Sensor) -> None:
    def send(text: bytes, port: int) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.sendto(text, ("127.0.0.1", port))

    rule_out(remembering, "sendto", lambda: send(b"x", PORT), lambda: send(b"more", PORT))
    assert len(of_ours(remembering.during(lambda: send(b"x", OTHER_PORT)), "sendto")) == 1


def test_without_being_asked_to_remember_no_connection_has_a_fingerprint(sensor: Sensor) -> None:
    seen = of_ours(sensor.during(Call().make), "connect")
    assert [one.number("fingerprint") for one in seen] == [0]
