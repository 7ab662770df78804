"""Joining captures of one host: those that follow each other, and those that overlap.

Chunks are copied as they are. Where one capture does not go on where the one before it ended, its first state makes
void what was known: what happened between is not known, and the machine may have been started again. Of captures that
overlap, what the earlier one has is taken from it, so both have to be of everything, or of the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.captures.chunk import RECORDS
from hullwatch.captures.cut import Wanted
from hullwatch.captures.stretch import Stretch
from hullwatch.errors import UsageError
from hullwatch.events.codec import BrokenStreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.captures.reader import CaptureReader

BETWEEN_FILES = 5_000_000_000  # ns that may pass from the last record of a file to the next file of the same recording

SILENCE = 2_000_000_000  # ns without any record, of which a sensor sends some every second


class Merged(NamedTuple):
    """What was made: the number of events, how often something is missing between two, and files that gave nothing."""

    events: int
    gaps: int
    unused: tuple[str, ...]


class _Span(NamedTuple):
    reader: CaptureReader
    first: int
    last: int
    whole: bool  # up to its end


def merge(readers: Sequence[CaptureReader], descriptor: int, progress: Callable[[int], None]) -> Merged:
    """Write several captures as one.

    Args:
        readers: in any order.
        descriptor: to write to; it is left open.
        progress: called with the number of bytes that were read of all.

    Raises:
        UsageError: when they are of several hosts, or overlap and leave out different things.
        OSError: when nothing can be written.
    """
    _check_hosts(readers)
    spans = sorted((_span(reader) for reader in readers), key=lambda span: (span.first, -span.last))
    unused = [span.reader.name for span in spans if not span.last]
    spans = [span for span in spans if span.last] or spans[:1]
    left_out = dict.fromkeys(span.reader.description.left_out for span in spans)
    events = gaps = done = 0
    before: _Span | None = None
    for span in spans:
        overlaps = before is not None and span.first <= before.last
        if before is not None and overlaps:
            _check_same(before.reader, span.reader)
            if span.last <= before.last:
                unused.append(span.reader.name)
                continue
        wanted = Wanted(before.last + 1 if before is not None and overlaps else 0)
        stretch = Stretch(span.reader, descriptor, wanted, lambda place, done=done: progress(done + place))
        if before is None:
            words = "; ".join(filter(None, left_out))
            masked = all(one.reader.description.is_masked for one in spans)
            stretch.about = msgspec.structs.replace(span.reader.description, left_out=words, is_masked=masked)
        else:
            stretch.about = None
            stretch.anew = not _goes_on(before, span)
            gaps += span.first - before.last > SILENCE
        try:
            events += stretch.run().events
        except (BrokenStreamError, ValueError) as error:
            raise UsageError(f"The capture {span.reader.name} is damaged: {error}.") from error
        done += span.reader.size
        before = span
    return Merged(events, gaps, tuple(unused))


def _span(reader: CaptureReader) -> _Span:
    first = last = 0
    for head in reader.heads():
        if head.kind == RECORDS:
            first, last = first or head.first, max(last, head.last)
    return _Span(reader, first, last, not reader.problem)


def _check_hosts(readers: Sequence[CaptureReader]) -> None:
    hosts = {reader.description.host: reader.name for reader in readers}
    if len(hosts) > 1:
        (one, of_one), (other, of_other), *_ = hosts.items()
        raise UsageError(
            f"{of_one} is of the host {one or 'without a name'} and {of_other} of {other or 'one without a name'}: a "
            "capture has the processes of one host. Merge those of each host, and judge them one after another."
        )


def _check_same(one: CaptureReader, other: CaptureReader) -> None:
    if one.description.left_out != other.description.left_out:
        raise UsageError(
            f"{one.name} and {other.name} are of the same time and do not leave out the same: one has "
            f"{_has(one)}, the other {_has(other)}. Cut both so that they follow each other, or merge the wholes."
        )


def _has(reader: CaptureReader) -> str:
    left_out = reader.description.left_out
    return f"all but {left_out}" if left_out else "everything"


def _goes_on(before: _Span, span: _Span) -> bool:
    """Whether a file is the next one of the recording that another is of."""
    one, other = before.reader.description, span.reader.description
    return (
        before.whole
        and other.number == one.number + 1
        and (one.hullwatch, one.kernel) == (other.hullwatch, other.kernel)
        and before.last <= span.first <= before.last + BETWEEN_FILES
    )
