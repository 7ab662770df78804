"""Data that is compressed with gzip: in members, padded, cut off, and far more than it is."""

from __future__ import annotations

import gzip
import io
import random
import zlib

import pytest

from hullwatch.sources.unpacking import MOST_TIMES, GzipStream, TooMuchError

NOISE = random.Random(7).randbytes(300_000)


def read(packed: bytes) -> bytes:
    return io.BufferedReader(GzipStream(io.BytesIO(packed))).read()


def test_members_are_read_one_after_another_with_padding_between_and_behind_them() -> None:
    packed = gzip.compress(NOISE) + bytes(70_000) + gzip.compress(b"") + gzip.compress(b"end") + bytes(200_000)
    assert read(packed) == NOISE + b"end"


@pytest.mark.parametrize("cut", [1, 10, 5000, -1, -8])
def test_an_end_that_is_missing_is_told(cut: int) -> None:
    with pytest.raises(EOFError):
        read(gzip.compress(NOISE)[:cut])


def test_what_is_no_gzip_is_told() -> None:
    with pytest.raises(zlib.error):
        read(gzip.compress(b"x") + b"no gzip")


def test_what_becomes_far_more_than_it_is_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.sources.unpacking.ALWAYS", 1 << 20)
    stream = io.BufferedReader(GzipStream(io.BytesIO(gzip.compress(bytes(4 << 20)) * 100)))
    found: list[int] = []
    with pytest.raises(TooMuchError, match=f"more than {MOST_TIMES} times"):
        found.extend(iter(lambda: len(stream.read1()), 0))
    assert sum(found) <= MOST_TIMES << 16  # it is read in pieces of 64 KiB


def test_a_little_may_become_much_and_much_may_become_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.sources.unpacking.ALWAYS", 1 << 20)
    assert len(read(gzip.compress(bytes(1 << 20)))) == 1 << 20
    assert len(read(gzip.compress(NOISE) + gzip.compress(bytes(10 << 20)))) == len(NOISE) + (10 << 20)
