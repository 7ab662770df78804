"""Inputs that wait, each in a thread of its own: log files, standard input, CloudWatch Logs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, BinaryIO, Protocol

from hullwatch.sources.k8s_audit.log_file import LogFile

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from hullwatch.sources.k8s_audit.counts import IntakeCounts
    from hullwatch.sources.k8s_audit.log_file import Open
    from hullwatch.sources.k8s_audit.log_place import Place, Places

LOOK = 0.25  # seconds between looks at a log file
KEEP = 1.0  # seconds between places that are kept
_LINES = 1000  # of standard input that are judged together


class Feed(Protocol):
    """Where inputs hand their documents to; for threads."""

    ending: threading.Event
    """Set when there is to be an end."""

    def take(self, documents: list[bytes]) -> int:
        """Judge the events of documents, once there is room; return the number that is stored when theirs are kept.

        Raises:
            EndingError: when there is to be an end before that.
        """
        ...

    def stored(self) -> int:
        """Return the number up to which all is kept."""
        ...


class EndingError(Exception):
    """The run ends."""


class LogReader:
    """Follows a log file, and keeps the place up to which the alerts of its events are kept.

    Attributes:
        name: the path that is set.

    Args:
        name: of the file, by which its place is kept.
        open_file: opens it.
        feed: takes the lines.
        places: where places are kept.
        counts: gets what is left out.
        from_end: whether a file of which nothing is known is begun at its end.
    """

    def __init__(
        self, name: str, open_file: Open, feed: Feed, places: Places, counts: IntakeCounts, *, from_end: bool
    ) -> None:
        """Read nothing yet."""
        self.name = name
        self._feed = feed
        self._places = places
        self._log = LogFile(open_file, counts, places.get(name), from_end=from_end)
        self._waiting: deque[tuple[int, Place]] = deque()  # places, each with the number that has to be stored first

    @property
    def problem(self) -> str:
        """Why the file cannot be read, a sentence; empty while it can, or is not there."""
        return self._log.problem

    def run(self) -> None:
        """Follow the file until the end."""
        try:
            while not self._feed.ending.is_set():
                for lines, place in self._log.read():
                    self._waiting.append((self._feed.take(lines) if lines else 0, place))
                    self.settle()
                self.settle()
                self._feed.ending.wait(LOOK)
        except EndingError:
            pass
        finally:
            self._log.close()

    def settle(self) -> None:
        """Keep the place up to which all is kept."""
        stored, place = self._feed.stored(), None
        while self._waiting and self._waiting[0][0] <= stored:
            place = self._waiting.popleft()[1]
        if place is not None:
            self._places.keep(self.name, place)


class StreamReader:
    """Reads documents from a stream, such as standard input, to its end.

    Args:
        stream: of lines.
        feed: takes them.
        at_end: called when there are no more.
    """

    def __init__(self, stream: BinaryIO, feed: Feed, at_end: Callable[[], None]) -> None:
        """Read nothing yet."""
        self._stream = stream
        self._feed = feed
        self._at_end = at_end

    def run(self) -> None:
        """Read until the end."""
        try:
            while lines := self._stream.readlines(1):
                self._feed.take(lines)
        except (EndingError, OSError, ValueError):
            pass
        self._at_end()
