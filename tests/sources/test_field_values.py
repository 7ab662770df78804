"""Reading field values: both forms, plain and compressed, and input that is wrong."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.errors import UsageError
from hullwatch.sources.field_values import LONGEST_LINE, FieldValues, Line, read_lines

ONE = b'{"proc.name": "cat", "proc.pid": 30, "evt.failed": false, "fd.ip": ["::1"], "fd.name": null}\n'
VALUES: FieldValues = {
    "proc.name": "cat",
    "proc.pid": 30,
    "evt.failed": False,
    "fd.ip": ["::1"],
    "fd.name": None,
}


def lines(data: bytes) -> list[Line]:
    return list(read_lines(io.BytesIO(data), "x.ndjson"))


def test_a_line_is_an_object_of_field_values() -> None:
    assert lines(ONE) == [Line(1, VALUES)]


def test_a_line_may_have_them_as_fields_beside_other_things() -> None:
    assert lines(b'{"capture": "a.scap", "fields": {"proc.name": "cat"}}') == [Line(1, {"proc.name": "cat"})]


def test_compressed_data_is_told_by_its_first_bytes() -> None:
    assert lines(gzip.compress(ONE * 3)) == [Line(number, VALUES) for number in (1, 2, 3)]


def test_empty_lines_count_and_are_left_out() -> None:
    assert [line.number for line in lines(b"\n{}\n  \r\n{}")] == [2, 4]
    assert lines(b"") == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"nonsense", "it is no JSON object of field values"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"proc.name": "\xff"}', "it is no JSON object of field values"),
        (b'{"proc.name": [["a"]]}', "it is no JSON object of field values"),
        (b'{"proc.name": {"a": "b"}}', "the value of 'proc.name' is an object"),
        (b"[" * 100_000, "it is no JSON object of field values"),
        (b'{"a":' * 100_000, "it is no JSON object of field values"),
        (b'{"a": "' + b"x" * LONGEST_LINE + b'"}', "it has more than 1 MiB"),
    ],
)
def test_a_line_that_is_wrong_says_why_and_the_next_one_is_read(data: bytes, expected: str) -> None:
    first, second = lines(data + b"\n" + ONE)
    assert expected in first.mistake
    assert (first.number, first.values) == (1, {})
    assert second == Line(2, VALUES)


def test_damaged_compressed_data_ends_with_a_sentence_after_the_lines_before_it() -> None:
    seen: list[Line] = []
    with pytest.raises(UsageError, match=r"x\.ndjson is damaged behind line"):
        seen.extend(read_lines(io.BytesIO(gzip.compress(ONE * 50_000)[:-9]), "x.ndjson"))
    assert seen[0] == Line(1, VALUES)


@given(st.binary(max_size=200))
def test_any_bytes_give_lines_or_a_sentence(data: bytes) -> None:
    try:
        found = lines(data)
    except UsageError:
        assert data.startswith(b"\x1f\x8b")
        return
    assert all(line.mistake or isinstance(line.values, dict) for line in found)
