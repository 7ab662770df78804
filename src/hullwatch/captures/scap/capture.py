"""A .scap file as events: blocks are read, old events made new, the state kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from hullwatch.captures.scap import blocks as kinds
from hullwatch.captures.scap.blocks import BlockReader, DamagedError
from hullwatch.captures.scap.calls import CallNames
from hullwatch.captures.scap.conversion import convert
from hullwatch.captures.scap.event import make_event
from hullwatch.captures.scap.raw_event import STATE_ONLY, read_event
from hullwatch.captures.scap.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.captures.scap.event import ScapEvent
    from hullwatch.captures.scap.raw_event import RawEvent

_IO = {"io-read": 0, "io-write": 1, "io-other": 2}
_BY_DESCRIPTOR = {
    **dict.fromkeys(("file", "directory"), "file"),
    **dict.fromkeys(("ipv4", "ipv6", "netlink"), "net"),
    **dict.fromkeys(("unix", "fifo", "event"), "ipc"),
}
_INTERNAL = frozenset({"procinfo", "scapevent", "drop", "notification", "infra", "cpu_hotplug", "k8s", "mesos"})
_WAITING = frozenset({"poll", "ppoll", "select", "epoll_wait", "epoll_create", "epoll_create1"})


class ScapCapture:
    """Reads one file.

    Attributes:
        reader: of its blocks, with what is wrong with the file.
        state: as it is at the event that was given last.
        unknown: events whose type is not known.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Begin at the stream's position."""
        self.reader = BlockReader(stream, name)
        self.state = State()
        self.unknown = 0
        self._calls = CallNames()
        self._begun = False

    def events(self, *, raw: bool = False) -> Iterator[ScapEvent]:
        """Yield the events.

        Args:
            raw: those too that rules do not see, such as the beginnings of calls; then each is counted. Without it
                those are left out of the count whose values are given to the call's end, as Falco counts.

        Raises:
            UsageError: when the file cannot be read, or is no .scap file.
        """
        begun: dict[int, RawEvent] = {}
        written = number = 0
        for block in self.reader.blocks():
            if block.type not in kinds.EVENTS:
                try:
                    self.state.take_list(block)
                except DamagedError as error:
                    self.reader.stop(block.position, str(error))
                    return
                continue
            written += 1
            try:
                event = read_event(block, written)
            except DamagedError as error:
                self.reader.stop(block.position, str(error))
                return
            if event is None:
                self.unknown += 1
                number += 1
                continue
            newest = convert(event, begun)
            if newest is None:
                if raw:
                    yield self._make(event)
                continue
            number += 1
            if not raw:
                newest = newest._replace(number=number)
            made = self._make(newest)
            if raw or self._is_shown(newest):
                yield made

    def _is_shown(self, event: RawEvent) -> bool:
        """Tell whether rules see an event: the ends of calls, and what is no call once the first call was there."""
        self._begun |= event.kind.name not in _OF_THE_BEGINNING
        return self._begun and not event.kind.enters and not event.flags & STATE_ONLY

    def _make(self, event: RawEvent) -> ScapEvent:
        around = self.state.take(event)
        name, category = event.kind.name, event.kind.category
        if event.kind.number <= 1:
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


_OF_THE_BEGINNING = frozenset({"container", "useradded", "userdeleted", "groupadded", "groupdeleted"})
"""Events of what was there already, where they stand before all others: they belong to the lists."""
