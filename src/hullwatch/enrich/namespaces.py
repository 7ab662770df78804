"""The namespaces that a process lives in, by their numbers, as records carry them."""

from __future__ import annotations

import struct

NAMESPACES = ("pid", "mnt", "net", "user", "ipc", "uts", "cgroup")
"""Their kinds, in the order of the records and of everything here."""

Numbers = tuple[int, ...]
"""A number of each kind, as a link in /proc/PID/ns shows it; 0: there was none; empty: nothing is known."""

_LAYOUT = struct.Struct(f"<{len(NAMESPACES)}I")
_KEPT = 4096  # that are the same object for all processes that have them

_known: dict[bytes, Numbers] = {}


def read_namespaces(value: object) -> Numbers:
    """Return the numbers that a record's parameter has; none if it is empty, or no such parameter."""
    if not isinstance(value, bytes) or len(value) != _LAYOUT.size:
        return ()
    numbers = _known.get(value)
    if numbers is None:
        if len(_known) >= _KEPT:
            _known.clear()
        numbers = _known[value] = _LAYOUT.unpack(value)
    return numbers


def share(numbers: Numbers) -> Numbers:
    """Return the same numbers as one object with all others that are equal; none if the process has none any more."""
    return read_namespaces(_LAYOUT.pack(*numbers)) if any(numbers) else ()
