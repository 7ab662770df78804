"""The sensor's end of the socket: frames out, orders in, whatever the pieces."""

from __future__ import annotations

import socket
import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hullwatch.events import codec
from hullwatch.events.codec import encode
from hullwatch.events.table import BY_NAME
from hullwatch.sources.kernel import Frame, KernelSource

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Driver = Callable[[str, bytes], subprocess.CompletedProcess[bytes]]

ORDERS = [
    encode("control_interest", types=b"\x33\x01" * 3),
    encode("control_snapshot"),
    encode("control_interest", types=b"x" * 60_000),
]
examples = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def pieces_of(stream: bytes, cuts: list[int]) -> bytes:
    """Return the stream in pieces, as the driver takes them."""
    places = sorted({0, *(cut % (len(stream) + 1) for cut in cuts), len(stream)})
    parts = [stream[begin:end] for begin, end in pairwise(places)]
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


@examples
@given(chosen=st.lists(st.sampled_from(ORDERS), max_size=3), cuts=st.lists(st.integers(0, 10**6), max_size=8))
def test_orders_in_any_pieces_are_obeyed_as_they_were_sent(
    driver: Driver, chosen: list[bytes], cuts: list[int]
) -> None:
    done = driver("orders", pieces_of(b"".join(chosen), [*cuts, *range(0, 200_000, 50_000)]))
    expected = [f"{int.from_bytes(each[4:6], 'little')} {len(each)} {sum(each)}" for each in chosen]
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [*expected, "ended"]


@examples
@given(garbage=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 3000), max_size=4))
def test_any_bytes_are_orders_or_end_the_sensor_with_a_sentence(
    driver: Driver, garbage: bytes, cuts: list[int]
) -> None:
    done = driver("orders", pieces_of(garbage, cuts))
    if done.returncode == 0:
        assert done.stderr == b""
    else:
        assert done.returncode == 3
        assert done.stderr.startswith(b"an order of ")


@pytest.mark.parametrize("length", [0, 63, 65, 65_544, 0xFFFFFFF8])
def test_an_impossible_length_ends_the_sensor(driver: Driver, length: int) -> None:
    done = driver("orders", pieces_of(struct.pack("<I", length) + bytes(60), []))
    assert done.returncode == 3
    assert done.stderr == f"an order of {length} bytes came from the engine: the stream is broken".encode()


def test_frames_hold_what_was_appended_and_are_sent_when_they_are_long(driver: Driver) -> None:
    kind = BY_NAME["clock"].number
    lines = [f"append {kind} {64 + n % 500 * 8}" for n in range(1000)] + ["flush 77"]
    done = driver("stream", "\n".join(lines).encode())
    assert (done.returncode, done.stderr) == (0, b"")
    frames = read_frames(done.stdout)
    assert sum(frame.number for frame in frames) == 1000
    assert [len(codec.walk(frame.records)) for frame in frames] == [frame.number for frame in frames]
    assert len(frames) > 1  # what is long is sent before it is flushed
    assert [frame.watermark for frame in frames] == [kind] * (len(frames) - 1) + [77]
    assert all(len(frame.records) < 1 << 20 for frame in frames)


def test_a_flush_of_nothing_sends_nothing(driver: Driver) -> None:
    done = driver("stream", b"flush 5\nflush 6")
    assert (done.returncode, done.stdout) == (0, b"")


def read_frames(stream: bytes) -> list[Frame]:
    """Read a stream as the engine does."""
    theirs, ours = socket.socketpair()
    source, frames = KernelSource(ours), list[Frame]()
    with theirs:
        for place in range(0, len(stream), 100_000):
            theirs.sendall(stream[place : place + 100_000])
            frames += source.read()
    source.close()
    return frames
