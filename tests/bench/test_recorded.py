"""Copies of recorded work: the same work later, by processes of their own, below the same servers."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from bench.recorded import Work
from hullwatch.captures.chunk import Description
from hullwatch.captures.writer import Around, CaptureWriter
from hullwatch.counters import Counters
from hullwatch.enrich.assembler import Assembler
from hullwatch.events.codec import decode, encode
from hullwatch.events.table import BY_NAME, BY_NUMBER, HEADER, VERSION

if TYPE_CHECKING:
    from pathlib import Path

SERVER = {"pid": 7, "tid": 7, "process_start": 50, "cgroup_id": 1}
CHILD = {"pid": 9, "tid": 9, "process_start": 1020, "cgroup_id": 1}
ANCESTORS = struct.pack("<4Q", 50, 7, 1, 1)
RECORDED = (
    encode("clock", {"time": 1000}, realtime=5000),
    encode("process", {"time": 1001, **SERVER}, comm="server", argv=b"server\0", cgroup_v2="/"),
    encode("snapshot_end", {"time": 1002}, started=900, processes=1),
    encode("clone", {"time": 1021, **SERVER}, res=9, child_start=1020, vpid=9),
    encode(
        "execve", {"time": 1022, **CHILD}, comm="date", argv=b"date\0", ptid=7, parent_start=50, cgroup_v2="/",
        ancestors=ANCESTORS,
    ),
    encode("openat", {"time": 1023, **CHILD}, fd=3, name="/etc/localtime"),
    encode("procexit", {"time": 1099, **CHILD}),
)  # fmt: skip
LENGTH = 100  # of the recorded time


def _host(_group: bytes) -> str:
    """No group belongs to a container."""
    return ""


def _work(folder: Path) -> Work:
    path = folder / "short.hwcap"
    writer = CaptureWriter(
        lambda _: os.open(path, os.O_WRONLY | os.O_CREAT), Description("test", VERSION),
        Around(lambda: b"", lambda: 0, _host),
    )  # fmt: skip
    writer.take(b"".join(RECORDED))
    writer.close()
    return Work(path)


def _told(batches: list[bytes]) -> list[tuple[str, int, int, int]]:
    """Return of each record its name, time, process and the process's start."""
    found: list[tuple[str, int, int, int]] = []
    for batch in batches:
        offset = 0
        while offset < len(batch):
            header = HEADER.unpack_from(batch, offset)
            found.append((BY_NUMBER[header[1]].name, header[3], header[8], header[4]))
            offset += header[0]
    return found


def test_each_copy_is_later_and_has_processes_of_its_own_below_the_same_server(tmp_path: Path) -> None:
    work = _work(tmp_path)
    assert work.events == 4
    told = _told(list(work.copies(12)))
    assert [name for name, *_ in told[:3]] == ["clock", "process", "snapshot_end"]
    for copy in range(3):
        later = copy * LENGTH
        assert told[3 + 4 * copy : 7 + 4 * copy] == [
            ("clone", 1021 + later, 7, 50),
            ("execve", 1022 + later, 9, 1020 + later),
            ("openat", 1023 + later, 9, 1020 + later),
            ("procexit", 1099 + later, 9, 1020 + later),
        ]
    assert len(told) == 15


def test_a_program_in_a_copy_names_the_parents_that_it_has_there(tmp_path: Path) -> None:
    *_, last = _work(tmp_path).copies(8)
    second = next(offset for offset in range(0, len(last), 8) if HEADER.unpack_from(last, offset)[1] == 293)
    values = decode(BY_NAME["execve"], last, second)
    assert (values["parent_start"], values["ancestors"]) == (50, ANCESTORS)
    assert HEADER.unpack_from(last, second)[4] == 1020 + LENGTH


def test_an_engine_finds_nothing_missing_in_the_copies(tmp_path: Path) -> None:
    counters = Counters()
    assembler = Assembler(counters, lambda _: None, 0)
    events = [event for batch in _work(tmp_path).copies(400) for event in assembler.feed(batch)]
    assert len(events) == 400
    assert {event.process.program.comm for event in events if event.process is not None} == {"server", "date"}
    assert (counters.unannounced, counters.unreadable_records, assembler.gaps) == (0, 0, 0)
