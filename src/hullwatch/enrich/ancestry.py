"""Numbers for what a process and its ancestors run.

Programs are started again and again by the same parents. Two processes with one number differ in nothing but
ids, times and inodes, so what was found out about the first holds for the second.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hullwatch.enrich.process import Process

NUMBERS_KEPT = 1 << 13
TEXT_KEPT = 2 << 20  # characters in all that is numbered: directories have names of any length

_Key = tuple[tuple[object, ...], bool, str, int]


class Ancestries:
    """Gives the numbers; a number is never given to anything else, and one that was forgotten is replaced by another.

    There are two tables: when the newer one is half of all that is kept, it becomes the older one, and what is found
    in that one comes to the newer. So what comes again and again stays, however much there is that comes once.

    A process is known by its program's ``content``, its container, and whether it is the first of its pid namespace.
    """

    def __init__(self) -> None:
        """Start with nothing numbered."""
        self._newer: dict[_Key, int] = {}
        self._older: dict[_Key, int] = {}
        self._text = 0  # characters in the newer ones
        self._next = itertools.count(1).__next__

    def number(self, process: Process) -> int:
        """Return the number of a process; it is kept in ``process.ancestry`` until something changes."""
        if process.ancestry:
            return process.ancestry
        line = [process]
        while (parent := line[-1].parent) is not None and not parent.ancestry:
            line.append(parent)
        above = 0 if parent is None else parent.ancestry
        for one in reversed(line):
            program = one.program
            if not program.content:  # not from a record: like no other
                program.set_content(object())
            key = (program.content, one.vpid == 1, one.container_id, above)
            above = self._newer.get(key, 0) or self._enter(key)
            one.ancestry = above
        return above

    def _enter(self, key: _Key) -> int:
        """Put a line into the newer table; return its number."""
        if len(self._newer) >= NUMBERS_KEPT // 2 or self._text >= TEXT_KEPT // 2:
            self._older, self._newer, self._text = self._newer, {}, 0
        self._text += sum([len(part) for part in key[0] if isinstance(part, str)])
        number = self._newer[key] = self._older.get(key, 0) or self._next()
        return number
