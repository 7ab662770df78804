"""The event that rules of the source ``container_log`` see: a line of a container's log.

All of it is hostile: what is too long was cut before, and what a line holds is looked at when a rule asks for it.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.events.event import Event
from hullwatch.events.table import BY_NAME, EventType
from hullwatch.fields.audit_event import moment_of

if TYPE_CHECKING:
    from hullwatch.enrich.container import Container
    from hullwatch.sources.container_logs.line import LogLine

LOG_TYPE = EventType(number=0, name="log", index=0, layout=BY_NAME["container"].layout, category="", doc="")
"""The type of all events of the source."""
_MOST_REMEMBERED = 1024  # characters of a line that counts for a later one
_NOT_READ = object()


class LogEvent(Event):
    """A line that a container has written.

    Attributes:
        line: as it was read.
    """

    __slots__ = ("_json", "line")

    def __init__(self, line: LogLine, container: Container, number: int = 0) -> None:
        """Take the line; one without a legible time is of now.

        Args:
            line: as it was read.
            container: that wrote it.
            number: of the event.
        """
        self.line = line
        self._json: Any = _NOT_READ
        self.number = number
        moment = moment_of(line.time)
        self.time = time.time_ns() if moment is None else moment
        self.type = LOG_TYPE
        self.params = {}
        self.process = None
        self.program = None
        self.container = container
        self.uid = self.tid = self.cpu = self.flags = 0
        self.names = None
        self.held = False

    @property
    def json(self) -> Any:
        """The object or list that the line is in JSON; None for any other line."""
        if self._json is _NOT_READ:
            self._json = None
            if self.line.text.lstrip(" ")[:1] in {"{", "["}:
                with contextlib.suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                    self._json = msgspec.json.decode(self.line.text)
        return self._json

    def remembered(self) -> LogEvent:
        """Return what is remembered of it for a later one: the beginning of its line."""
        kept = self.line._replace(text=self.line.text[:_MOST_REMEMBERED])
        made = LogEvent(kept, self.container, self.number)
        made.time = self.time
        return made
