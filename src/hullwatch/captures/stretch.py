"""Cutting a time out of a capture: chunks are copied, only those at both ends are made anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from hullwatch import __version__
from hullwatch.captures.chunk import RECORDS, STATE, Summary, make_chunk, make_head
from hullwatch.captures.cut import ANSWERS, Cut
from hullwatch.captures.records import clock_offset, records
from hullwatch.captures.relatives import ANSWER_KINDS, container_told_of
from hullwatch.counters import Counters
from hullwatch.enrich import saved_state
from hullwatch.enrich.assembler import Assembler
from hullwatch.events.table import BY_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hullwatch.captures.chunk import ChunkHead, Description
    from hullwatch.captures.cut import Wanted
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.captures.records import Record

HELD = 50_000  # events that may wait for a container's metadata


class Stretch:
    """One cut; see ``cut``.

    Attributes:
        about: what the file says of itself; None where it has said so before.
        anew: whether the state that it begins with makes void what was known before it.
    """

    def __init__(self, reader: CaptureReader, descriptor: int, wanted: Wanted, progress: Callable[[int], None]) -> None:
        """Know nothing, and have written nothing yet."""
        self.about: Description | None = reader.description
        self.anew = False
        self._reader = reader
        self._descriptor = descriptor
        self._wanted = wanted
        self._progress = progress
        self._assembler = Assembler(Counters(), lambda _: None, HELD)
        self._events = 0
        self._containers: set[str] = set()  # that are named until the end
        self._known = self._began = self._over = False

    def run(self) -> Cut:
        """Write the part."""
        for head in self._reader.heads(self._reader.position_before(self._wanted.begin)):
            self._progress(head.begin)
            if head.kind == RECORDS and head.first > self._wanted.until + ANSWERS:
                break
            if head.kind == RECORDS:
                self._records(head)
            else:
                self._state(head)
            self._known = True
            if self._reader.problem:
                break
        if not self._began:
            self._begin(self._wanted.begin)
        return Cut(self._events)

    def _state(self, head: ChunkHead) -> None:
        if self._began:
            if not self._over:
                self._copy(head)
        elif not self._known or head.anew:
            chunk = self._reader.read(head)
            if chunk is not None:
                self._assembler.restore(saved_state.decode(chunk.data))

    def _records(self, head: ChunkHead) -> None:
        self._over |= head.first > self._wanted.until
        if not self._began and head.first >= self._wanted.begin:
            self._begin(self._wanted.begin or head.first)
        if self._over:
            self._take_answers(head)
        elif self._began and head.last <= self._wanted.until:
            self._copy(head)
        else:
            self._take_part(head)

    def _begin(self, time: int) -> None:
        """Write the head, and the state that is known by now."""
        self._began = True
        if self.about is not None:
            about = msgspec.structs.replace(self.about, hullwatch=__version__, begun=time, number=0)
            self._write(make_head(about))
        state = self._assembler.saved().encode()
        self._write(make_chunk(STATE, state, time, time, Summary(), anew=self.anew))

    def _copy(self, head: ChunkHead) -> None:
        data = self._reader.stored(head)
        if data is not None:
            self._write(data)
            self._count(head.summary.types)
            self._containers.update(head.summary.containers)

    def _take_part(self, head: ChunkHead) -> None:
        """Learn from what is before the beginning, and write what of a chunk is within the time."""
        chunk = self._reader.read(head)
        if chunk is None:
            return
        wanted, at = self._wanted, self._assembler.clock_offset
        found = list(records(chunk.data, clock_offset(chunk) if self._began or not at else at))
        if not self._began:
            place = next((place for place, record in enumerate(found) if record.time >= wanted.begin), len(found))
            for _ in self._assembler.feed(chunk.data[: found[place].begin] if place < len(found) else chunk.data):
                pass
            found = found[place:]
            if not found:
                return
            self._begin(wanted.begin)
        self._containers.update(head.summary.containers)
        kept = [one for one in found if one.time <= wanted.until or self._is_answer(chunk.data, one)]
        self._make(chunk.data, kept, head)

    def _take_answers(self, head: ChunkHead) -> None:
        """Write what is said of containers that are named before the end: their events may wait for it."""
        if not ANSWER_KINDS & head.summary.types.keys():
            return
        chunk = self._reader.read(head)
        if chunk is not None:
            found = records(chunk.data, clock_offset(chunk))
            self._make(chunk.data, [record for record in found if self._is_answer(chunk.data, record)], head)

    def _is_answer(self, data: bytes, record: Record) -> bool:
        return record.number in ANSWER_KINDS and container_told_of(data, record.begin) in self._containers

    def _make(self, data: bytes, kept: list[Record], head: ChunkHead) -> None:
        """Write a chunk of some records of another."""
        if not kept:
            return
        types: dict[int, int] = {}
        for record in kept:
            types[record.number] = types.get(record.number, 0) + 1
        taken = b"".join(data[record.begin : record.end] for record in kept)
        summary = msgspec.structs.replace(head.summary, types=types)
        until = self._wanted.until  # answers do not make the part longer: the next part begins there
        self._write(make_chunk(RECORDS, taken, min(kept[0].time, until), min(kept[-1].time, until), summary))
        self._count(types)

    def _count(self, types: Mapping[int, int]) -> None:
        kinds = ((BY_NUMBER.get(number), count) for number, count in types.items())
        self._events += sum(count for kind, count in kinds if kind is not None and kind.is_event)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
