"""A capture of this host at work, made many times as long: the same work again and again, later each time."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.benchmark import CannotMeasureError
from bench.programs import write_project
from bench.watched import watched
from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.reader import CaptureReader
from hullwatch.events.table import BY_NUMBER, HEADER, LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SOURCES = 6  # C files that are compiled in a round
PAGES = 300  # that a web server is asked for
FILES = 40  # that it has
SCRIPT = """
for file in /etc/*.conf; do cat "$file"; done | sort | uniq -c | sort -rn | head -20
ls -l /etc | grep conf | awk '{print $9}' | wc -l
date; id; uname -a
find /usr/lib -name '*.so' | wc -l
"""
_PATIENCE = 30.0  # seconds
_BATCH = 1000  # records
_PROGRAM = LAYOUTS["program"]
_CHILD = LAYOUTS["new_process"]
_START = 16  # in a header
_TIME = 8


def record_work(path: Path, seconds: float) -> None:
    """Record this host while it does what hosts do: answer requests, run scripts, compile, start programs.

    Args:
        path: of the capture.
        seconds: how long; at least one round.

    Raises:
        CannotMeasureError: when it cannot be recorded.
    """
    with tempfile.TemporaryDirectory(prefix="hullwatch-bench-") as name, _web_server(Path(name)) as port:
        folder = Path(name)
        write_project(folder, SOURCES)
        with watched(HULLWATCH_RECORD_FILE=str(path)) as running:
            end = time.monotonic() + seconds
            while True:
                _one_round(folder, port)
                if time.monotonic() > end:
                    break
            running.stop()


def _one_round(folder: Path, port: int) -> None:
    for page in range(PAGES):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        connection.request("GET", f"/{page % FILES}.html")
        connection.getresponse().read()
        connection.close()
    _run(["sh", "-c", SCRIPT])
    _run([sys.executable, "-c", "import argparse, email.message, json, logging, ssl"])
    if shutil.which("make") and shutil.which("cc"):
        _run(["make", "--silent", "--always-make", "-j2", "-C", str(folder)])


def _run(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_PATIENCE, check=False)


@contextlib.contextmanager
def _web_server(folder: Path) -> Generator[int]:
    """Serve some files; give the port."""
    for number in range(FILES):
        (folder / f"{number}.html").write_text(f"<h1>{number}</h1>" * 50, encoding="ascii")
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()  # Serving HTTP on 127.0.0.1 port 40123 (...
            if "port" not in words:
                raise CannotMeasureError("Python's web server does not start.")
            yield int(words[words.index("port") + 1])
        finally:
            process.terminate()


class Work:
    """The records of a capture, and copies of them that happen later.

    In a copy all times are later, and the processes that began while it was recorded are others; those that ran
    before, the servers, are the same ones. What is only said at the beginning comes once.

    Attributes:
        events: of one copy.
    """

    def __init__(self, path: Path) -> None:
        """Read a capture."""
        with path.open("rb") as file:
            chunks = CaptureReader(file, path.name).chunks()
            whole = b"".join(chunk.data for chunk in chunks if chunk.head.kind == RECORDS)
        self._records = [whole[begin:end] for begin, end in _bounds(whole)]
        times = [int.from_bytes(record[_TIME : _TIME + 8], "little") for record in self._records]
        self._begin, self._length = times[0], max(times) - times[0] + 1
        last = max(place for place, one in enumerate(self._records) if _name(one) in {"snapshot_end", "process"})
        self._first, self._work = self._records[: last + 1], self._records[last + 1 :]
        self.events = sum(BY_NUMBER[_number(record)].is_event for record in self._work)

    def copies(self, events: int) -> Iterator[bytes]:
        """Yield batches, until there were so many events at least."""
        yield b"".join(self._first)
        whole = bytearray(b"".join(self._work))
        words, aligned, others = memoryview(whole).cast("Q"), list[int](), list[int]()
        for begin, end in _bounds(whole):
            for place in self._times(whole, begin, end):
                (others if place % 8 else aligned).append(place)
        ends = [end for _, end in _bounds(whole)]
        batches = [*ends[_BATCH - 1 :: _BATCH], len(whole)]
        for _ in range(-(-events // self.events)):
            first = 0
            for last in batches:
                yield bytes(whole[first:last])
                first = last
            for place in aligned:
                words[place // 8] += self._length
            for place in others:
                struct.pack_into("<Q", whole, place, struct.unpack_from("<Q", whole, place)[0] + self._length)

    def _times(self, records: bytearray, begin: int, end: int) -> Iterator[int]:
        """Yield the places of the times that are later in a copy."""
        yield begin + _TIME
        layout = BY_NUMBER[_number(records, begin)].layout
        starts = [begin + _START]
        if layout is _CHILD:
            starts.append(begin + HEADER.size + 8 * _CHILD.scalars.index("child_start"))
        elif layout is _PROGRAM:
            starts.append(begin + HEADER.size + 8 * _PROGRAM.scalars.index("parent_start"))
            lengths = _PROGRAM.fixed.unpack_from(records, begin + HEADER.size)[len(_PROGRAM.scalars) :]
            ancestors = begin + HEADER.size + _PROGRAM.fixed.size + sum(lengths[:-1])
            starts += range(ancestors, ancestors + lengths[-1], 16)
        for place in starts:
            if place + 8 <= end and struct.unpack_from("<Q", records, place)[0] >= self._begin:
                yield place


def _bounds(records: bytes | bytearray) -> Iterator[tuple[int, int]]:
    offset = 0
    while offset < len(records):
        end = offset + int.from_bytes(records[offset : offset + 4], "little")
        yield offset, end
        offset = end


def _number(record: bytes | bytearray, offset: int = 0) -> int:
    return int.from_bytes(record[offset + 4 : offset + 6], "little")


def _name(record: bytes) -> str:
    return BY_NUMBER[_number(record)].name
