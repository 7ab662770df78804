"""Names of addresses: who heard them, how long they hold, and how many are kept whatever is answered."""

from __future__ import annotations

import socket

import pytest

from hullwatch.enrich.names import (
    LONGEST,
    MOST_RESOLVED,
    NAMES_KEPT,
    NAMES_OF_ADDRESS,
    NAMES_OF_ONE,
    SHORTEST,
    Names,
    pack,
    unpack,
)
from hullwatch.events.dns_message import write_message
from hullwatch.fields.address import write_tuple

WEB, OTHER = "a" * 64, "b" * 64
OFFSET = 1_790_000_000_000_000_000


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def answer(name: str, *answers: str, server: tuple[str, int] = ("10.0.0.53", 53)) -> dict[str, int | str | bytes]:
    return {
        "fd": 3, "l4proto": 17, "tuple": write_tuple(("10.0.0.9", 40000), server),
        "data": write_message(name, "A", answers),
    }  # fmt: skip


@pytest.fixture
def names() -> Names:
    found = Names()
    found.clock_offset = OFFSET
    return found


def of(names: Names, address: str, time: int = 0, container: str = WEB) -> tuple[str, ...]:
    return names.of(container, packed(address), OFFSET + time)


def resolve(names: Names, name: str, *addresses: str, time: int = 0) -> None:
    names.resolved(time, {"name": name, "addresses": pack(map(packed, addresses))})


def test_an_answer_names_its_addresses_in_the_container_that_heard_it_and_in_no_other(names: Names) -> None:
    names.heard(WEB, answer("good.example", "192.0.2.1", "2001:db8::1"), 5)
    assert of(names, "192.0.2.1", 6) == of(names, "2001:db8::1", 6) == ("good.example",)
    assert of(names, "192.0.2.2", 6) == of(names, "192.0.2.1", 6, OTHER) == of(names, "192.0.2.1", 6, "") == ()


def test_what_is_sent_by_our_own_server_and_what_is_no_answer_name_nothing(names: Names) -> None:
    names.heard(WEB, answer("good.example", "192.0.2.1", server=("10.0.0.53", 40001)), 5)
    names.heard(WEB, answer("good.example", "NXDOMAIN", "192.0.2.1"), 5)
    names.heard(WEB, {**answer("x"), "data": write_message("good.example", "A")}, 5)
    names.heard(WEB, {**answer("x"), "data": b"\xff" * 40}, 5)
    names.heard(WEB, {**answer("x", "192.0.2.1"), "tuple": b""}, 5)
    assert of(names, "192.0.2.1", 6) == ()


def test_a_name_holds_as_long_as_the_answer_says_within_limits(names: Names) -> None:
    record = bytearray(write_message("a.example", "A", ("192.0.2.1",)))
    record[-10:-6] = (3600).to_bytes(4, "big")
    names.heard(WEB, {**answer("x"), "data": bytes(record)}, 1)
    assert of(names, "192.0.2.1", 3600 * 10**9) == ("a.example",)
    assert of(names, "192.0.2.1", 3600 * 10**9 + 1) == ()
    names.heard(WEB, answer("b.example", "192.0.2.2"), 1)  # it says 0 seconds: programs go on using it
    assert of(names, "192.0.2.2", SHORTEST) == ("b.example",)
    assert of(names, "192.0.2.2", SHORTEST + 1) == ()
    record[-10:-6] = (0xFFFFFFFF).to_bytes(4, "big")
    names.heard(WEB, {**answer("x"), "data": bytes(record)}, 1)
    assert of(names, "192.0.2.1", LONGEST) == ("a.example",)
    assert of(names, "192.0.2.1", LONGEST + 1) == ()


def test_the_latest_of_several_names_stands_first_and_the_oldest_go(names: Names) -> None:
    for number in range(NAMES_OF_ADDRESS + 2):
        names.heard(WEB, answer(f"{number}.example", "192.0.2.1"), number)
    found = of(names, "192.0.2.1", 20)
    assert len(found) == NAMES_OF_ADDRESS
    assert found[0] == f"{NAMES_OF_ADDRESS + 1}.example"
    names.heard(WEB, answer("5.example", "192.0.2.1"), 30)
    assert of(names, "192.0.2.1", 40)[0] == "5.example"


def test_ipv4_in_ipv6_form_is_ipv4(names: Names) -> None:
    names.heard(WEB, answer("good.example", "::ffff:192.0.2.1"), 5)
    resolve(names, "other.example", "::ffff:192.0.2.2")
    assert of(names, "192.0.2.1", 6) == ("good.example",)
    assert of(names, "192.0.2.2", 6) == ("other.example",)


def test_a_container_that_asks_for_many_names_makes_no_other_lose_its_own(names: Names) -> None:
    names.heard(OTHER, answer("good.example", "192.0.2.1"), 1)
    for number in range(3 * NAMES_OF_ONE):
        names.heard(WEB, answer(f"{number}.example", f"10.{number >> 8}.{number & 255}.1"), number)
    assert of(names, "192.0.2.1", 2, OTHER) == ("good.example",)
    kept = [one for one in names.saved() if one.container_id == WEB]
    assert len(kept) == NAMES_OF_ONE
    assert kept[-1].name == f"{3 * NAMES_OF_ONE - 1}.example".encode()
    for number in range(NAMES_KEPT + 2000):  # and many containers that ask for as much as others
        names.heard(f"{number % 200:064}", answer(f"{number}.example", f"10.{number >> 8 & 255}.{number & 255}.2"), 1)
    assert len(names.saved()) <= NAMES_KEPT
    assert of(names, "192.0.2.1", 2, OTHER) == ("good.example",)


def test_what_a_rule_s_name_stands_for_counts_everywhere_until_it_changes_and_a_while_longer(names: Names) -> None:
    resolve(names, "good.example", "192.0.2.1", "192.0.2.2")
    year = 365 * LONGEST
    assert of(names, "192.0.2.1", year) == of(names, "192.0.2.2", year, "") == ("good.example",)
    resolve(names, "good.example", "192.0.2.2", "192.0.2.3", time=year)
    assert of(names, "192.0.2.1", year + 1) == of(names, "192.0.2.3", 2 * year) == ("good.example",)
    assert of(names, "192.0.2.1", year + SHORTEST) == ()
    resolve(names, "good.example", time=2 * year)
    assert of(names, "192.0.2.3", 2 * year + SHORTEST) == ()
    resolve(names, "good.example", time=3 * year)
    assert names.saved() == ()


def test_names_in_rules_stand_before_those_that_were_heard_and_once(names: Names) -> None:
    names.heard(WEB, answer("heard.example", "192.0.2.1"), 1)
    names.heard(WEB, answer("good.example", "192.0.2.1"), 1)
    resolve(names, "good.example", "192.0.2.1")
    assert of(names, "192.0.2.1", 2) == ("good.example", "heard.example")


def test_names_in_rules_are_limited(names: Names) -> None:
    for number in range(MOST_RESOLVED + 5):
        resolve(names, f"{number}.example", "192.0.2.1")
    assert len(of(names, "192.0.2.1")) == MOST_RESOLVED


def test_all_that_is_known_is_saved_and_restored(names: Names) -> None:
    names.heard(WEB, answer("good.example", "192.0.2.1"), 1)
    names.heard("", answer("x.exämple", "2001:db8::1"), 1)
    resolve(names, "rule.example", "192.0.2.1")
    other = Names()
    other.heard(OTHER, answer("gone.example", "192.0.2.1"), 1)
    other.restore(names.saved(), names.clock_offset)
    assert other.saved() == names.saved()
    assert of(other, "192.0.2.1", 2) == ("rule.example", "good.example")
    assert of(other, "192.0.2.1", 2, OTHER) == ("rule.example",)


@pytest.mark.parametrize("data", [b"\x05abcde", b"\x04abc", b"\x10abc", b"\x00" * 9, b"\x04abcd\x07x"])
def test_addresses_that_contradict_themselves_end_the_list(data: bytes) -> None:
    assert unpack(data) == ([b"abcd"] if data.startswith(b"\x04abcd") else [])
