"""A run's recording: what the pipeline is fed goes into a capture too."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from hullwatch import __version__
from hullwatch.captures.chunk import Description
from hullwatch.captures.writer import Around, CaptureWriter
from hullwatch.events.table import EVENTS, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.config.settings import RecordSettings
    from hullwatch.enrich.assembler import Assembler

EVERYTHING = frozenset(event.name for event in EVENTS if event.is_event and event.origin == "sensor")
"""The events that a recording has: no rules are known yet for which it will be read."""


def begin_recording(
    settings: RecordSettings, open_file: Callable[[int], int], assembler: Assembler
) -> CaptureWriter | None:
    """Return what takes the batches of a run; None when none was asked for.

    Args:
        settings: of the recording.
        open_file: returns a descriptor to write the file with this number to.
        assembler: of the run.

    Raises:
        CannotError: when the file cannot be made.
    """
    if not settings.file:
        return None

    def container(group: bytes) -> str:
        return assembler.container_of(int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little"))

    around = Around(lambda: assembler.saved().encode(), lambda: assembler.clock_offset, container)
    return open_writer(open_file, around, settings.rotate_size)


def open_writer(open_file: Callable[[int], int], around: Around, rotate: int = 0, *, why: str = "") -> CaptureWriter:
    """Return what writes a capture of this host: the one place where such a writer is made.

    Args:
        open_file: returns a descriptor to write the file with this number to.
        around: what is asked of the pipeline.
        rotate: bytes after which another file is begun; 0: never.
        why: the flight recorder saves it; empty for a recording.

    Raises:
        CannotError: when the file cannot be made.
        WriteError: when the disk does not take its beginning.
    """
    description = Description(__version__, VERSION, socket.gethostname(), os.uname().release, why=why)
    return CaptureWriter(open_file, description, around, rotate)
