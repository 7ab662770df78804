"""Fields of sockets of every family, for each of the calls that make, name and end them."""

from __future__ import annotations

from typing import Any

import pytest

from hullwatch.enrich.container import HOST
from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME
from hullwatch.fields.address import write_address, write_tuple, write_unix_address, write_unix_tuple
from hullwatch.fields.catalogue import catalogue

SERVER, CLIENT = ("10.0.0.1", 443), ("10.0.0.2", 40000)
HOSTILE = "/run/\udcff\n\x1b[31m"


def values(type_: str, *fields: str, **params: Any) -> list[Any]:
    """Return what fields answer for an event."""
    event = Event(number=1, time=0, type=BY_NAME[type_], params=params, process=None, container=HOST)
    found: list[Any] = []
    for name in fields:
        stem, _, argument = name.partition(":")
        function = catalogue()[stem].function
        assert function is not None
        found.append(function(event, argument) if argument else function(event))
    return found


@pytest.mark.parametrize(
    ("domain", "kind", "expected"),
    [
        (2, 1, ["ipv4", "4", "ip", "tcp"]),
        (10, 2 | 2048, ["ipv6", "6", "ip", "udp"]),
        (2, 3, ["ipv4", "4", "ip", "raw"]),
        (1, 1, ["unix", "u", "unix", "<NA>"]),
        (16, 3, ["netlink", "n", None, "<NA>"]),
        (17, 3, ["<NA>", "o", None, "<NA>"]),
    ],
)
def test_a_new_socket_is_described_by_what_it_was_made_with(domain: int, kind: int, expected: list[Any]) -> None:
    names = ("fd.type", "fd.typechar", "fd.sockfamily", "fd.l4proto")
    given = {"domain": domain, "type": kind, "proto": 0, "flags": 0}
    assert values("socket", *names, fd=3, **given) == expected
    assert values("socket", *names, fd=-1, **given) == [None] * 4
    assert values("socket", "fd.name", "fd.connected", "fd.sip", "fd.is_server", fd=3, **given) == [
        "",
        False,
        None,
        False,
    ]


def test_the_arguments_of_a_socket_stand_as_falco_prints_them() -> None:
    given = {"domain": 17, "type": 3, "proto": 768, "flags": 4096}
    assert values("socket", "evt.arg:domain", "evt.arg:flags", "evt.args", fd=3, **given) == [
        "AF_PACKET", "O_CLOEXEC", "fd=3(<o>) domain=17(AF_PACKET) type=3 proto=768 flags=4096(O_CLOEXEC)",
    ]  # fmt: skip
    given = {"domain": 1, "type": 524290, "proto": 0, "flags": 0}
    assert values("socket", "evt.args", fd=14, **given) == [
        "fd=14(<u>) domain=1(AF_LOCAL|AF_UNIX) type=524290 proto=0 flags=0(O_NONE)"
    ]
    assert values("socket", "evt.arg:domain", fd=-97, **(given | {"domain": 99})) == ["99"]


@pytest.mark.parametrize("type_", ["bind", "listen"])
def test_a_bound_socket_is_a_server_without_a_client(type_: str) -> None:
    given = {"res": 0, "fd": 3, "addr": write_address("2001:db8::3", 1234), "l4proto": 6}
    fields = ("fd.name", "fd.type", "fd.sip", "fd.sport", "fd.lport", "fd.is_server", "fd.l4proto", "fd.connected")
    assert values(type_, *fields, **given) == [
        "2001:db8::3:1234", "ipv6", "2001:db8::3", 1234, 1234, True, "tcp", False,
    ]  # fmt: skip
    assert values(type_, "fd.cip", "fd.rip", "fd.rport", "fd.cport", "fd.cnet", **given) == [None] * 5
    assert values(type_, "fd.ip", "fd.port", "fd.net", **given)[:2] == [("2001:db8::3",), (1234,)]
    assert values(type_, "evt.arg:fd", **given) == ["<6t>2001:db8::3:1234"]


def test_an_ipv4_address_in_ipv6_form_is_an_ipv4_address() -> None:
    given = {"res": 0, "fd": 3, "addr": write_address("::ffff:10.0.0.1", 80), "l4proto": 6}
    assert values("bind", "fd.name", "fd.type", "evt.arg:addr", **given) == ["10.0.0.1:80", "ipv4", "10.0.0.1:80"]


def test_a_failed_bind_has_the_address_and_its_error() -> None:
    given = {"res": -98, "fd": 3, "addr": write_address("0.0.0.0", 22), "l4proto": 6}
    assert values("bind", "fd.sport", "evt.res", "evt.args", **given) == [
        22, "EADDRINUSE", "res=-98(EADDRINUSE) addr=0.0.0.0:22 fd=3(<4t>0.0.0.0:22) l4proto=6",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["/run/docker.sock", "@abstract", "", HOSTILE])
def test_a_unix_socket_is_named_by_its_path(name: str) -> None:
    fields = ("fd.name", "fd.type", "fd.typechar", "fd.sockfamily", "fd.l4proto", "fd.sip", "fd.sport")
    rest = ["unix", "u", "unix", "<NA>", None, None]
    both = {"fd": 3, "res": 0, "tuple": write_unix_tuple(name), "l4proto": 0}
    assert values("connect", *fields, **both) == [f"0->0 {name}", *rest]
    assert values("accept", *fields, **both) == [f"0->0 {name}", *rest]
    assert values("bind", *fields, fd=3, res=0, addr=write_unix_address(name), l4proto=0) == [name, *rest]
    assert values("connect", "evt.arg:fd", "evt.arg:tuple", **both) == [f"<u>0->0 {name}", f"0->0 {name}"]
    assert values("accept", "fd.is_server", "fd.connected", **both) == [True, True]
    assert values("connect", "fd.is_server", "fd.connected", **(both | {"res": -2})) == [False, False]


def test_a_failed_accept_has_nothing_but_its_error() -> None:
    given = {"fd": -24, "tuple": b"", "l4proto": 0}
    assert values("accept4", "fd.name", "fd.num", "fd.type", "evt.res", **given) == [None, None, None, "EMFILE"]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((SERVER, CLIENT), ["10.0.0.2:40000->10.0.0.1:443", True, "10.0.0.1", "10.0.0.2", 443, 40000]),
        ((CLIENT, SERVER), ["10.0.0.2:40000->10.0.0.1:443", False, "10.0.0.1", "10.0.0.1", 40000, 443]),
        ((SERVER, ("0.0.0.0", 0)), ["10.0.0.1:443", True, "10.0.0.1", None, 443, None]),
    ],
)
def test_who_is_the_server_of_a_connection_that_ends_is_told_by_the_ports(
    ends: tuple[tuple[str, int], tuple[str, int]], expected: list[Any]
) -> None:
    given = {"res": 0, "fd": 3, "how": 2, "tuple": write_tuple(*ends), "l4proto": 6}
    fields = ("fd.name", "fd.is_server", "fd.sip", "fd.rip", "fd.lport", "fd.rport")
    assert values("shutdown", *fields, **given) == expected
    assert values("shutdown", "evt.arg:how", **given) == ["SHUT_RDWR"]
