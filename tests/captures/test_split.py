"""A stream taken apart and put together: in C and in Python alike, in the order that it had."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.captures.planes import PLANE, DamagedError
from hullwatch.captures.split import Part, merge, merge_in_python, split, split_in_python, whole_records
from hullwatch.detect.native import library
from tests.captures.capture_files import clock, opens, runs
from tests.detect.generated_streams import records


def of_group(group: bytes) -> str:
    """Name three groups alike, and the others by their number."""
    return str(group[0] // 3)


def a_record(size: int, group: int, hierarchy: int = 0) -> bytes:
    return (
        size.to_bytes(4, "little")
        + bytes(20)
        + group.to_bytes(8, "little")
        + hierarchy.to_bytes(4, "little")
        + bytes(size - 36)
    )


def test_the_library_is_there_to_be_compared_with() -> None:
    assert library() is not None


@given(records)
def test_parts_are_the_same_in_c_and_in_python_and_give_the_stream_again(given_records: list[bytes]) -> None:
    stream = b"".join(given_records)
    parts = split(stream, of_group)
    assert parts == split_in_python(stream, of_group)
    assert merge(list(parts.values())) == stream == merge_in_python(list(parts.values()))


@given(st.lists(st.tuples(st.integers(PLANE, 80), st.integers(0, 40), st.integers(0, 1)), max_size=60), st.data())
def test_some_parts_give_their_records_in_the_order_of_the_stream(
    described: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    made = [a_record(*one) for one in described]
    parts = split(b"".join(made), bytes.hex)
    assert parts == split_in_python(b"".join(made), bytes.hex)
    chosen = data.draw(st.sets(st.sampled_from(sorted(parts))) if parts else st.just(set[str]()))
    expected = b"".join(one for one in made if one[24:36].hex() in chosen)
    found = [parts[name] for name in chosen]
    assert merge(found) == expected == merge_in_python(found)


@given(st.binary(max_size=300))
def test_other_bytes_are_refused_alike(data: bytes) -> None:
    if whole_records(data) == data:
        return
    for do in (split, split_in_python):
        with pytest.raises(DamagedError):
            do(data, bytes.hex)


@pytest.mark.parametrize("do", [merge, merge_in_python])
def test_parts_that_contradict_themselves_are_refused(do: object) -> None:
    part = next(iter(split(opens(1, 5), bytes.hex).values()))
    wrong = [part, Part(part.records[:-8], part.steps)]
    with pytest.raises(DamagedError):
        (merge if do is merge else merge_in_python)(wrong)


def test_without_the_library_the_same_is_done_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = clock() + runs(10, "a", 1) + opens(10, 2, inside=True)
    expected = split(stream, bytes.hex)
    monkeypatch.setattr("hullwatch.captures.split.library", lambda: None)
    assert split(stream, bytes.hex) == expected
    assert merge(list(expected.values())) == stream


@pytest.mark.parametrize("rest", [b"", b"x", bytes(200), b"\xff" * 200, opens(11, 5)[:-8]])
def test_of_a_broken_batch_the_whole_records_are_kept(rest: bytes) -> None:
    assert whole_records(opens(11, 4) + rest) == opens(11, 4)
