"""Reading the lines of a file, for commands: in whatever wrapper, what is no line told by its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from hullwatch.sources.container_logs.joining import Joiner
from hullwatch.sources.container_logs.unwrapping import unwrap
from hullwatch.sources.k8s_audit.documents import documents
from hullwatch.sources.k8s_audit.reading import TellingCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.sources.container_logs.line import LogLine


def log_lines(stream: BinaryIO, leave_out: Callable[[str], None], path: str = "") -> Iterator[LogLine]:
    """Yield the lines of a stream, which is read as they are asked for.

    Args:
        stream: of bytes, plain or compressed.
        leave_out: is called with the reason for each thing that is no line.
        path: of the file, which may say whose log it is.
    """
    counts = TellingCounts(tell=leave_out)
    joiner = Joiner(lambda: 0.0)  # a file has time
    yield from joiner.join(unwrap(documents(stream, counts), counts, path))
    yield from joiner.rest()
    for reason, number in joiner.left_out.items():
        counts.leave_out(reason, number)
