"""Cutting a part out of a capture: a time, some containers, what a condition holds for.

The part is a capture of its own: it begins with the state that was known by then, so the rules that judge it say what
they said of it within the whole. Of a time alone the chunks are copied as they are (``stretch.py``); else the records
are read, and those that are left out are only learnt from (``selection.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.records import records
from hullwatch.enrich import saved_state
from hullwatch.enrich.container import SHORT_ID
from hullwatch.enrich.container import decode as decode_container
from hullwatch.errors import UsageError
from hullwatch.events.codec import BrokenStreamError, decode
from hullwatch.events.table import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from hullwatch.captures.reader import CaptureReader, Chunk
    from hullwatch.rules.loader import RuleSet

ANSWERS = 2_000_000_000  # ns behind the end within which the metadata of a container is looked for
_ALWAYS = 1 << 63
_CONTAINER = BY_NAME["container"]


class Wanted(NamedTuple):
    """What is to be cut out.

    Attributes:
        begin: ns since the epoch; 0 for the beginning.
        end: the last moment; 0 for the end.
        containers: 64-digit ids; only what happened in them, and what is needed of their relatives. None for all.
        rules: one rule, whose condition holds for what is wanted; None for everything.
        left_out: what will not be in it for that reason, as the end of a sentence, for the file's description.
    """

    begin: int = 0
    end: int = 0
    containers: Collection[str] | None = None
    rules: RuleSet | None = None
    left_out: str = ""

    @property
    def until(self) -> int:
        """The end as a time that can be compared."""
        return self.end or _ALWAYS


class Cut(NamedTuple):
    """What was cut out: the number of events in it, and of those of the same time that were left out."""

    events: int
    left_out: int = 0


def _nobody(_: int) -> None:
    pass


def cut(reader: CaptureReader, descriptor: int, wanted: Wanted, progress: Callable[[int], None] = _nobody) -> Cut:
    """Write a part of a capture as a capture.

    Args:
        reader: of the whole.
        descriptor: to write to; it is left open.
        wanted: what is to be cut out.
        progress: called with the position in the whole, bytes.

    Returns:
        What was written. ``reader.problem`` tells what of the whole could not be read.

    Raises:
        UsageError: when the whole is damaged in a way that its checksums do not show.
        OSError: when nothing can be written.
        WriteError: the same.
    """
    from hullwatch.captures.selection import Selection
    from hullwatch.captures.stretch import Stretch

    kind = Stretch if wanted.containers is None and wanted.rules is None else Selection
    try:
        return kind(reader, descriptor, wanted, progress).run()
    except (BrokenStreamError, ValueError) as error:
        raise UsageError(f"The capture {reader.name} is damaged: {error}.") from error


def containers_called(reader: CaptureReader, names: Collection[str]) -> dict[str, set[str]]:
    """Return the 64-digit ids of the containers that are called by names, or by the first 12 digits of ids or more.

    Only what tells of containers is read. Several containers may have had a name, one after another.

    Raises:
        UsageError: when the capture is damaged in a way that its checksums do not show.
    """
    found: dict[str, set[str]] = {name: set() for name in names}

    def note(full_id: str, name: str) -> None:
        for wanted, ids in found.items():
            if wanted == name or (len(wanted) >= SHORT_ID and full_id.startswith(wanted)):
                ids.add(full_id)

    for head in reader.heads():
        for full_id in head.summary.containers:
            note(full_id, "")
        if head.kind == RECORDS and _CONTAINER.number not in head.summary.types:
            continue
        chunk = reader.read(head)
        if chunk is None:
            break
        try:
            for text in _described(chunk):
                container = decode_container(text)
                note(container.full_id, container.name)
        except (BrokenStreamError, ValueError) as error:
            raise UsageError(f"The capture {reader.name} is damaged: {error}.") from error
    return found


def _described(chunk: Chunk) -> Iterator[str]:
    """Yield the metadata of containers in a chunk."""
    if chunk.head.kind != RECORDS:
        yield from saved_state.decode(chunk.data).gate.containers
        return
    for record in records(chunk.data, 0):
        if record.number == _CONTAINER.number:
            text = decode(_CONTAINER, chunk.data, record.begin)["json"]
            assert isinstance(text, str)
            yield text
