"""A run's recording: what the pipeline is fed goes into a capture too."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from hullwatch import __version__
from hullwatch.captures.chunk import Description
from hullwatch.captures.masking import RecordMask
from hullwatch.captures.writer import Around, CaptureWriter
from hullwatch.events.table import EVENTS, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.alerts.mask import Masker
    from hullwatch.config.settings import RecordSettings
    from hullwatch.enrich.assembler import Assembler

EVERYTHING = frozenset(event.name for event in EVENTS if event.is_event and event.origin == "sensor")
"""The events that a recording has: no rules are known yet for which it will be read."""


def begin_recording(
    settings: RecordSettings, open_file: Callable[[int], int], assembler: Assembler, masker: Masker
) -> CaptureWriter | None:
    """Return what takes the batches of a run; None when none was asked for.

    Args:
        settings: of the recording.
        open_file: returns a descriptor to write the file with this number to.
        assembler: of the run.
        masker: hides secrets before they are written, if the settings want it.

    Raises:
        CannotError: when the file cannot be made.
    """
    if not settings.file:
        return None

    def container(group: bytes) -> str:
        return assembler.container_of(int.from_bytes(group[:8], "little"), int.from_bytes(group[8:], "little"))

    mask = RecordMask(masker) if settings.mask else None
    around = Around(lambda: assembler.saved().encode(), lambda: assembler.clock_offset, container, mask=mask)
    description = Description(__version__, VERSION, socket.gethostname(), os.uname().release)
    return CaptureWriter(open_file, description, around, settings.rotate_size)
