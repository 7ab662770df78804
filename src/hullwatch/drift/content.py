"""Contents of files as hashes, each state of a file read once."""

from __future__ import annotations

import hashlib
import os
import time
from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

HASHES_KEPT = 8192
_BLOCK = 1 << 20  # bytes

Key = TypeVar("Key")
Value = TypeVar("Value")


class TooLongError(Exception):
    """The time for a question is over."""


class State(NamedTuple):
    """What tells the states of a file apart: an equal one has the same content."""

    device: int
    ino: int
    size: int
    mtime: int
    ctime: int


def state_of(found: os.stat_result) -> State:
    """Return the state of a file."""
    return State(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Recent(Generic[Key, Value]):
    """The values that were asked for last, a bounded number."""

    def __init__(self, maximum: int) -> None:
        """Start with none."""
        self._maximum = maximum
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return the value of a key; None when it is not there."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> Value | None:
        """Keep a value; return the one that had to go for it."""
        self._values[key] = value
        self._values.move_to_end(key)
        return self._values.popitem(last=False)[1] if len(self._values) > self._maximum else None


class Hashes:
    """SHA-256 of files, remembered by their state."""

    def __init__(self) -> None:
        """Start with none known."""
        self._known: Recent[State, str] = Recent(HASHES_KEPT)
        self.read = 0  # files, for tests

    def of(self, descriptor: int, state: State, deadline: float) -> str:
        """Return the hash of an open file.

        Args:
            descriptor: of a regular file.
            state: of that file.
            deadline: on the monotonic clock.

        Raises:
            OSError: when it cannot be read.
            TooLongError: when that takes too long.
        """
        known = self._known.get(state)
        if known is None:
            self.read += 1
            known = _hash(descriptor, state.size, deadline)
            self._known.put(state, known)
        return known


def _hash(descriptor: int, size: int, deadline: float) -> str:
    digest, position = hashlib.sha256(), 0
    while position < size:  # a file that grows has no end
        check(deadline)
        block = os.pread(descriptor, min(_BLOCK, size - position), position)
        if not block:
            break
        digest.update(block)
        position += len(block)
    return digest.hexdigest()


def check(deadline: float) -> None:
    """Raise ``TooLongError`` when the time is over."""
    if time.monotonic() > deadline:
        raise TooLongError
