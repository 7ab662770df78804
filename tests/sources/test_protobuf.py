"""Messages of protocol buffers: what was written is read, and any bytes are a message or a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.sources.protobuf import BrokenMessageError, Message, write

NUMBERS = st.integers(min_value=0, max_value=(1 << 63) - 1)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), NUMBERS, st.binary())
def test_what_was_written_is_read(text: str, number: int, data: bytes) -> None:
    message = Message(write([(1, text), (2, number), (3, data), (4, write([(1, "k"), (2, text)])), (100_000, "far")]))
    assert (message.text(1), message.number(2), message.bytes(3)) == (text, number, data)
    assert message.table(4) == {"k": text}
    assert message.text(100_000) == "far"


def test_what_is_absent_or_of_another_kind_is_empty() -> None:
    message = Message(write([(1, 5), (2, "x")]))
    assert (message.text(1), message.number(2), message.texts(9), message.messages(9)) == ("", 0, [], [])
    assert message.message(9).message(1).nanoseconds(1) == 0


def test_a_negative_number_and_a_time_are_read() -> None:
    message = Message(write([(1, (1 << 64) - 5), (2, write([(1, 7), (2, 9)]))]))
    assert (message.signed(1), message.nanoseconds(2)) == (-5, 7_000_000_009)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_sentence(data: bytes) -> None:
    try:
        message = Message(data)
    except BrokenMessageError:
        return
    for field in range(1, 20):
        assert len(message.text(field)) <= len(data)
        assert len(message.texts(field)) <= len(data)


def test_a_message_of_too_many_fields_is_refused() -> None:
    with pytest.raises(BrokenMessageError, match="more than 100000 fields"):
        Message(b"\x08\x01" * 100_001)
