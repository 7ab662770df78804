"""Walking over events of a .scap file that are nothing: they change nothing, or nothing new, and no rule matches them.

Most events of a capture are such ones. In C where it was built (``native/classifier/scap.c``), a walk ends at each
event that Python has to look at; what was walked over is counted. Without it Python looks at all, which gives the same.

What rules ask for, and calls that make a descriptor, are looked at once: one that differs in nothing that it can be
judged by is walked over too (``scap_again.c``), and what it has made is noted.
"""

from __future__ import annotations

import ctypes
import os
import struct
import weakref
from typing import TYPE_CHECKING, Any

from hullwatch.captures.scap.blocks import Block
from hullwatch.captures.scap.calls import CALL_CODES, CALL_NUMBERS
from hullwatch.captures.scap.paths import AT_FDCWD
from hullwatch.captures.scap.table import KINDS
from hullwatch.captures.scap.walk_tables import CALLS, LAST_GENERIC, TYPES, Asked, calls_table, types_table
from hullwatch.detect.native import library

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from hullwatch.captures.scap.descriptors import Descriptor
    from hullwatch.captures.scap.raw_event import RawEvent
    from hullwatch.captures.scap.state import Around, State
    from hullwatch.captures.scap.threads import Thread

# As in native/classifier/scap.h; tests/native/test_scap.py compares them.
CHANGES = 1024
LONGEST_BEGUN = 512
CHANGE = struct.Struct("<qqIIQ")
KEPT = 1 << 16
_NOTHING = 1  # was made; 0 is for those that were closed
_BLOCK = struct.Struct("<I")


class Counts(ctypes.Structure):
    """``struct hw_scap_counts``."""

    _fields_ = (
        ("blocks", ctypes.c_uint64),
        ("events", ctypes.c_uint64),
        ("types", ctypes.c_uint64 * TYPES),
        ("codes", ctypes.c_uint64 * CALLS),
        ("numbers", ctypes.c_uint64 * CALLS),
        ("room", ctypes.c_uint64),
        ("key", ctypes.c_uint64),
        ("asked", ctypes.c_uint64),
        ("thread", ctypes.c_int64),
        ("changed", ctypes.c_uint64),
        ("begun", ctypes.c_uint64),
        ("block", ctypes.c_uint8 * LONGEST_BEGUN),
        ("changes", ctypes.c_uint8 * (CHANGE.size * CHANGES)),
    )


class Skipper:
    """Walks over events, in C.

    Attributes:
        blocks: that were walked over.
    """

    def __init__(self, asked: Asked, state: State) -> None:
        """Give the tables to the library, which has to be there.

        Args:
            asked: what has to be looked at.
            state: of the capture; it is kept as if each event had been looked at.

        Raises:
            MemoryError: when there is none.
        """
        self._state = state
        self._remembered = asked.remembered
        self._library: Any = library()
        self._memory = bytearray(ctypes.sizeof(Counts))
        self._counts = Counts.from_buffer(self._memory)
        self._changes = memoryview(self._memory)[Counts.changes.offset :]
        self._handle: Any = self._library.hw_scap_new(
            types_table(asked), TYPES, calls_table(asked.needed), ctypes.byref(self._counts), os.urandom(16)
        )
        if not self._handle:
            raise MemoryError
        weakref.finalize(self, self._library.hw_scap_free, self._handle)
        self._skip = self._library.hw_scap_skip
        self._told: set[int] = set()
        self.blocks = self._events = 0
        self._moved = self._news = -1
        self._contexts: dict[Hashable, int] = {}
        self._next_context = 1
        self._made: list[Descriptor | None] = [None, None]

    def skip(self, data: bytes, begin: int) -> tuple[int, int]:
        """Return where the first block begins that has to be looked at, and how many were walked over."""
        counts, state, size = self._counts, self._state, len(data)
        state.finish()
        if state.moved != self._moved:
            self._moved = state.moved
            self._library.hw_scap_forget_threads(self._handle)
        if state.accounts.news != self._news:
            self._news = state.accounts.news
            self._forget()
        counts.room = state.threads.room
        begin = self._skip(self._handle, data, begin, size)
        while True:
            changed, asked = counts.changed, counts.asked
            if changed:
                state.change(self._take_changes(changed))
            if asked:
                self._answer(counts.thread)
            elif changed < CHANGES:
                break
            counts.room = state.threads.room
            begin = self._skip(self._handle, data, begin, size)
        blocks = counts.blocks
        skipped, self.blocks = blocks - self.blocks, blocks
        return begin, skipped

    def _take_changes(self, number: int) -> Iterator[tuple[int, int, Descriptor | None]]:
        """Yield the descriptors that were made and closed; None for what one was of that was closed."""
        self._counts.changed = 0
        made = self._made
        changes: Iterator[tuple[int, ...]] = CHANGE.iter_unpack(self._changes[: number * CHANGE.size])
        for tid, fd, which, has_inode, inode in changes:
            descriptor = made[which]
            if has_inode and descriptor is not None and descriptor.ino != inode:
                descriptor = descriptor._replace(ino=inode)
            yield tid, fd, descriptor

    def _answer(self, tid: int) -> None:
        """Say what the events of a thread are judged by."""
        thread = self._state.threads.find(tid)
        if thread is None:
            self._library.hw_scap_know(self._handle, tid, 0)
            self._told.discard(tid)
            return
        key = self._context(thread)
        number = self._contexts.get(key)
        if number is None:
            if len(self._contexts) >= KEPT:
                self._contexts.clear()
            number = self._contexts[key] = self._next_context
            self._next_context += 1
        self._library.hw_scap_judge_by(self._handle, tid, number)

    def _context(self, thread: Thread) -> tuple[Hashable, ...]:
        return self._remembered.context(thread, self._state) if self._remembered is not None else (thread.cwd,)

    def take_begun(self, position: int) -> Block | None:
        """Return the beginning of the call that the event ends which is looked at next, where it was walked over."""
        length = self._counts.begun
        if not length:
            return None
        self._counts.begun = 0
        data = bytes(self._counts.block[:length])
        return Block(_BLOCK.unpack_from(data)[0], data, 8, length - 4, position)

    def learn(self, event: RawEvent, begun: RawEvent | None, around: Around) -> None:
        """Remember that the event that was looked at last, and that is done with, was nothing.

        Args:
            event: in its newest form.
            begun: what ``take_begun`` has given for it.
            around: what is known around it.
        """
        key = self._counts.key
        if not key or self._state.moved != self._moved:
            return
        self._counts.key = 0
        which = _NOTHING
        if around.number is not None and around.number >= 0:
            if around.descriptor is None or _is_below_another(event) or (begun and _is_below_another(begun)):
                return
            if len(self._made) > KEPT:
                self._forget()
            which = len(self._made)
            self._made.append(around.descriptor)
        self._library.hw_scap_learn(self._handle, key, which)

    def _forget(self) -> None:
        """Forget what was learned."""
        self._made = [None, None]
        self._library.hw_scap_forget(self._handle)

    def take_number(self) -> int:
        """Return how many events that have a number were walked over since the last time."""
        events = self._counts.events
        number, self._events = events - self._events, events
        return number

    def know(self, tid: int) -> None:
        """Say that a thread is known."""
        if tid not in self._told:
            self._told.add(tid)
            self._library.hw_scap_know(self._handle, tid, 1)

    def know_not(self, tid: int) -> None:
        """Say that a thread is no longer known."""
        if tid in self._told:
            self._told.discard(tid)
            self._library.hw_scap_know(self._handle, tid, 0)

    def has_no_numbers(self) -> None:
        """Say that the kernel's numbers of calls are not those of x86_64."""
        self._library.hw_scap_no_numbers(self._handle)

    def counts(self) -> Mapping[str, int]:
        """Return how many events of each type were walked over."""
        found: dict[str, int] = {}
        rows = (
            *((KINDS[number].name, self._counts.types[number]) for number in KINDS if number > LAST_GENERIC),
            *((name, self._counts.codes[code]) for code, (name, _) in CALL_CODES.items()),
            *((name, self._counts.numbers[number]) for number, name in CALL_NUMBERS.items()),
        )
        for name, number in rows:
            if number:
                found[name] = found.get(name, 0) + number
        return found


def _is_below_another(event: RawEvent) -> bool:
    """Tell whether an event names a path that is relative to another directory than the working directory."""
    for place, parameter in enumerate(event.kind.parameters):
        if parameter.directory >= 0 and not event.bytes(place).startswith(b"/"):
            return event.integer(parameter.directory, AT_FDCWD) != AT_FDCWD
    return False
