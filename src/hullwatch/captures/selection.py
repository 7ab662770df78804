"""Cutting out of a capture what happened in some containers, or what a condition holds for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from hullwatch import __version__
from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.cut import ANSWERS, Cut
from hullwatch.captures.filtering import ConditionFilter, ContainerFilter
from hullwatch.captures.records import clock_offset, records
from hullwatch.captures.relatives import ANSWER_KINDS, Relatives, container_told_of
from hullwatch.captures.writer import Around, CaptureWriter
from hullwatch.counters import Counters
from hullwatch.detect.plan import HEARD
from hullwatch.enrich import saved_state
from hullwatch.enrich.assembler import Assembler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.captures.cut import Wanted
    from hullwatch.captures.filtering import Filter
    from hullwatch.captures.reader import CaptureReader, Chunk
    from hullwatch.captures.records import Record


class Selection:
    """One cut; see ``cut``."""

    def __init__(self, reader: CaptureReader, descriptor: int, wanted: Wanted, progress: Callable[[int], None]) -> None:
        """Look for what is needed of the relatives; nothing is written yet."""
        self._reader = reader
        self._descriptor = descriptor
        self._wanted = wanted
        self._progress = progress
        self._position = reader.position_before(wanted.begin)
        self._containers: set[str] = set()  # that are named until the end
        self._now = wanted.begin
        self._passes = 1 if wanted.containers is None else 2
        self._pass = 0
        self._filter = self._make_filter()
        self._writer: CaptureWriter | None = None

    def _make_filter(self) -> Filter:
        relatives = None if self._wanted.containers is None else self._find(Relatives(self._wanted.containers))
        if self._wanted.rules is not None:
            return ConditionFilter(self._wanted.rules, relatives=relatives, heard=HEARD)
        assert relatives is not None
        return ContainerFilter(relatives)

    def run(self) -> Cut:
        """Write the part."""
        known = False
        for chunk in self._chunks():
            if chunk.head.kind == RECORDS:
                self._take(chunk)
            elif not known or chunk.head.anew:
                self._restore(chunk)
            known = True
        writer = self._writer or self._begin()
        writer.add(self._filter.finish())
        writer.close()
        return Cut(self._filter.events, self._filter.left_out)

    def _chunks(self) -> Iterator[Chunk]:
        """Yield the chunks until the end, and those behind it that have answers."""
        for head in self._reader.heads(self._position):
            self._progress((self._pass * self._reader.size + head.begin) // self._passes)
            behind = head.first - self._wanted.until if head.kind == RECORDS else 0
            if behind > ANSWERS:
                break
            if behind > 0 and not ANSWER_KINDS & head.summary.types.keys():
                continue
            chunk = self._reader.read(head)
            if chunk is None:
                break
            yield chunk
        self._pass += 1

    def _find(self, relatives: Relatives) -> Relatives:
        """Find the relatives, from the last state before the beginning until the end."""
        assembler, known = Assembler(Counters(), lambda _: None, 0, frozenset()), False
        for chunk in self._chunks():
            if chunk.head.kind == RECORDS:
                relatives.learn(assembler, chunk.data)
            elif not known or chunk.head.anew:
                assembler.restore(saved_state.decode(chunk.data))
                relatives.known(assembler.tree.processes)
            known = True
        return relatives

    def _restore(self, chunk: Chunk) -> None:
        """Begin with a state; within the part, too, if nothing of before is true any more."""
        if self._writer is not None:
            self._writer.add(self._filter.finish())
            self._writer.flush()
        self._filter.assembler.restore(saved_state.decode(chunk.data))
        self._now = max(self._now, chunk.head.first)
        if self._writer is not None:
            self._writer.begin_anew()

    def _take(self, chunk: Chunk) -> None:
        """Keep what of a chunk of records is wanted."""
        head, until = chunk.head, self._wanted.until
        data = chunk.data
        if head.first <= until:
            self._containers.update(head.summary.containers)
        if self._writer is None or head.last > until:
            data = self._within(chunk)
            if not data:
                return
        if self._writer is None:
            self._now = self._wanted.begin or head.first
        writer = self._writer or self._begin()
        writer.make_room(0, settled=self._filter.settled)
        writer.add(self._filter.take(data))
        self._now = max(self._now, min(head.last, until))

    def _within(self, chunk: Chunk) -> bytes:
        """Learn from what is before the beginning; return what is within the time, and answers from behind it."""
        data, wanted = chunk.data, self._wanted
        found = list(records(data, self._filter.assembler.clock_offset or clock_offset(chunk)))
        if self._writer is None:
            place = next((place for place, record in enumerate(found) if record.time >= wanted.begin), len(found))
            if place:
                self._filter.pass_over(data[: found[place - 1].end])
            found = found[place:]
        kept = [record for record in found if record.time <= wanted.until or self._is_answer(data, record)]
        return b"".join(data[record.begin : record.end] for record in kept)

    def _is_answer(self, data: bytes, record: Record) -> bool:
        return record.number in ANSWER_KINDS and container_told_of(data, record.begin) in self._containers

    def _begin(self) -> CaptureWriter:
        """Write the head and the state that is known by now."""
        assembler, keeper = self._filter.assembler, self._filter

        def container(group: bytes) -> str:
            return assembler.container_of(int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little"))

        around = Around(lambda: keeper.saved().encode(), lambda: assembler.clock_offset, container, lambda: self._now)
        about = msgspec.structs.replace(
            self._reader.description, hullwatch=__version__, number=0, left_out=self._wanted.left_out
        )
        self._writer = CaptureWriter(lambda _: os.dup(self._descriptor), about, around, clock=lambda: 0.0)
        self._writer.latest = self._wanted.until  # answers do not make the part longer
        return self._writer
