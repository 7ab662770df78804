"""What the sensor counted instead of sending it: lost, ruled out, left out on purpose, by type and reason."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hullwatch.events.table import BY_NUMBER, FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hullwatch.counters import Counters
    from hullwatch.enrich.losses import Losses

_DROP = struct.Struct("<HHIQ")
_REASONS = {number: name.lower() for name, number in FLAGS["drop_reasons"].items()}
_OWN_PROCESS = FLAGS["drop_reasons"]["OWN_PROCESS"]
_RULED_OUT = FLAGS["drop_reasons"]["RULED_OUT"]
_RING_FULL = FLAGS["drop_reasons"]["RING_FULL"]
_TOO_LATE = FLAGS["drop_reasons"]["TOO_LATE"]
_SHED = FLAGS["drop_reasons"]["SHED"]


class DropCounts:
    """Adds up what a sensor tells, which counts from its own start.

    Args:
        counters: of the run.
        losses: are told of what was lost.
    """

    def __init__(self, counters: Counters, losses: Losses) -> None:
        """Start with nothing told."""
        self._counters = counters
        self._losses = losses
        self._told: dict[tuple[int, int], int] = {}

    def take(self, counts: bytes) -> int:
        """Take the counts of a record; return how many kinds of events a full ring buffer has swallowed since."""
        gaps = 0
        counters = self._counters
        for number, reason, _, count in _DROP.iter_unpack(counts[: len(counts) // _DROP.size * _DROP.size]):
            more = count - self._told.get((number, reason), 0)
            self._told[number, reason] = count
            if more <= 0:
                continue
            kind = BY_NUMBER[number].name if number in BY_NUMBER else "*"
            if reason == _OWN_PROCESS:
                counters.excluded[kind] = counters.excluded.get(kind, 0) + more
            elif reason == _RULED_OUT:
                counters.ruled_out[kind] = counters.ruled_out.get(kind, 0) + more
            elif reason == _TOO_LATE:
                counters.out_of_order += more
            elif reason == _SHED:
                counters.shed[kind] = counters.shed.get(kind, 0) + more
            else:
                counters.drop(kind, _REASONS.get(reason, str(reason)), more)
                self._losses.lose(kind, _REASONS.get(reason, str(reason)), more)
                gaps += reason == _RING_FULL
        return gaps

    def clear(self) -> None:
        """Forget what was told: the next sensor counts from zero."""
        self._told.clear()

    def saved(self) -> Iterator[tuple[int, int, int]]:
        """Return what was told: type, reason, number."""
        return ((*what, count) for what, count in self._told.items())

    def restore(self, saved: Iterable[tuple[int, int, int]]) -> None:
        """Go on from what was saved."""
        self._told = {(kind, reason): count for kind, reason, count in saved}
