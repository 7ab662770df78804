"""A run's recording: what the pipeline is fed goes into a capture too, all of it or what a condition holds for."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

from hullwatch import __version__
from hullwatch.captures.chunk import Description
from hullwatch.captures.filtering import ConditionFilter
from hullwatch.captures.writer import Around, CaptureWriter
from hullwatch.detect.interest import events_to_send
from hullwatch.events.codec import BrokenStreamError
from hullwatch.events.table import EVENTS, VERSION
from hullwatch.rules.condition import condition_rules
from hullwatch.rules.loader import RuleSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.masking import RecordMask
    from hullwatch.config.settings import Settings
    from hullwatch.enrich.assembler import Assembler

EVERYTHING = frozenset(event.name for event in EVENTS if event.is_event and event.origin == "sensor")
"""The events that a recording has: no rules are known yet for which it will be read."""

_CHANGING = frozenset(event.name for event in EVENTS if event.changes)


class Recording:
    """Takes the batches of a run.

    Attributes:
        wanted: names of the events that the sensor has to send for it.
        rules: the one rule whose condition is asked; none for a recording of everything.
    """

    def __init__(self, writer: CaptureWriter, keeper: ConditionFilter | None, rules: RuleSet) -> None:
        """Take the writer, and what leaves out."""
        self._writer = writer
        self._keeper = keeper
        self.rules = rules
        self.wanted = EVERYTHING if keeper is None else events_to_send(rules, keeper.plan) | _CHANGING

    def take(self, batch: bytes) -> None:
        """Take records before they are judged.

        Raises:
            WriteError: when the disk does not take them.
            CannotError: when the next file cannot be made.
        """
        if self._keeper is None:
            self._writer.take(batch)
            return
        self._writer.make_room(0, settled=self._keeper.settled)
        with contextlib.suppress(BrokenStreamError):  # whoever judges the batch finds the same and tells
            self._writer.add(self._keeper.take(batch))

    def tick(self) -> None:
        """Write what has waited long enough.

        Raises:
            WriteError: when the disk does not take it.
        """
        self._writer.tick()

    def close(self) -> None:
        """Write what was taken, and close the file.

        Raises:
            WriteError: when the disk does not take it.
        """
        if self._keeper is not None:
            self._writer.add(self._keeper.finish())
        self._writer.close()

    @property
    def words(self) -> str:
        """What a filter has left out, as a sentence; empty without one."""
        if self._keeper is None:
            return ""
        return f"{self._keeper.events:,} events were recorded, {self._keeper.left_out:,} were left out by the filter."


def begin_recording(
    settings: Settings,
    open_file: Callable[[int], int],
    assembler: Assembler,
    request_container: Callable[[str], None],
    mask: RecordMask | None = None,
) -> Recording | None:
    """Return what takes the batches of a run; None when none was asked for.

    Args:
        settings: of the run.
        open_file: returns a descriptor to write the file with this number to.
        assembler: of the run.
        request_container: called with the 64-digit id of a container that a filter has to know.
        mask: hides secrets before they are written; None to write what comes.

    Raises:
        CannotError: when the file cannot be made.
        UsageError: when the filter is wrong.
    """
    record = settings.record
    if not record.file:
        return None
    keeper: ConditionFilter | None = None
    rules, left_out = RuleSet([]), ""
    if record.filter:
        rules, left_out = condition_rules(record.filter), f"what this does not hold for: {record.filter[:500]}"
        patience = int(settings.hold.timeout * 1e9)
        keeper = ConditionFilter(rules, request_container, patience, settings.hold.events)
        assembler = keeper.assembler

    def container(group: bytes) -> str:
        return assembler.container_of(int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little"))

    state = assembler.saved if keeper is None else keeper.saved
    around = Around(lambda: state().encode(), lambda: assembler.clock_offset, container, mask=mask)
    return Recording(open_writer(open_file, around, record.rotate_size, left_out=left_out), keeper, rules)


def open_writer(
    open_file: Callable[[int], int], around: Around, rotate: int = 0, *, why: str = "", left_out: str = ""
) -> CaptureWriter:
    """Return what writes a capture of this host: the one place where such a writer is made.

    Args:
        open_file: returns a descriptor to write the file with this number to.
        around: what is asked of the pipeline.
        rotate: bytes after which another file is begun; 0: never.
        why: the flight recorder saves it; empty for a recording.
        left_out: what is not in it, as the end of a sentence.

    Raises:
        CannotError: when the file cannot be made.
        WriteError: when the disk does not take its beginning.
    """
    host = socket.gethostname(), os.uname().release
    return CaptureWriter(
        open_file, Description(__version__, VERSION, *host, left_out=left_out, why=why), around, rotate
    )
