"""Numbers for what a process and its ancestors run.

Programs are started again and again by the same parents. Two processes with one number differ in nothing but
ids, times and inodes, so what was found out about the first holds for the second.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hullwatch.enrich.process import Process

NUMBERS_KEPT = 1 << 16
TEXT_KEPT = 16 << 20  # characters in all that is numbered: directories have names of any length


class Ancestries:
    """Gives the numbers; a number is never given to anything else, and one that was forgotten is replaced by another.

    A process is known by its program's ``content``, its container, and whether it is the first of its pid namespace.
    """

    def __init__(self) -> None:
        """Start with nothing numbered."""
        self._numbers: dict[tuple[tuple[object, ...], bool, str, int], int] = {}
        self._text = 0  # characters in them
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
            above = self._numbers.get(key, 0)
            if not above:
                if len(self._numbers) >= NUMBERS_KEPT or self._text >= TEXT_KEPT:
                    self._numbers.clear()
                    self._text = 0
                self._text += sum(len(part) for part in program.content if isinstance(part, str))
                above = self._numbers[key] = self._next()
            one.ancestry = above
        return above
