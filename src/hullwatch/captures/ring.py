"""The last minutes of a stream in bounded memory, by container, so that a noisy one pushes out only itself.

The stream is kept in slices of about a megabyte or a few seconds, each taken apart by container and compressed. What is
older than was asked for goes; and when there is no room, the oldest part of the container that has most. Between slices
stand states (``enrich/saved_state.py``), where reading can begin.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import zstandard

from hullwatch.captures.split import Part, split

if TYPE_CHECKING:
    from collections.abc import Callable

LEVEL = 1  # of zstd; headers in planes, or a higher level, take longer than they save
PART_COST = 200  # bytes that a part takes beside what is stored
_SPARSE = 0.5  # of the room; below that a state is taken by the clock alone
_SHARE = 4  # of what the largest container has, that comes between two states when room is scarce
_LEAST_BETWEEN = 1 << 20  # bytes
_STATES = 0.25  # of the room, for states: of too large ones there are fewer
_FEWEST_STATES = 2


class Stored(NamedTuple):
    """A part, compressed; ``steps`` is the size of its steps, which come first."""

    data: bytes
    steps: int
    size: int

    def part(self) -> Part:
        """Return the part."""
        whole = zstandard.ZstdDecompressor().decompress(self.data, max_output_size=self.size)
        return Part(whole[self.steps :], whole[: self.steps])


class Slice(NamedTuple):
    """A piece of the stream: its number, until when it reaches (seconds), and its parts by container (host: empty)."""

    number: int
    end: float
    parts: dict[str, Stored]


class State(NamedTuple):
    """What was known before the slice with this number began, compressed."""

    number: int
    time: float
    data: bytes

    def state(self) -> bytes:
        """Return the state as it was saved."""
        return zstandard.ZstdDecompressor().decompress(self.data)


class Beginning(NamedTuple):
    """A state, the slices behind it, and whether there would be earlier ones if there were more room."""

    state: State
    slices: list[Slice]
    short: bool


class Ring:
    """Keeps slices and states.

    Args:
        span: seconds that are kept.
        room: bytes.
    """

    def __init__(self, span: float, room: int) -> None:
        """Start with nothing."""
        self._span = span
        self._room = room
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._slices: deque[Slice] = deque()
        self._states: deque[State] = deque()
        self._totals: dict[str, int] = {}
        self._size = 0
        self._lost_before: dict[str, int] = {}  # number of the first slice that a container has wholly
        self._next = 0
        self._since_state = 0  # bytes

    @property
    def size(self) -> int:
        """What is kept, bytes."""
        return self._size

    def add(self, records: bytes, time: float, name_of: Callable[[bytes], str]) -> Slice:
        """Keep the next piece of the stream.

        Args:
            records: whole ones.
            time: now, seconds of a clock that does not go back.
            name_of: returns the container of a control group, as ``split`` takes it.
        """
        parts: dict[str, Stored] = {}
        for name, part in split(records, name_of).items():
            whole = part.steps + part.records
            stored = Stored(self._compressor.compress(whole), len(part.steps), len(whole))
            parts[name] = stored
            self._count(name, len(stored.data) + PART_COST)
        made = Slice(self._next, time, parts)
        self._next += 1
        self._slices.append(made)
        self._forget_old(time)
        self._make_room()
        return made

    def add_state(self, state: bytes, time: float) -> None:
        """Keep what is known behind the last slice."""
        data = self._compressor.compress(state)
        states = self._states
        states.append(State(self._next, time, data))
        self._size += len(data)
        while len(states) > _FEWEST_STATES and sum(len(one.data) for one in states) > self._room * _STATES:
            self._size -= len(states[1].data)
            del states[1]
        self._since_state = 0
        self._forget_old(time)
        self._make_room()

    def wants_state(self) -> bool:
        """Whether so much has come since the last state that soon there might be none to begin at."""
        if not self._states:
            return True
        largest = max(self._totals.values(), default=0)
        return self._size > self._room * _SPARSE and self._since_state > max(_LEAST_BETWEEN, largest // _SHARE)

    def begin(self, name: str, not_before: float) -> Beginning:
        """Return where reading of a container begins; there is a state by then.

        Args:
            name: of the container.
            not_before: the last state until then is taken (the first one when all are later), unless the container's
                records behind it are gone.
        """
        lost = self._lost_before.get(name, 0)
        chosen = self._states[0]
        for state in self._states:
            has_records = state.number < self._next
            if has_records and (state.time <= not_before or chosen.number < lost):
                chosen = state
        # The slices change when room is made: what is to be written stays with who writes it.
        slices = [one._replace(parts=dict(one.parts)) for one in self._slices if one.number >= chosen.number]
        return Beginning(chosen, slices, short=lost > 0 and chosen.time > not_before)

    def _count(self, name: str, size: int) -> None:
        self._totals[name] = self._totals.get(name, 0) + size
        self._size += size
        self._since_state += max(0, size)
        if not self._totals[name]:
            del self._totals[name]

    def _forget_old(self, now: float) -> None:
        states = self._states
        while len(states) > 1 and states[1].time <= now - self._span:
            self._size -= len(states.popleft().data)
        first = states[0].number if states else 0
        while self._slices and self._slices[0].number < first:
            for name, stored in self._slices.popleft().parts.items():
                self._count(name, -len(stored.data) - PART_COST)
        if self._lost_before:
            self._lost_before = {name: number for name, number in self._lost_before.items() if number > first}

    def _make_room(self) -> None:
        """Push out the oldest parts of whoever has most, until the rest has room."""
        while self._size > self._room and self._totals:
            name = max(self._totals, key=self._totals.__getitem__)
            place = max(0, self._lost_before.get(name, 0) - self._slices[0].number)
            while name not in self._slices[place].parts:
                place += 1
            gone = self._slices[place].parts.pop(name)
            self._count(name, -len(gone.data) - PART_COST)
            self._lost_before[name] = self._slices[place].number + 1
