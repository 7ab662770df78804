"""The stream of the sensor: frames, however they were cut on their way, and what is no stream."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.events import codec
from hullwatch.events.codec import BrokenStreamError, encode
from hullwatch.events.table import BY_NAME, EVENTS, VERSION
from hullwatch.sources.interest import Interest
from hullwatch.sources.kernel import Frame, KernelSource, StreamEndedError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = 0x42525748
RECORDS = [encode("clock", realtime=5), encode("openat", name="/etc/hostname"), encode("drops", counts=bytes(32))]


def frame(*records: bytes, watermark: int = 7, magic: int = MAGIC, version: int = VERSION) -> bytes:
    batch = b"".join(records)
    return struct.pack("<IIIIQ", magic, len(batch), len(records), version, watermark) + batch


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, KernelSource]]:
    """The sensor's end, and the source that reads from it."""
    theirs, ours = socket.socketpair()
    source = KernelSource(ours)
    with theirs:
        yield theirs, source
    source.close()


def test_nothing_is_read_and_nothing_waited_for_when_nothing_has_come(
    ends: tuple[socket.socket, KernelSource],
) -> None:
    assert ends[1].read() == []


def test_frames_come_whole_with_their_number_and_watermark(ends: tuple[socket.socket, KernelSource]) -> None:
    theirs, source = ends
    theirs.sendall(frame(*RECORDS) + frame(RECORDS[0], watermark=9) + frame())
    batch = b"".join(RECORDS)
    assert source.read() == [Frame(batch, 3, 7), Frame(RECORDS[0], 1, 9), Frame(b"", 0, 7)]


STREAM = frame(*RECORDS) + frame(RECORDS[0], watermark=9)


def test_a_stream_that_is_cut_at_any_byte_gives_the_same_frames(ends: tuple[socket.socket, KernelSource]) -> None:
    theirs, source = ends
    for cut in range(1, len(STREAM)):
        theirs.sendall(STREAM[:cut])
        frames = source.read()
        theirs.sendall(STREAM[cut:])
        frames += source.read()
        assert frames == [Frame(b"".join(RECORDS), 3, 7), Frame(RECORDS[0], 1, 9)], cut


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(RECORDS), max_size=5), max_size=6), st.lists(st.integers(1, 50)))
def test_any_frames_in_any_pieces_come_as_they_were(batches: list[list[bytes]], pieces: list[int]) -> None:
    theirs, ours = socket.socketpair()
    stream = b"".join(frame(*batch) for batch in batches)
    found: list[Frame] = []
    with theirs, ours:
        source = KernelSource(ours)
        for size in [*pieces, len(stream)]:
            theirs.sendall(stream[:size])
            stream = stream[size:]
            found += source.read()
    assert [(each.records, each.number) for each in found] == [(b"".join(batch), len(batch)) for batch in batches]


def test_a_frame_that_is_longer_than_one_read_comes_whole(ends: tuple[socket.socket, KernelSource]) -> None:
    theirs, source = ends
    records = [encode("container", json="x" * 60_000)] * 10
    stream = frame(*records)
    found: list[Frame] = []
    while stream or not found:
        theirs.settimeout(0)
        if stream:
            stream = stream[theirs.send(stream[:50_000]) :]
        found += source.read()
    assert found == [Frame(b"".join(records), 10, 7)]


def test_what_is_no_frame_is_refused(ends: tuple[socket.socket, KernelSource]) -> None:
    theirs, source = ends
    theirs.sendall(frame(magic=MAGIC + 1))
    with pytest.raises(BrokenStreamError, match="what the sensor sends is not its stream"):
        source.read()


def test_a_frame_of_an_impossible_length_is_refused_before_it_is_waited_for(
    ends: tuple[socket.socket, KernelSource],
) -> None:
    theirs, source = ends
    theirs.sendall(struct.pack("<IIIIQ", MAGIC, 0xFFFFFFFF, 1, VERSION, 0))
    with pytest.raises(BrokenStreamError):
        source.read()


def test_a_sensor_of_another_version_is_refused_with_what_to_do(ends: tuple[socket.socket, KernelSource]) -> None:
    theirs, source = ends
    theirs.sendall(frame(version=VERSION + 1))
    with pytest.raises(BrokenStreamError, match=f"version {VERSION + 1} of the event table and the engine {VERSION}"):
        source.read()


def test_the_end_of_the_sensor_is_told_after_the_last_frames(ends: tuple[socket.socket, KernelSource]) -> None:
    theirs, source = ends
    theirs.sendall(STREAM + b"half")
    theirs.close()
    assert len(source.read()) == 2
    with pytest.raises(StreamEndedError):
        source.read()


def test_an_order_to_a_sensor_that_has_ended_is_told(ends: tuple[socket.socket, KernelSource]) -> None:
    theirs, source = ends
    theirs.close()
    with pytest.raises(StreamEndedError):
        source.request_snapshot()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, {event.name for event in EVENTS if event.syscall}),
        ([], set[str]()),
        (["openat", "connect"], {"openat", "connect"}),
        # What carries state comes anyhow; of an exec this asks for the failed ones.
        (["openat", "execve", "clone", "container", "no such event"], {"openat", "execve"}),
    ],
)
def test_orders_are_records_that_name_the_wanted_system_calls(
    ends: tuple[socket.socket, KernelSource], names: list[str] | None, expected: set[str]
) -> None:
    theirs, source = ends
    source.set_interest(Interest(names))
    source.request_snapshot()
    orders = theirs.recv(65536)
    (first, interest), (_, snapshot) = codec.walk(orders)
    types = codec.decode(BY_NAME["control_interest"], orders, first)["types"]
    assert isinstance(types, bytes)
    numbers = {number for (number,) in struct.iter_unpack("<H", types)}
    assert numbers == {BY_NAME[name].number for name in expected}
    assert (interest.type, snapshot.type) == (BY_NAME["control_interest"].number, BY_NAME["control_snapshot"].number)


def test_names_of_variables_are_told_each_with_an_end(ends: tuple[socket.socket, KernelSource]) -> None:
    sensor, source = ends
    source.name_variables(("LD_PRELOAD", "HOME"))
    source.name_variables(())
    told = sensor.recv(4096)
    orders = [codec.decode(BY_NAME["control_environment"], told, offset) for offset, _ in codec.walk(told)]
    assert orders == [{"names": b"LD_PRELOAD\0HOME\0"}, {"names": b""}]


def test_the_source_can_be_waited_for(ends: tuple[socket.socket, KernelSource]) -> None:
    assert ends[1].fileno() >= 0


def test_a_sensor_that_does_not_read_is_not_waited_for_and_no_order_is_cut(
    ends: tuple[socket.socket, KernelSource],
) -> None:
    theirs, source = ends
    batch = b"".join(struct.pack("<Q", number) for number in range(1, 4097))
    for _ in range(50):  # far more than the socket holds: what does not fit is left out, as a whole
        source.rule_out(batch)
    theirs.settimeout(5)
    received = bytearray(theirs.recv(1 << 20))
    source.rule_out(b"")  # sends what was left of the order that was cut
    source.forget_ruled_out()
    forget = codec.encode("control_forget")
    while not received.endswith(forget):
        received += theirs.recv(1 << 20)
    kinds = [header.type for _, header in codec.walk(bytes(received))]
    assert 1 < len(kinds) < 50
    assert kinds.count(BY_NAME["control_forget"].number) == 1
    for offset, header in codec.walk(bytes(received)):
        if header.type == BY_NAME["control_ruled_out"].number:
            values = codec.decode(BY_NAME["control_ruled_out"], bytes(received), offset)
            assert values["fingerprints"] in {batch, b""}
