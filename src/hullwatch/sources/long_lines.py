"""The rest of a line that is too long is skipped; where no end comes at all, that is said instead of read for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.errors import UsageError

if TYPE_CHECKING:
    import io

MOST_SKIPPED = 256 << 20  # bytes: no line of a log is as long; a device or a pipe of one byte again and again is
_AT_ONCE = 1 << 16  # bytes


def skip_line(stream: io.BufferedIOBase, number: int, name: str = "what is read") -> None:
    """Read to the end of a line.

    Args:
        stream: of bytes, in the middle of the line.
        number: of the line, from 1.
        name: of what is read, for the sentence.

    Raises:
        UsageError: when there is no end within 256 MiB.
    """
    left = MOST_SKIPPED
    while (data := stream.readline(_AT_ONCE)) and not data.endswith(b"\n"):
        left -= len(data)
        if left < 0:
            raise UsageError(
                f"Line {number} of {name} has no end within {MOST_SKIPPED >> 20} MiB: name a file that has an event "
                f"in each line. What stands before it was read."
            )
