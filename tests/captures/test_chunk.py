"""Chunks of a capture: what was written comes back, and what was changed does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.captures.chunk import DamagedError, planes, whole
from tests.detect.generated_streams import records


@given(records)
def test_records_come_back_from_planes_as_they_were(given_records: list[bytes]) -> None:
    stream = b"".join(given_records)
    assert whole(planes(stream)) == stream


@given(st.binary(max_size=400))
def test_bytes_that_are_no_planes_are_refused_or_give_whole_records(data: bytes) -> None:
    try:
        stream = whole(data)
    except DamagedError:
        return
    assert planes(stream) == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too short"),
        (b"\xff\xff\xff\x7f" + bytes(100), "fewer records than it says"),
        (bytes(4) + b"more", "left behind"),
        (b"\1\0\0\0\0\1" + bytes(54), "reaches beyond"),  # a record of 1 byte
    ],
)
def test_planes_that_contradict_themselves_are_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(DamagedError, match=why):
        whole(data)
