"""DNS messages: there and back, and bytes that are cut, hostile or no message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.events.dns_message import (
    MAXIMUM_ALIASES,
    MAXIMUM_ANSWERS,
    Addresses,
    Message,
    read_addresses,
    read_message,
    write_message,
)
from hullwatch.fields.address import address_text

HEAD = b"\0\7\x81\x80\0\1\0\1\0\0\0\0"
LABELS = st.lists(st.text("abcxyz0-_", min_size=1, max_size=20), min_size=1, max_size=8).map(".".join)
ADDRESSES = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(lambda one: address_text(one.packed))


@given(LABELS, st.sampled_from(("A", "TXT", "TYPE65280")), st.lists(ADDRESSES, max_size=9))
def test_questions_and_answers_come_back(name: str, kind: str, addresses: list[str]) -> None:
    assert read_message(write_message(name, kind)) == Message(
        1, is_answer=False, code="", question=name, kind=kind, answers=()
    )
    answer = read_message(write_message(name, kind, tuple(addresses)))
    assert answer == Message(1, is_answer=True, code="NOERROR", question=name, kind=kind, answers=tuple(addresses))


def test_a_result_and_another_name_are_told() -> None:
    message = read_message(write_message("x.org", "A", ("NXDOMAIN", "y.org")))
    assert message is not None
    assert (message.code, message.answers) == ("NXDOMAIN", ("y.org",))


def test_names_are_in_lower_case_and_their_dots_and_bytes_are_told_apart() -> None:
    message = read_message(HEAD[:6] + bytes(6) + b"\5Ex.\\\xff\3cOm\0\0\1\0\1")
    assert message is not None
    assert message.question == "ex\\.\\\\\udcff.com"
    root = read_message(HEAD[:6] + bytes(6) + b"\0\0\2\0\1")
    assert root is not None
    assert (root.question, root.kind) == (".", "NS")


def test_over_tcp_the_length_may_stand_before_it() -> None:
    plain = write_message("example.com", "AAAA", ("::1",))
    expected = read_message(plain)
    assert expected is not None
    assert read_message(len(plain).to_bytes(2, "big") + plain, stream=True) == expected
    assert read_message(plain, stream=True) == expected
    long = write_message("example.com", "A", ("192.0.2.1",) * 200)
    cut = (len(long).to_bytes(2, "big") + long)[:2047]
    message = read_message(cut, stream=True)
    assert message is not None
    assert message.answers == ("192.0.2.1",) * MAXIMUM_ANSWERS


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",  # to itself
        b"\xc0\x0e\xc0\x0c",  # forward, and back
        b"\1a\xc0\x0c",  # round and round
        b"\xc0",  # cut
        b"\x41" + b"a" * 65,  # no length that a label has
        b"\x3f" + b"a" * 10,  # beyond the end
        (b"\x3f" + b"a" * 63) * 5 + b"\0",  # longer than any name
    ],
)
def test_a_name_that_is_none_makes_no_message(name: bytes) -> None:
    assert read_message(HEAD + name + b"\0\1\0\1") is None


def test_a_chain_of_pointers_is_followed_no_farther_than_any_real_one() -> None:
    names = b"\1a\0" + b"".join(
        (0xC00C if one == 0 else 0xC00F + 2 * (one - 1)).to_bytes(2, "big") for one in range(200)
    )
    question = HEAD + b"\1a\0" + b"\0\1\0\1"
    answer = b"\xc0\x0c\0\5\0\1" + bytes(4) + len(names).to_bytes(2, "big") + names
    message = read_message(question + answer)
    assert message is not None
    assert message.answers == ("a",)


@pytest.mark.parametrize("count", [0, 2, 65535])
def test_no_question_or_many_are_no_message(count: int) -> None:
    assert read_message(HEAD[:4] + count.to_bytes(2, "big") + HEAD[6:] + b"\1a\0\0\1\0\1") is None


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_a_message_or_none(data: bytes, stream: bool) -> None:  # noqa: FBT001 - drawn
    message = read_message(data, stream=stream)
    assert message is None or len(message.answers) <= MAXIMUM_ANSWERS


@given(st.integers(0, 120))
def test_a_cut_message_gives_what_stood_before(length: int) -> None:
    whole = write_message("a.example.com", "A", ("192.0.2.1", "192.0.2.2", "b.example.com"))
    message, expected = read_message(whole[:length]), read_message(whole)
    assert expected is not None
    assert message is None or message.answers == expected.answers[: len(message.answers)]


def _answer_of(*records: bytes, name: bytes = b"\1a\4test\0") -> bytes:
    return b"\0\7\x81\x80\0\1" + len(records).to_bytes(2, "big") + bytes(4) + name + b"\0\1\0\1" + b"".join(records)


def _record_of(owner: bytes, kind: int, seconds: int, content: bytes) -> bytes:
    return (
        owner + kind.to_bytes(2, "big") + b"\0\1" + seconds.to_bytes(4, "big") + len(content).to_bytes(2, "big")
    ) + content


QUESTION = b"\xc0\x0c"
ALIAS = b"\1b\4test\0"


def test_addresses_have_the_name_that_was_asked_for_and_those_that_it_is_another_word_for() -> None:
    message = _answer_of(
        _record_of(QUESTION, 5, 30, ALIAS), _record_of(ALIAS, 1, 60, b"\xc0\0\2\1"), _record_of(ALIAS, 28, 9, bytes(16))
    )
    assert read_addresses(message) == Addresses(("a.test", "b.test"), {b"\xc0\0\2\1": 60, bytes(16): 9})
    assert read_addresses(len(message).to_bytes(2, "big") + message, stream=True) == read_addresses(message)


@pytest.mark.parametrize(
    "records",
    [
        [_record_of(ALIAS, 1, 60, b"\xc0\0\2\1")],  # of a name that nobody asked for
        [_record_of(QUESTION, 1, 60, b"\xc0\0\2\1\0")],  # too long
        [_record_of(QUESTION, 16, 60, b"\xc0\0\2\1")],  # no address
        [_record_of(QUESTION, 5, 60, b"\xc0\xff")],
        [],
    ],
)
def test_what_says_nothing_of_the_name_that_was_asked_for_gives_no_address(records: list[bytes]) -> None:
    assert read_addresses(_answer_of(*records)) is None


def test_aliases_and_addresses_of_an_answer_are_limited() -> None:
    aliases = [_record_of(QUESTION, 5, 1, b"\x02%02d\0" % number) for number in range(30)]
    found = read_addresses(_answer_of(*aliases, _record_of(QUESTION, 1, 1, bytes(4))))
    assert found is not None
    assert len(found.names) == 1 + MAXIMUM_ALIASES
    many = [_record_of(QUESTION, 1, 1, number.to_bytes(4, "big")) for number in range(60)]
    found = read_addresses(_answer_of(*many))
    assert found is not None
    assert len(found.seconds) == MAXIMUM_ANSWERS


@given(st.binary(max_size=80), st.integers(0, 200), st.booleans())
def test_bytes_of_any_kind_give_addresses_or_none(data: bytes, cut: int, stream: bool) -> None:  # noqa: FBT001 - given
    whole = _answer_of(_record_of(QUESTION, 5, 30, ALIAS), _record_of(ALIAS, 1, 60, b"\xc0\0\2\1"))
    for one in (data, whole[:cut] + data, whole[:12] + data):
        found = read_addresses(one, stream=stream)
        assert found is None or all(len(address) in {4, 16} for address in found.seconds)
