"""A .scap file as events: blocks are read, old events made new, the state kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from hullwatch.captures.scap import blocks as kinds
from hullwatch.captures.scap.blocks import BlockReader, DamagedError
from hullwatch.captures.scap.calls import CallNames
from hullwatch.captures.scap.conversion import convert
from hullwatch.captures.scap.event import make_event
from hullwatch.captures.scap.raw_event import STATE_ONLY, read_event
from hullwatch.captures.scap.skipping import Skipper
from hullwatch.captures.scap.state import State
from hullwatch.captures.scap.walk_tables import Asked
from hullwatch.detect.native import library

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.captures.scap.raw_event import RawEvent
    from hullwatch.captures.scap.remembered import Remembered
    from hullwatch.captures.scap.state import Around

_LAST_GENERIC = 1  # number of the last event type that stands for calls without a type of their own
_IO = frozenset({"io-read", "io-write", "io-other"})
_BY_DESCRIPTOR = {
    **dict.fromkeys(("file", "directory"), "file"),
    **dict.fromkeys(("ipv4", "ipv6", "netlink"), "net"),
    **dict.fromkeys(("unix", "fifo", "event"), "ipc"),
}
_INTERNAL = frozenset({"procinfo", "scapevent", "drop", "notification", "infra", "cpu_hotplug", "k8s", "mesos"})
_WAITING = frozenset({"poll", "ppoll", "select", "epoll_wait", "epoll_create", "epoll_create1"})
_OF_THE_BEGINNING = frozenset({"container", "useradded", "userdeleted", "groupadded", "groupdeleted"})
"""Events of what was there already, where they stand before all others: they belong to the lists."""


class ScapCapture:
    """Reads one file.

    Attributes:
        reader: of its blocks, with what is wrong with the file.
        state: as it is at the event that was given last.
        unknown: events whose type is not known.
        unknown_blocks: the same of blocks, which were passed by.
        skipper: walks over events that need not be looked at; None while each is.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Begin at the stream's position."""
        self.reader = BlockReader(stream, name)
        self.state = State()
        self.unknown = 0
        self.unknown_blocks = 0
        self._calls = CallNames()
        self._begun: dict[int, RawEvent] = {}
        self._has_begun = False
        self._number = 0
        self._wanted: Collection[str] | None = None
        self._counts: dict[str, int] = {}
        self.skipper: Skipper | None = None
        self._begun_before: RawEvent | None = None  # the beginning of the present event's call, where it came late

    def counts(self) -> dict[str, int]:
        """Return how many events of each type rules could have seen, of those that ``judged`` has read."""
        found = dict(self._counts)
        for name, number in self.skipper.counts().items() if self.skipper is not None else ():
            found[name] = found.get(name, 0) + number
        return found

    def written(self) -> Iterator[ScapEvent]:
        """Yield all events, those too that rules do not see, such as the beginnings of calls; each is counted.

        Raises:
            UsageError: when the file cannot be read, or is no .scap file.
        """
        for number, event in enumerate(self._events(), 1):
            if event is not None:
                numbered = event.numbered(number)
                yield self._make(convert(numbered, self._begun) or numbered)
                if event.kind.number % 2:
                    self._begun.pop(event.tid, None)

    def events(self) -> Iterator[ScapEvent]:
        """Yield the events that rules see.

        Those are left out of the count whose values are given to the call's end: so Falco counts.

        Raises:
            UsageError: as ``written``.
        """
        for written in self._events():
            event = self._next(written)
            if event is not None:
                yield self._make(event)

    def judged(
        self, wanted: Collection[str], remembered: Remembered | None = None, *, native: bool = True
    ) -> Iterator[ScapEvent]:
        """Yield the events of some types; the others are counted, and may change the state.

        Args:
            wanted: names of the types.
            remembered: knows which of them need not be given.
            native: walk in C over those that change nothing, where it was built.

        Raises:
            UsageError: as ``written``.
        """
        if native and library() is not None:
            self.skipper = Skipper(Asked(frozenset(wanted), self.state.changing, remembered), self.state)
            self.reader.skip = self.skipper.skip
            self.state.threads.leaving = self.skipper.know_not
        counts, skipper, news = self._counts, self.skipper, self.state.accounts.news
        for written in self._events():
            event = self._next(written)
            if event is None:
                continue
            name = event.kind.name if event.kind.number > _LAST_GENERIC else self._calls.name(event)
            counts[name] = counts.get(name, 0) + 1
            around = self._take(event)
            if remembered is not None and self.state.accounts.news != news:
                news = self.state.accounts.news
                remembered.forget()
            is_nothing = name not in wanted or (
                remembered is not None and remembered.is_nothing(event, name, around, self.state)
            )
            if not is_nothing:
                yield self._made(event, around)
                is_nothing = remembered is not None and remembered.is_learned
            if is_nothing and skipper is not None:
                skipper.learn(event, self._begun_before, around)
        if self.skipper is not None:
            self._number += self.skipper.take_number()

    def _events(self) -> Iterator[RawEvent | None]:
        """Yield the events as they were written, None for those of unknown types; take other blocks. Damage ends it."""
        for block in self.reader.blocks():
            try:
                if block.type not in kinds.EVENTS:
                    self.unknown_blocks += not self.state.take_list(block)
                    continue
                if self.skipper is not None:
                    self._begun_before = self._take_begun(self.skipper, block.position)
                event = read_event(block)
            except DamagedError as error:
                self.reader.stop(block.position, str(error))
                break
            if event is None:
                self.unknown += 1
            elif event.kind.number <= _LAST_GENERIC:
                self._calls.look(event)
                if self._calls.is_other and self.skipper is not None:
                    self.skipper.has_no_numbers()
            yield event
        self.state.finish()

    def _take_begun(self, skipper: Skipper, position: int) -> RawEvent | None:
        """Keep the beginning of the next event's call, if it was walked over; return it."""
        block = skipper.take_begun(position)
        begun = read_event(block) if block is not None else None
        event = convert(begun, self._begun) if begun is not None else None
        if event is not None:
            self.state.keep(event)
        return begun

    def _next(self, event: RawEvent | None) -> RawEvent | None:
        """Take an event; return it in its newest form, if rules see such ones."""
        if self.skipper is not None:
            walked_over = self.skipper.take_number()
            self._number += walked_over
            self._has_begun |= walked_over > 0
        if event is None:
            self._number += 1
            return None
        tid, is_end = event.tid, event.kind.number % 2
        event = convert(event, self._begun)
        if is_end:
            self._begun.pop(tid, None)
        if event is None:
            return None
        self._number += 1
        self._has_begun |= event.kind.name not in _OF_THE_BEGINNING
        if not self._has_begun or event.kind.enters or event.flags & STATE_ONLY:
            self._take(event)
            return None
        return event.numbered(self._number)

    def _take(self, event: RawEvent) -> Around:
        around = self.state.take(event)
        if self.skipper is not None and around.thread is not None and event.kind.name != "procexit":
            self.skipper.know(event.tid)
        return around

    def _make(self, event: RawEvent) -> ScapEvent:
        return self._made(event, self._take(event))

    def _made(self, event: RawEvent, around: Around) -> ScapEvent:
        name, category = event.kind.name, event.kind.category
        if event.kind.number <= _LAST_GENERIC:
            name = self._calls.name(event)
        if category in _IO:
            descriptor = around.descriptor
            category = _BY_DESCRIPTOR.get(descriptor.kind, "unknown") if descriptor is not None else "unknown"
        elif category == "ipc":
            category = "IPC"  # as Falco writes it, for calls of their own
        elif name in _INTERNAL:
            category = "internal"
        elif name == "switch":
            category = "scheduler"
        elif name in _WAITING:
            category = "wait"
        return make_event(event, around, self.state, name, category)
