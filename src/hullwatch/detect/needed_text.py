"""Texts without which a pattern matches nothing: where none of them occurs, nobody has to ask the pattern."""

from __future__ import annotations

import re

_LETTER_ESCAPES = frozenset("dDwWsSbBAzafnrtvC")  # they stand for a class, a place, or a control character
_HEXADECIMAL = re.compile(r"x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]{1,8}\})|[pP](?:[A-Z]|\{\^?\w{1,40}\})")
_COUNT = re.compile(r"\{(\d{1,6})(?:,\d{0,6})?\}")
# A bracket: what stands in it is one character.
_BRACKET = re.compile(r"\[\^?\]?(?:\[:\^?[a-z]*:\]|\\.|[^\]\\])*\]", re.DOTALL)
DEEPEST = 30  # groups within each other


class _HardToSayError(Exception):
    """The pattern has something that this reader does not know."""


def needed_by_regex(pattern: str, *, shortest: int = 4) -> frozenset[str] | None:
    """Return texts of which at least one occurs in all that matches an RE2 expression; None if that is hard to say.

    Args:
        pattern: as https://github.com/google/re2/wiki/Syntax has it, without what POSIX does not know: ``(?i)``.
        shortest: characters that a text has at least.
    """
    try:
        reader = _Reader(pattern, shortest=shortest)
        found = reader.alternatives(0)
    except _HardToSayError:
        return None
    return found if reader.is_at_end else None


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, pattern: str, *, shortest: int) -> None:
        self._pattern = pattern
        self._shortest = shortest
        self._place = 0

    @property
    def is_at_end(self) -> bool:
        return self._place == len(self._pattern)

    def alternatives(self, depth: int) -> frozenset[str] | None:
        """Read up to the end of a group; return what one of its alternatives needs, None if one needs nothing."""
        if depth > DEEPEST:
            raise _HardToSayError
        needed = [self._sequence(depth)]
        while self._take("|"):
            needed.append(self._sequence(depth))
        return None if None in needed else frozenset[str]().union(*(one for one in needed if one))

    def _sequence(self, depth: int) -> frozenset[str] | None:
        """Read one alternative; return the best that it needs."""
        candidates: list[frozenset[str]] = []
        run = ""
        while not self.is_at_end and self._pattern[self._place] not in "|)":
            literal, group = self._atom(depth)
            least, is_single = self._count()
            if literal and least:
                run += literal
                if is_single:
                    continue
            candidates.append(frozenset({run}))
            run = ""
            if group is not None and least:
                candidates.append(group)
        candidates.append(frozenset({run}))
        best = max(candidates, key=lambda texts: min(map(len, texts)))
        return best if min(map(len, best)) >= self._shortest else None

    def _atom(self, depth: int) -> tuple[str, frozenset[str] | None]:
        """Read what a count may stand behind; return the character that it is, if it is one, and what a group needs."""
        character = self._pattern[self._place]
        if character == "\\":
            return self._escape(), None
        if character == "[":
            return self._skip(_BRACKET), None
        self._place += 1
        if character == "(":
            return "", self._group(depth)
        if character in "*+?":
            raise _HardToSayError
        return ("" if character in ".^$" or not character.isascii() else character), None

    def _group(self, depth: int) -> frozenset[str] | None:
        if self._pattern.startswith("?", self._place):
            raise _HardToSayError
        needed = self.alternatives(depth + 1)
        if not self._take(")"):
            raise _HardToSayError
        return needed

    def _escape(self) -> str:
        self._place += 1
        if self.is_at_end:
            raise _HardToSayError
        character = self._pattern[self._place]
        if character in _LETTER_ESCAPES:
            self._place += 1
            return ""
        if character.isalnum():
            return self._skip(_HEXADECIMAL)
        self._place += 1
        return character if character.isascii() else ""

    def _skip(self, what: re.Pattern[str]) -> str:
        found = what.match(self._pattern, self._place)
        if found is None:
            raise _HardToSayError
        self._place = found.end()
        return ""

    def _count(self) -> tuple[int, bool]:
        """Read how often something comes; return the least number, and whether it comes once."""
        least, is_single = 1, True
        while not self.is_at_end:
            counted = _COUNT.match(self._pattern, self._place)
            if self._pattern[self._place] in "*?":
                least, is_single = 0, False
            elif self._pattern[self._place] == "+" or (counted and int(counted[1])):
                is_single = False
            elif counted:
                least, is_single = 0, False
            else:
                break
            self._place += len(counted[0]) if counted else 1
        return least, is_single

    def _take(self, character: str) -> bool:
        if self._pattern.startswith(character, self._place):
            self._place += 1
            return True
        return False
