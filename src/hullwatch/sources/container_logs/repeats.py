"""Which lines came before: whoever sends lines, and was not told that they were taken, sends them again.

A line is known by the id that its wrapper gives it, else by its log, time, stream and text, and by how many of those
came before it in the same delivery: two of one delivery are two lines, and the same two in another are not four.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.sources.k8s_audit.recent import Recent

if TYPE_CHECKING:
    from hullwatch.sources.container_logs.line import LogLine


class Repeats:
    """Remembers the last lines, in a memory that does not grow.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        """Know none."""
        self._recent = Recent(most)

    def delivery(self) -> Delivered:
        """Return what looks at the lines of one delivery."""
        return Delivered(self._recent)


class Delivered:
    """The lines of one delivery.

    Attributes:
        again: how many of them came before.
    """

    def __init__(self, recent: Recent) -> None:
        """Have none yet."""
        self.again = 0
        self._recent = recent
        self._times: dict[str, int] = {}

    def came(self, line: LogLine) -> bool:
        """Note a line; return whether it came before. One with neither id nor time never did."""
        if not (line.id or line.time):
            return False
        key = "\0".join((*line.of, line.id) if line.id else (*line.of, line.time, line.stream, line.text))
        times = 0
        if not line.id:
            times = self._times[key] = self._times.get(key, 0) + 1
        found = self._recent.came(key, str(times), line.time)
        self.again += found
        return found
