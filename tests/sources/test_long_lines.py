"""Lines that have no end."""

from __future__ import annotations

import io

import pytest

from hullwatch.errors import UsageError
from hullwatch.sources import long_lines
from hullwatch.sources.field_values import read_lines
from hullwatch.sources.k8s_audit import documents
from hullwatch.sources.k8s_audit.counts import TOO_LARGE, IntakeCounts
from hullwatch.sources.long_lines import skip_line


class Endless(io.RawIOBase):
    """Some bytes, and then the same byte for ever, as of ``/dev/zero`` or a pipe."""

    def __init__(self, begin: bytes) -> None:
        self._begin = begin

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - as RawIOBase
        data = self._begin[: len(buffer)] or b"x" * len(buffer)
        self._begin = self._begin[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the limits be short, that a test need not read hundreds of megabytes."""
    monkeypatch.setattr(long_lines, "MOST_SKIPPED", 1 << 20)
    monkeypatch.setattr(documents, "LONGEST_LINE", 1 << 12)


def test_the_rest_of_a_long_line_is_skipped() -> None:
    """What follows it is read."""
    stream = io.BufferedReader(io.BytesIO(b"x" * 300_000 + b"\nnext\n"))
    skip_line(stream, 1)
    assert stream.readline() == b"next\n"


def test_a_line_without_an_end_is_told_with_its_number_and_what_stands_before_it_is_read() -> None:
    """Of field values."""
    read = read_lines(io.BufferedReader(Endless(b'{"proc.name":"a"}\n')), "/dev/zero")
    assert next(read).values == {"proc.name": "a"}
    with pytest.raises(UsageError, match=r"^Line 2 of /dev/zero has no end within 1 MiB: name a file"):
        next(read)


@pytest.mark.parametrize("begin", [b'{"kind":"Event"}\n', b'{"kind":\n"Event"}\n'])
def test_a_log_whose_next_line_has_no_end_is_no_log_for_ever(begin: bytes) -> None:
    """Of audit events and lines of containers."""
    counts = IntakeCounts()
    read = documents.documents(io.BufferedReader(Endless(begin)), counts)
    assert next(read).startswith(b'{"kind"')
    with pytest.raises(UsageError, match=r"^Line \d of what is read has no end within 1 MiB"):
        list(read)


def test_a_long_line_of_a_log_is_counted_and_the_next_one_is_read() -> None:
    """As long as it ends."""
    counts = IntakeCounts()
    data = b"{}\n" + b"x" * 10_000 + b'\n{"a":1}\n'
    assert list(documents.documents(io.BytesIO(data), counts)) == [b"{}\n", b'{"a":1}\n']
    assert counts.left_out[TOO_LARGE] == 1
