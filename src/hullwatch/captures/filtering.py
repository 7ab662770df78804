"""Leaving out of a stream what nobody asked for: what state needs stays, in the order of the stream.

Whether a condition holds for an event is known only when its container is: until then the records behind it wait.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import msgspec

from hullwatch.captures.records import HEAD, told_offset
from hullwatch.captures.relatives import CARRY_STATE
from hullwatch.counters import Counters
from hullwatch.detect.plan import HEARD
from hullwatch.detect.stream import Stream
from hullwatch.enrich.assembler import Assembler
from hullwatch.events.codec import check_record, encode
from hullwatch.events.table import BY_NAME, EVENTS, HEADER
from hullwatch.rules.domain_names import asks_for_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.captures.relatives import Relatives
    from hullwatch.enrich.saved_state import SavedState
    from hullwatch.events.event import Event
    from hullwatch.rules.loader import RuleSet

PATIENCE = 5_000_000_000  # ns of the stream that an event waits for its container's metadata
HELD = 50_000  # events that may wait

_CLOCK = BY_NAME["clock"].number
_HEARD = frozenset(BY_NAME[name].number for name in HEARD)
_EVENTS = frozenset(kind.number for kind in EVENTS if kind.is_event)
_FINISHED = 1 << 62  # a time behind all others

Key = tuple[int, int, int]  # time, thread and type of an event: no thread does two things at once


class Filter(Protocol):
    """Takes batches of records, and gives those that are to be kept."""

    @property
    def assembler(self) -> Assembler:
        """What was learnt from all records that were taken."""
        ...

    @property
    def settled(self) -> bool:
        """Whether all records that were taken are decided on."""
        ...

    @property
    def events(self) -> int:
        """How many were kept."""
        ...

    @property
    def left_out(self) -> int:
        """How many were not."""
        ...

    def pass_over(self, batch: bytes) -> None:
        """Learn from records, and keep none."""
        ...

    def take(self, batch: bytes) -> bytes:
        """Return the records that are to be kept and that are decided on now, in their order."""
        ...

    def finish(self) -> bytes:
        """Decide on what waits; return what of it is to be kept."""
        ...

    def saved(self) -> SavedState:
        """Return the state that belongs before the next record that is kept."""
        ...


def _nobody(_: str) -> None:
    pass


class _Counting:
    """Counts the events that are kept, for they are numbered anew."""

    def __init__(self, assembler: Assembler, relatives: Relatives | None) -> None:
        self.assembler = assembler
        self._relatives = relatives
        self.events: int = 0
        self.left_out: int = 0

    def saved(self) -> SavedState:
        """Return the state that belongs before the next record that is kept."""
        state = msgspec.structs.replace(self.assembler.saved(), number=self.events)
        return state if self._relatives is None else self._relatives.only(state)

    def _keep(self, number: int) -> None:
        self.events += number in _EVENTS

    def _leave(self, number: int) -> None:
        self.left_out += number in _EVENTS


class ContainerFilter(_Counting):
    """Keeps what was done in some containers, and the state of their relatives."""

    def __init__(self, relatives: Relatives) -> None:
        """Take the relatives, all of which were found before."""
        super().__init__(Assembler(Counters(), _nobody, HELD), relatives)
        self._of = relatives

    @property
    def settled(self) -> bool:
        """Whether all records that were taken are decided on."""
        return True

    def pass_over(self, batch: bytes) -> None:
        """Learn from records, and keep none; of their events too, which decide what rules were told of."""
        self.assembler.wanted = None
        for _ in self.assembler.feed(batch):
            pass

    def take(self, batch: bytes) -> bytes:
        """Return the records that are to be kept."""
        assembler, relatives, kept = self.assembler, self._of, bytearray()
        assembler.wanted = frozenset()
        offset, size = 0, len(batch)
        while offset < size:
            length, number = check_record(batch, offset)
            if number in CARRY_STATE:
                assembler.record(batch, offset)
                keep = relatives.concern(batch, offset)
            else:
                keep = assembler.container_id(HEADER.unpack_from(batch, offset)) in relatives.containers
                if keep and number in _HEARD:
                    assembler.record(batch, offset)
            if keep:
                kept += batch[offset : offset + length]
                self._keep(number)
            else:
                self._leave(number)
            offset += length
        return bytes(kept)

    def finish(self) -> bytes:
        """Return nothing: nothing waits."""
        return b""


class ConditionFilter(_Counting):
    """Keeps what a condition holds for, and the state of all processes or of some."""

    def __init__(
        self,
        rules: RuleSet,
        request_container: Callable[[str], None] = _nobody,
        patience: int = PATIENCE,
        hold_events: int = HELD,
        relatives: Relatives | None = None,
        heard: frozenset[str] = frozenset(),
    ) -> None:
        """Begin with nothing known.

        Args:
            rules: one, whose condition is asked.
            request_container: called with the 64-digit id of a container that is not known.
            patience: ns of the stream that an event waits for its container's metadata.
            hold_events: how many events may wait.
            relatives: only what concerns them is kept; None for all.
            heard: see ``Stream``.
        """
        self._stream = Stream(rules, Counters(), request_container, hold_events, heard=heard)
        super().__init__(self._stream.assembler, relatives)
        self._patience = patience
        self.plan = self._stream.plan
        self._numbers = frozenset(BY_NAME[name].number for name in self._stream.wanted)
        self._heard = _HEARD if asks_for_names(rules) else frozenset[int]()
        self._waiting: deque[tuple[Key | None, bytes]] = deque()
        self._matched: set[Key] = set()

    @property
    def settled(self) -> bool:
        """Whether all records that were taken are decided on."""
        return not self._waiting

    def pass_over(self, batch: bytes) -> None:
        """Learn from records, and keep none."""
        for _ in self._stream.feed(batch):
            pass

    def take(self, batch: bytes) -> bytes:
        """Return the records that are to be kept and that are decided on now, in their order.

        Raises:
            BrokenStreamError: when the batch is not a sequence of records.
        """
        clock_offset = self.assembler.clock_offset
        self._feed(batch)
        offset, size, last, relatives = 0, len(batch), 0, self._relatives
        held = {_key(event) for event in self.assembler.gate.waiting()}
        while offset < size:
            length, number = check_record(batch, offset)
            key: Key | None = None
            keep = False
            if number in CARRY_STATE:
                keep = relatives is None or relatives.concern(batch, offset)
                if number == _CLOCK:
                    clock_offset = told_offset(batch, offset, clock_offset)
            elif number in self._heard:
                header = HEADER.unpack_from(batch, offset)
                keep = relatives is None or self.assembler.container_id(header) in relatives.containers
            elif number in self._numbers:
                header = HEADER.unpack_from(batch, offset)
                key = header[3] + clock_offset, header[9], number
                keep = key in self._matched or key in held
            if keep:
                self._waiting.append((key, batch[offset : offset + length]))
            else:
                self._leave(number)
            last = offset
            offset += length
        self._give_up(HEADER.unpack_from(batch, last)[3] if batch else 0)
        return self._decided()

    def finish(self) -> bytes:
        """Decide on what waits; return what of it is to be kept."""
        self._give_up(_FINISHED)
        return self._decided()

    def _give_up(self, time: int) -> None:
        for full_id in self.assembler.gate.overdue(time, self._patience):
            self._feed(encode("container_timeout", {"time": 0}, id=full_id, reason="it did not come"))

    def _feed(self, batch: bytes) -> None:
        relatives = self._relatives
        for match in self._stream.feed(batch):
            if relatives is None or match.event.container.full_id in relatives.containers:
                self._matched.add(_key(match.event))

    def _decided(self) -> bytes:
        """Return what stands before the first record that waits, without what was decided against."""
        kept: list[bytes] = []
        waiting = self._waiting
        held: set[Key] | None = None
        while waiting:
            key, record = waiting[0]
            if key is not None and key not in self._matched:
                if held is None:
                    held = {_key(event) for event in self.assembler.gate.waiting()}
                if key in held:
                    return b"".join(kept)
                self.left_out += 1
            else:
                kept.append(record)
                self._keep(HEAD.unpack_from(record)[1])
            waiting.popleft()
        self._matched.clear()
        return b"".join(kept)


def _key(event: Event) -> Key:
    return event.time, event.tid, event.type.number
