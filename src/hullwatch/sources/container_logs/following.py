"""Following the log files of all containers in one thread: each gets its turn, and a place is kept of each.

Only files that have changed are looked at: the list that comes every second says which.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from hullwatch.sources.container_logs.line import NOBODY, Whose, whose
from hullwatch.sources.container_logs.unwrapping import Unwrapper
from hullwatch.sources.k8s_audit.feed import EndingError
from hullwatch.sources.k8s_audit.log_file import LogFile
from hullwatch.sources.k8s_audit.log_place import Place

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from hullwatch.sources.container_logs.found_logs import FoundLog, FoundLogs
    from hullwatch.sources.container_logs.line import LogLine
    from hullwatch.sources.k8s_audit.counts import IntakeCounts
    from hullwatch.sources.k8s_audit.log_file import Open, Read
    from hullwatch.sources.k8s_audit.log_place import Places

LOOK = 1.0  # seconds between looks for files
SOON = 0.25  # seconds, where a file was renamed
CHUNKS = 4  # of a MiB at most that a file gives in its turn
LOOKS_AFTER_RENAMING = 4  # until the file behind a name was surely found to be another one
MOST_PLACES = 10_000


class LineJudge(Protocol):
    """Takes the lines of logs; for the thread that follows."""

    def begun(self, found: FoundLog, of: Whose) -> None:
        """Know that a file is followed from now on."""
        ...

    def ended(self, of: Whose) -> None:
        """Know that a file is not followed any more."""
        ...

    def take(self, lines: Iterator[LogLine]) -> int:
        """Judge lines; return the number that is stored when their alerts are kept.

        Raises:
            EndingError: when there is to be an end before that.
        """
        ...

    def stored(self) -> int:
        """Return the number up to which all is kept."""
        ...


class _Followed:
    """A file that is followed."""

    def __init__(self, found: FoundLog, of: Whose, log: LogFile, counts: IntakeCounts) -> None:
        self.found: FoundLog | None = None  # as it was at the last look
        self.of = of
        self.log = log
        self.name = found.real
        self.unwrapper = Unwrapper(counts, of)
        self.looks = 1  # that are due
        self.turn: Iterator[Read] | None = None
        self.waiting: deque[tuple[int, Place]] = deque()

    def saw(self, found: FoundLog) -> None:
        """Note how the file is now."""
        before, self.found = self.found, found
        if before is not None and before.inode != found.inode:
            self.looks = LOOKS_AFTER_RENAMING
        elif before != found:
            self.looks = max(self.looks, 1)


class LogFollower:
    """Follows files.

    Attributes:
        left_out: files that are too many.
        refused: links to what is no log.
        problem: why something cannot be read, a sentence; empty while all can.

    Args:
        look: returns the files that there are.
        open_file: returns what opens a file.
        judge: takes the lines.
        places: where places are kept.
        counts: gets what is left out.
        from_end: whether files that are there at the very first look are begun at their end.
    """

    def __init__(
        self,
        look: Callable[[], FoundLogs],
        open_file: Callable[[FoundLog], Open],
        judge: LineJudge,
        places: Places,
        counts: IntakeCounts,
        *,
        from_end: bool,
    ) -> None:
        """Follow nothing yet."""
        self.left_out = self.refused = 0
        self.problem = ""
        self._look = look
        self._open_file = open_file
        self._judge = judge
        self._places = places
        self._counts = counts
        self._first_from_end = from_end and not places.names()
        self._followed: dict[str, _Followed] = {}

    def __len__(self) -> int:
        """Return how many files are followed."""
        return len(self._followed)

    def run(self, ending: threading.Event) -> None:
        """Follow until the end."""
        try:
            while not ending.is_set():
                more = self.step()
                self.settle()
                if not more:
                    ending.wait(SOON if any(one.looks for one in self._followed.values()) else LOOK)
        except EndingError:
            pass
        finally:
            for one in self._followed.values():
                one.log.close()

    def step(self) -> bool:
        """Look which files there are, and give each its turn; tell whether one has more to give."""
        found = self._look()
        self.left_out, self.refused = found.left_out, found.refused
        names: set[str] = set()
        for one in found.files:
            names.add(one.real)
            if one.real not in self._followed:
                self._begin(one)
            self._followed[one.real].saw(one)
        self._first_from_end = False
        gone = [one for name, one in self._followed.items() if name not in names]
        more = False
        for one in list(self._followed.values()):
            more |= self._turn(one, whole=one in gone)
        for one in gone:
            self._end(one)
        if not found.left_out and not found.problem:
            self._places.retain(self._followed)
        problems = [found.problem, *(one.log.problem for one in self._followed.values())]
        self.problem = next(filter(None, problems), "")
        return more

    def settle(self) -> None:
        """Keep the places up to which all is kept."""
        stored = self._judge.stored()
        kept: dict[str, Place] = {}
        for one in self._followed.values():
            while one.waiting and one.waiting[0][0] <= stored:
                kept[one.name] = one.waiting.popleft()[1]
        self._places.keep_all(kept)

    def _begin(self, found: FoundLog) -> None:
        of = whose_of(found)
        place = self._places.get(found.real)
        if place is None and not self._first_from_end:
            place = Place()  # of no file: what it was renamed to before we saw it is new too
        log = LogFile(self._open_file(found), self._counts, place, from_end=self._first_from_end)
        self._followed[found.real] = _Followed(found, of, log, self._counts)
        self._judge.begun(found, of)

    def _end(self, one: _Followed) -> None:
        one.log.close()
        del self._followed[one.name]
        self._judge.ended(one.of)

    def _turn(self, one: _Followed, *, whole: bool) -> bool:
        """Judge what a file has, or as much as a turn may take; tell whether there is more.

        Args:
            one: the file.
            whole: up to its end, for it is gone.
        """
        if one.turn is None:
            if not one.looks and not whole:
                return False
            one.looks = max(0, one.looks - 1)
            one.turn = one.log.read()
        for chunks, (lines, place) in enumerate(one.turn, start=1):
            ticket = self._judge.take(one.unwrapper.lines(lines)) if lines else 0
            if not one.unwrapper.waits:  # else the beginning of a line would be forgotten with what was read
                one.waiting.append((ticket, place))
            if chunks >= CHUNKS and not whole:
                return True
        one.turn = None
        return False


def whose_of(found: FoundLog) -> Whose:
    """Return whose log a file is, by the name of a link to it and its own."""
    by_link, by_name = whose(found.path), whose(found.real)
    if by_link is NOBODY or by_name is NOBODY:
        return by_link if by_name is NOBODY else by_name
    return Whose(*(first or second for first, second in zip(by_name, by_link, strict=True)))
