"""Putting lines together that come in parts of records: of Fluent Bit, of Docker's driver fluentd, of Cloud Logging.

CRI's parts (``logtag`` P) and Docker's of 16 KiB are in order, and the next one of their container and stream goes on.
Others say themselves to which line they belong, which of its parts they are, and which is the last; they may come in
any order. What is kept of beginnings is limited in number, size and time: what comes to no end is judged as it is.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from hullwatch.sources.container_logs.line import LONGEST, LogLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PATIENCE = 30.0  # seconds from one part to the next
MOST = 1000  # lines that have begun
MOST_CHARACTERS = 16 << 20  # of all of them
MOST_PARTS = 1024  # of one line
UNENDED = "a line whose end did not come: what there was of it is judged"
TOO_MANY = "a line that had begun when too many others had: what there was of it is judged"
LOST = "a line whose end had not come when the run ended"
CUT = "a line of more than 1 MiB: what is behind is not looked at"
Key = tuple[object, ...]


class _Begun:
    """A line that has begun."""

    def __init__(self, first: LogLine) -> None:
        self.first = first
        self.parts: dict[int, str] = {}
        self.size = 0
        self.last = 0  # ordinal of the last part; 0 while that is not known
        self.time = ""  # of the part that came last
        self.until = 0.0

    def add(self, line: LogLine) -> None:
        piece = line.piece
        ordinal = piece.ordinal if piece is not None and piece.id else len(self.parts) + 1
        if piece is None or piece.last:
            self.last = ordinal
        if ordinal in self.parts or (line.time and (line.time, line.text) == (self.time, self.parts.get(ordinal - 1))):
            return  # it is sent again
        self.parts[ordinal] = line.text
        self.size += len(line.text)
        self.time = line.time
        if ordinal == min(self.parts):
            self.first = line

    def whole(self) -> bool:
        """Whether it has ended, and nothing is missing."""
        return bool(self.last) and len(self.parts) >= self.last

    def too_large(self) -> bool:
        return self.size >= LONGEST or len(self.parts) >= MOST_PARTS

    def line(self, *, cut: bool) -> LogLine:
        text = "".join(self.parts[ordinal] for ordinal in sorted(self.parts))
        return self.first._replace(
            text=text[:LONGEST], parts=len(self.parts), cut=cut or self.first.cut or len(text) > LONGEST, piece=None
        )


class Joiner:
    """Puts lines together; to be used in one thread.

    Args:
        clock: seconds.

    Attributes:
        left_out: what was judged without its end, by reason; whoever counts takes it away.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Have no part yet."""
        self.left_out = Counter[str]()
        self._clock = clock
        self._begun: OrderedDict[Key, _Begun] = OrderedDict()  # the one that got a part last is the last
        self._size = 0

    def __len__(self) -> int:
        """Return how many lines have begun and not ended."""
        return len(self._begun)

    def join(self, lines: Iterable[LogLine]) -> Iterator[LogLine]:
        """Yield the lines that are whole, and such that wait no longer, in the order in which they ended."""
        for line in lines:
            if line.piece is None and not self._begun:
                yield line
            else:
                yield from self._take(line)
        if self._begun:
            yield from self.expired()

    def expired(self) -> Iterator[LogLine]:
        """Yield what there is of lines whose next part did not come."""
        now = self._clock()
        while self._begun and next(iter(self._begun.values())).until <= now:
            yield self._end(next(iter(self._begun)), UNENDED)

    def rest(self) -> Iterator[LogLine]:
        """Yield what there is of all lines that have begun: nothing more comes."""
        while self._begun:
            yield self._end(next(iter(self._begun)), UNENDED)

    def _take(self, line: LogLine) -> Iterator[LogLine]:
        piece = line.piece
        key = (line.of, line.stream, "" if piece is None else piece.id)
        if piece is None and key not in self._begun:
            yield line
            return
        begun = self._begun.get(key)
        if begun is None:
            if piece is not None and piece.last and piece.ordinal <= 1:  # the end of nothing
                yield line._replace(piece=None)
                return
            begun = self._begun[key] = _Begun(line)
        self._size -= begun.size
        begun.add(line)
        self._size += begun.size
        begun.until = self._clock() + PATIENCE
        self._begun.move_to_end(key)
        if begun.whole():
            yield self._end(key)
        elif begun.too_large():
            yield self._end(key, CUT)
        while len(self._begun) > MOST or self._size > MOST_CHARACTERS:
            yield self._end(next(iter(self._begun)), TOO_MANY)

    def _end(self, key: Key, reason: str = "") -> LogLine:
        begun = self._begun.pop(key)
        self._size -= begun.size
        line = begun.line(cut=bool(reason))
        if line.cut and not reason:
            reason = CUT
        if reason:
            self.left_out[reason] += 1
        return line
