"""bbolt files are read, however deep, damaged or hostile they are."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.sources import bolt
from tests.bolt_file import PAGE, BoltFile, beginning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABLES: dict[bytes, Any] = {
    b"ctr": {b"%03d" % number: {b"config": b"x" * number, b"state": b"%d" % number} for number in range(200)},
    b"empty": {},
    b"long": {b"value": b"y" * 100_000},
}


def ask(data: bytes, question: Callable[[bolt.Bucket], Any]) -> Any:
    descriptor = os.memfd_create("bolt")
    try:
        os.write(descriptor, data)
        return bolt.read(descriptor, question)
    finally:
        os.close(descriptor)


def everything(table: bolt.Bucket) -> dict[bytes, Any]:
    return dict(table.values()) | {key: everything(below) for key, below in table.buckets()}


def value_of_a(table: bolt.Bucket) -> bytes | None:
    return table.get(b"a")


@pytest.mark.parametrize("leaf", [1, 7, 1000])
def test_tables_values_and_branches_are_read(leaf: int) -> None:
    data = BoltFile(leaf).write(TABLES)
    assert ask(data, everything) == TABLES

    def one(tables: bolt.Bucket) -> tuple[bytes | None, ...]:
        containers = tables.bucket(b"ctr")
        assert containers is not None
        found = containers.bucket(b"123")
        assert found is not None
        return found.get(b"state"), found.get(b"none"), containers.get(b"123")

    assert ask(data, one) == (b"123", None, None)
    assert ask(data, lambda tables: tables.bucket(b"none")) is None


def test_of_the_two_beginnings_the_whole_one_with_the_later_state_counts() -> None:
    data = bytearray(BoltFile().write({b"a": b"1"}))
    assert ask(bytes(data), everything) == {b"a": b"1"}
    data[20] ^= 1  # the first is damaged: the second names the same root here
    assert ask(bytes(data), everything) == {b"a": b"1"}
    data[PAGE + 20] ^= 1
    with pytest.raises(bolt.BoltError, match="no valid beginning"):
        ask(bytes(data), everything)


def test_what_is_written_meanwhile_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(BoltFile().write({b"a": b"1"}))
    answers: list[dict[bytes, Any]] = []

    def question(tables: bolt.Bucket) -> dict[bytes, Any]:
        answers.append(everything(tables))
        if len(answers) == 1:
            path.write_bytes(BoltFile().write({b"a": b"2"}, transaction=9))
        return answers[-1]

    descriptor = os.open(path, os.O_RDONLY)
    assert bolt.read(descriptor, question) == {b"a": b"2"}
    os.close(descriptor)
    assert answers == [{b"a": b"1"}, {b"a": b"2"}]


def test_a_table_that_holds_itself_has_an_end() -> None:
    data = bytearray(BoltFile(1).write({b"a": b"1", b"b": b"2"}))
    root = len(data) // PAGE - 1  # the branch, whose children are made to be itself
    place = root * PAGE + 16
    for child in (0, 16):
        data[place + child + 8 : place + child + 16] = root.to_bytes(8, "little")
    for question in (everything, value_of_a):
        with pytest.raises(bolt.BoltError, match=r"too deep|pages to look at"):
            ask(bytes(data), question)


def test_entries_that_share_their_bytes_cannot_be_more_than_their_page() -> None:
    data = bytearray(BoltFile().write({b"%02d" % number: b"v" * 100 for number in range(20)}))
    page = len(data) // PAGE - 1
    for number in range(20):  # each value is said to be all the rest of the page
        place = page * PAGE + 16 + number * 16
        data[place + 4 : place + 8] = (400 - number * 16).to_bytes(4, "little")
        data[place + 12 : place + 16] = (3000).to_bytes(4, "little")
    with pytest.raises(bolt.BoltError, match="beyond its page"):
        ask(bytes(data), everything)


@given(st.integers(0, 1 << 30), st.binary(min_size=1, max_size=64))
def test_a_damaged_file_gives_an_answer_or_a_sentence(place: int, noise: bytes) -> None:
    data = bytearray(SMALL)
    place = 16 + place % (len(data) - 16)
    data[place : place + len(noise)] = noise
    data = data[: len(SMALL)]
    data[16:80] = beginning(int.from_bytes(data[32:40], "little"), 99, 8)[:64]
    with contextlib.suppress(bolt.BoltError):
        ask(bytes(data), everything)


SMALL = BoltFile(2).write({b"ctr": {b"%d" % number: {b"state": b"{}"} for number in range(5)}})


@pytest.mark.parametrize("data", [b"", b"x" * 100_000, b"\0" * 100_000, SMALL[:5000]])
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(bolt.BoltError):
        ask(data, everything)
