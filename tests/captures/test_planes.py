"""Records to planes and back, in C and in Python: what was written comes back, and what was changed does not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hullwatch.captures import planes as tried
from hullwatch.captures.planes import PLANE, DamagedError, planes, planes_in_python, whole, whole_in_python
from hullwatch.detect.native import library
from tests.detect.generated_streams import records

Do = Callable[[bytes], bytes]


def outcome(do: Do, data: bytes) -> bytes | str:
    """Return what comes of it, or the reason why nothing does."""
    try:
        return do(data)
    except DamagedError as error:
        return str(error)


def test_the_library_is_there_to_be_compared_with() -> None:
    assert library() is not None
    assert tried.library is library


@given(records)
def test_records_come_back_as_they_were(given_records: list[bytes]) -> None:
    stream = b"".join(given_records)
    assert planes(stream) == planes_in_python(stream)
    assert whole(planes(stream)) == stream == whole_in_python(planes(stream))


@given(st.binary(max_size=400) | st.binary(max_size=200).map(partial(bytes.__add__, b"\2\0\0\0")), st.booleans())
def test_other_bytes_are_refused_alike_or_give_whole_records(data: bytes, makes_lengths: bool) -> None:  # noqa: FBT001
    if makes_lengths:  # of records that are 56 or 64 bytes long
        number = int.from_bytes(data[:4], "little")
        if len(data) > 4 + 4 * number:
            data = data[:4] + bytes([56 + 8 * (one & 1) for one in data[4 : 4 + number]]) + bytes(3 * number) + data[4:]
    for fast, plain in ((whole, whole_in_python), (planes, planes_in_python)):
        assert outcome(fast, data) == outcome(plain, data)
    found = outcome(whole, data)
    if isinstance(found, bytes):
        assert planes(found) == data


@pytest.mark.parametrize("do", [whole, whole_in_python])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        b"\xff\xff\xff\xff" + bytes(100),
        b"\xff\xff\xff\x7f" + bytes(100),
        bytes(4) + b"more",
        b"\1\0\0\0\1" + bytes(PLANE - 1),  # a record of 1 byte
        b"\1\0\0\0\x40" + bytes(PLANE - 1),  # of 64, of which 56 are there
        b"\1\0\0\0\x38\0\0\x80" + bytes(PLANE - 4),  # of 2 GiB
    ],
)
def test_planes_that_contradict_themselves_are_refused(do: Do, data: bytes) -> None:
    with pytest.raises(DamagedError):
        do(data)


@pytest.mark.parametrize("do", [planes, planes_in_python])
@pytest.mark.parametrize("data", [b"x", bytes(PLANE), b"\x38" + bytes(PLANE - 2), b"\x40" + bytes(PLANE - 1)])
def test_bytes_that_are_no_whole_records_are_refused(do: Do, data: bytes) -> None:
    with pytest.raises(DamagedError):
        do(data)
