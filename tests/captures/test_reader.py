"""Files that are cut off, damaged or made up: as much as is whole, and a sentence about the rest."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard

from hullwatch.captures import chunk as layout
from hullwatch.captures import writer
from hullwatch.captures.chunk import CHUNK, CHUNK_MAGIC, CRC, HEAD, MAGIC, RECORDS, VERSION, Description, make_head
from hullwatch.captures.reader import OLDEST_TABLE, CaptureReader
from hullwatch.errors import UsageError
from hullwatch.events.table import VERSION as TABLE_VERSION
from tests.captures.capture_files import Recorded
from tests.captures.test_writer import history

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small capture of several chunks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_SIZE", 1)
        recorded = Recorded(tmp_path_factory.mktemp("captures"))
        recorded.feed(history())
        recorded.writer.close()
    return recorded.path().read_bytes()


def read(data: bytes) -> tuple[list[bytes], CaptureReader]:
    """Return the records that a file holds, chunk by chunk, and its reader."""
    reader = CaptureReader(io.BytesIO(data), "x.hwcap")
    return [one.data for one in reader.chunks() if one.head.kind == RECORDS], reader


def test_every_length_of_a_file_gives_the_chunks_that_are_whole_and_says_where_it_ends(capture: bytes) -> None:
    whole, reader = read(capture)
    assert whole == history()
    assert not reader.problem
    ends = [head.end for head in reader.heads()]
    begin = len(make_head(reader.description))
    for length in range(len(capture)):
        if length < begin:
            with pytest.raises(UsageError, match=r"no capture of Hullwatch|ends within its head"):
                read(capture[:length])
            continue
        found, cut = read(capture[:length])
        assert found == history()[: len(found)]
        assert bool(cut.problem) == (length not in {begin, *ends})
        assert not cut.damaged
        if cut.problem:
            assert f"up to byte {max((end for end in ends if end <= length), default=begin)}" in cut.problem


def test_every_byte_that_is_changed_is_noticed_and_nothing_wrong_is_given(capture: bytes) -> None:
    begin = len(make_head(read(capture)[1].description))
    for place in range(len(capture)):
        changed = bytearray(capture)
        changed[place] ^= 0x41
        try:
            found, reader = read(bytes(changed))
        except UsageError:
            assert place < begin  # only of a damaged head nothing is read
            continue
        assert found == history()[: len(found)]
        assert len(found) < len(history()) or reader.problem
        assert reader.problem


def test_a_file_of_a_newer_format_is_refused_with_what_to_do() -> None:
    head = bytearray(make_head(Description("9", TABLE_VERSION)))
    head[8:10] = (VERSION + 1).to_bytes(2, "little")
    with pytest.raises(UsageError, match=rf"format {VERSION + 1}, and this Hullwatch reads up to format {VERSION}"):
        CaptureReader(io.BytesIO(bytes(head)), "x")


@pytest.mark.parametrize("table", [OLDEST_TABLE - 1, TABLE_VERSION + 1])
def test_records_of_another_event_table_are_refused_with_what_to_do(table: int) -> None:
    with pytest.raises(UsageError, match=rf"version {table} of the event table.*with the version that wrote it"):
        CaptureReader(io.BytesIO(make_head(Description("9", table))), "x")


@pytest.mark.parametrize("table", range(OLDEST_TABLE, TABLE_VERSION + 1))
def test_records_of_an_event_table_with_fewer_types_are_read(table: int, capture: bytes) -> None:
    head = make_head(read(capture)[1].description)
    older = make_head(Description("0", table)) + capture[len(head) :]
    assert read(older)[0] == history()


@pytest.mark.parametrize("data", [b"", b"HWCAP", b"PK\3\4" + bytes(100), MAGIC[:4] + bytes(50)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match="no capture of Hullwatch"):
        CaptureReader(io.BytesIO(data), "x")


def _chunk(stored: bytes, size: int, claimed: int | None = None) -> bytes:
    """Return a chunk whose checksums are right, whatever it claims."""
    about = b"\x80"
    length = len(stored) if claimed is None else claimed
    head = CHUNK.pack(CHUNK_MAGIC, RECORDS, 0, length, size, len(about), 0, 0, 0, zlib.crc32(stored)) + about
    return head + CRC.pack(zlib.crc32(head)) + stored


@pytest.mark.parametrize(
    ("chunk", "why"),
    [
        (_chunk(b"", 0, claimed=0xFFFFFFFF), "a size that no chunk has"),
        (_chunk(b"", 0xFFFFFFFF), "a size that no chunk has"),
        (_chunk(zstandard.compress(bytes(1 << 30)), 1000), "says two sizes"),
        (_chunk(zstandard.compress(bytes(1 << 30)), layout.MOST_STORED), "says two sizes"),
        (_chunk(b"no zstd", 100), "cannot be decompressed"),
        (_chunk(zstandard.ZstdCompressor(write_content_size=False).compress(b"x"), 1), "says two sizes"),
        (_chunk(zstandard.compress(b"\1\0\0\0" + bytes(60)), 64), "its records contradict themselves"),
    ],
    ids=["4 GiB stored", "4 GiB unpacked", "bomb", "bomb at the limit", "not compressed", "no size", "no records"],
)
def test_chunks_that_lie_are_refused_in_bounded_memory(chunk: bytes, why: str) -> None:
    found, reader = read(make_head(Description("0", TABLE_VERSION)) + chunk)
    assert found == []
    assert why in reader.problem
    assert reader.damaged


def test_a_head_that_claims_a_long_description_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than any is"):
        CaptureReader(io.BytesIO(HEAD.pack(MAGIC, VERSION, 0, 1 << 31) + bytes(100)), "x")


def test_a_file_that_cannot_be_sought_in_is_told(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as stream, pytest.raises(UsageError, match="cannot be read"):
        CaptureReader(stream, "x")
