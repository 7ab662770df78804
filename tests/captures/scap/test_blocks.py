"""A .scap file that is cut off, damaged or made to hurt is read as far as it is whole, or refused, in little memory."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from hullwatch.captures.scap.blocks import BlockReader, is_scap
from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.errors import UsageError
from tests.captures.scap.scap_files import (
    block,
    closed,
    event,
    i64,
    machine,
    opened,
    section,
    small_capture,
    thread,
    threads,
    unpacked,
)
from tests.captures.scap.test_skipping import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_BYTE = os.environ.get("SCAP_EVERY_BYTE") == "1"  # and each of its bits, instead of some


def read(data: bytes) -> tuple[list[dict[str, object]], ScapCapture]:
    """Return the fields of the events of a capture, and what read it."""
    capture = ScapCapture(io.BytesIO(data), "x.scap")
    return [dict(fields_of(one)) for one in capture.written()], capture


def refusal(data: bytes) -> str:
    """Return the sentence that refuses a capture."""
    with pytest.raises(UsageError) as raised:
        read(data)
    return str(raised.value)


def test_the_small_capture_is_read_whole() -> None:
    events, capture = read(small_capture())
    assert [one["evt.type"] for one in events] == ["openat", "read", "close", "procexit"]
    assert [one["fd.name"] for one in events] == ["/tmp/notes", "/tmp/notes", "/tmp/notes", None]
    assert {one["proc.name"] for one in events} == {"cat"}
    assert (capture.reader.problem, capture.state.machine.hostname) == ("", "made")


def test_every_length_of_truncation_is_read_up_to_the_last_whole_block() -> None:
    data = small_capture()
    whole, _ = read(data)
    for length in range(1, len(section())):
        refusal(data[:length])
    for length in range(len(section()), len(data)):
        events, capture = read(data[:length])
        assert events == whole[: len(events)]
        assert not capture.reader.damaged
        position = capture.reader.position
        assert bool(capture.reader.problem) == (position < length)
        assert not capture.reader.problem or f"up to byte {position}: it ends within a block" in capture.reader.problem


def changed_bytes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield a capture with one byte of it changed, for each byte."""
    for place in range(len(data)):
        for bit in range(8) if EVERY_BYTE else (place % 8,):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            yield place, bytes(changed)


def test_a_changed_byte_gives_a_sentence_or_events_and_never_a_crash() -> None:
    data = small_capture()
    whole, _ = read(data)
    ends = {"refused": 0, "damaged": 0, "whole": 0}
    for place, changed in changed_bytes(data):
        try:
            events, capture = read(changed)
        except UsageError:
            ends["refused"] += 1
            continue
        reader = capture.reader
        ends["damaged" if reader.problem else "whole"] += 1
        assert len(events) <= len(whole)
        passed = capture.unknown + capture.unknown_blocks
        assert reader.problem or passed or len(events) == len(whole), place
        assert not reader.problem or f"up to byte {reader.position}" in reader.problem
    assert ends["refused"] > 5
    assert ends["damaged"] > 100


def test_each_changed_length_is_found_with_its_place() -> None:
    data = small_capture()
    starts = [one.position for one in BlockReader(io.BytesIO(data), "x").blocks()]
    for start in starts[2:]:
        for place in (*range(start + 4, start + 8), start - 4):
            changed = bytearray(data)
            changed[place] ^= 0x14
            _, capture = read(bytes(changed))
            assert capture.reader.problem, place
            assert f"byte {start}" in capture.reader.problem or place == start - 4


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", ""),
        (b"\n\r\r\n", "it ends within a block"),
        (b"no capture at all", "it does not begin as one"),
        (block(0x0A0D0D0A, struct.pack("<IHHQ", 0x4D3C2B1A, 1, 2, 0)), "a machine of the other byte order"),
        (block(0x0A0D0D0A, struct.pack("<IHHQ", 0x1A2B3C4D, 2, 0, 0)), "it has version 2 of the format"),
        (block(0x0A0D0D0A, bytes(16)), "a wrong magic number"),
        (block(0x0A0D0D0A, b""), "a section's header is too short"),
    ],
)
def test_what_is_no_capture_is_refused(data: bytes, sentence: str) -> None:
    if not data:
        assert read(data)[0] == []
    else:
        assert sentence in refusal(data)


@pytest.mark.parametrize("kind", [0x216, 0x221, 0x215, 0x999])
def test_a_block_that_claims_4_gb_is_refused_before_anything_is_kept_of_it(kind: int) -> None:
    data = section() + opened("/etc/passwd") + struct.pack("<II", kind, 0xFFFF_FFFC) + bytes(1 << 20)
    tracemalloc.start()
    events, capture = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(events) == 1
    assert f"up to byte {len(section() + opened('/etc/passwd'))}: a block claims 4294967292 bytes" in (
        capture.reader.problem
    )
    assert peak < 20 << 20


def bomb(size: int) -> bytes:
    """Return a capture's beginning and then zeros, compressed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [packer.compress(section() + machine())]
    zeros = bytes(1 << 20)
    pieces += [packer.compress(zeros) for _ in range(size >> 20)]
    return b"".join([*pieces, packer.flush()])


def test_a_bomb_of_zeros_is_refused_at_its_first_byte() -> None:
    data = bomb(64 << 20)
    tracemalloc.start()
    events, capture = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert events == []
    assert f"up to byte {len(section() + machine())} (unpacked): a block claims 0 bytes" in capture.reader.problem
    assert peak < 8 << 20


def test_a_bomb_within_a_block_is_read_no_further_than_the_block_may_be_long() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = packer.compress(section() + struct.pack("<II", 0x221, 16 << 20))
    data += b"".join(packer.compress(bytes(1 << 20)) for _ in range(40)) + packer.flush()
    tracemalloc.start()
    _, capture = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "the two lengths of a block differ" in capture.reader.problem
    assert peak < 64 << 20


def test_a_compressed_capture_that_is_cut_off_is_read_up_to_what_can_be_unpacked() -> None:
    data = gzip.compress(unpacked("curl_google.scap"), mtime=0)
    events, capture = read(data[: len(data) // 2])
    assert 100 < len(events) < 1536
    assert (capture.reader.damaged, "it ends within a block" in capture.reader.problem) == (False, True)


def test_compressed_data_that_is_damaged_is_told_as_such() -> None:
    data = bytearray(gzip.compress(unpacked("curl_google.scap"), mtime=0))
    data[len(data) // 2] ^= 0xFF
    data[-20] ^= 0xFF
    _, capture = read(bytes(data))
    assert capture.reader.damaged
    assert "(unpacked)" in capture.reader.problem


def test_a_file_is_known_by_its_content() -> None:
    assert is_scap(section())
    assert is_scap(gzip.compress(section()))
    assert not is_scap(gzip.compress(b'{"evt.type": "open"}'))
    assert not is_scap(b"HWCAP")
    assert not is_scap(b"")


def test_unknown_blocks_and_events_are_passed_by() -> None:
    data = (
        section() + block(0x9999, b"new") + event(9999, b"x") + opened("/etc/passwd") + block(0x9999, b"new") + closed()
    )
    events, capture = read(data)
    assert [one["evt.type"] for one in events] == ["openat", "close"]
    assert [one["evt.num"] for one in events] == [2, 3]
    assert capture.unknown == 1


def test_values_that_cannot_be_of_their_type_are_damage() -> None:
    for wrong in (event(5, b"\0", i64(3)), event(307, i64(3), i64(-100), b"/etc/passwd")):
        events, capture = read(section() + opened("/etc/passwd") + wrong)
        assert len(events) == 1
        assert capture.reader.damaged


def test_a_merged_capture_begins_anew_at_its_second_section() -> None:
    data = section() + machine("one") + threads(thread(10, 10, 1, "cat")) + opened("/a")
    events, capture = read(data + section() + machine("two") + threads(thread(11, 11, 1, "dd")) + opened("/b", tid=11))
    assert [(one["proc.name"], one["fd.name"]) for one in events] == [("cat", "/a"), ("dd", "/b")]
    assert capture.state.machine.hostname == "two"
