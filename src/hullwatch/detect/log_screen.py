"""Texts without which no rule over logs can match a line: one look at a line tells which rules have to be asked.

Nearly all lines have none of them. RE2 finds all texts of all rules in one pass over the bytes of a line.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hullwatch.detect.needed_text import needed_by_regex
from hullwatch.rules.syntax import FieldUse, Transformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.rules.graph import Graph
    from hullwatch.rules.syntax import Check

FIELD = "log.text"
SHORTEST = 3  # characters of a text; a shorter one is in too many lines
MOST_TEXTS = 20_000
MOST_KNOWN = 20_000  # sets of texts that were in a line together
_HOLDING = frozenset({"=", "in", "contains", "icontains", "startswith", "endswith"})  # the line holds what is written
_CASE = frozenset({"tolower", "toupper"})

Texts = frozenset[str]
Needed = tuple[Texts, ...]
"""Sets of texts in lower case: a line that matches has one of each set, in any case of its letters."""


def needed_by(graph: Graph, root: int) -> Needed:
    """Return what a condition needs of ``log.text``."""
    found: dict[int, Needed] = {}
    for number in graph.below(root):
        node = graph.nodes[number]
        parts = [found[part] for part in node.parts]
        if node.kind == "literal":
            texts = _needed_by_check(graph.checks[node.atom]) if node.positive else None
            found[number] = () if texts is None else (texts,)
        elif node.kind == "and":
            found[number] = tuple(dict.fromkeys(texts for part in parts for texts in part))
        elif node.kind == "or" and all(parts):
            found[number] = (frozenset[str]().union(*(max(part, key=_worth) for part in parts)),)
        else:
            found[number] = ()
    return found[root]


def _worth(texts: Texts) -> tuple[int, int]:
    """Return how rare texts are: the shortest decides, then their number."""
    return min(map(len, texts), default=0), -len(texts)


def _needed_by_check(check: Check) -> Texts | None:
    left = check.left
    if isinstance(left, Transformed) and left.name in _CASE and len(left.arguments) == 1:
        (inner,) = left.arguments
        left = inner if isinstance(inner, FieldUse) else left
    if not isinstance(left, FieldUse) or left.name != FIELD or check.modifier == "allof":
        return None
    values = check.written()
    if values is None:
        return None
    needed: set[str] = set()
    for value in values:
        texts = _of_value(check.operator, value)
        if texts is None:
            return None
        needed |= texts
    lowered = frozenset(text.lower() for text in needed)
    return lowered if lowered and all(text.isascii() and len(text) >= SHORTEST for text in lowered) else None


def _of_value(operator: str, value: str) -> Texts | None:
    if operator == "regex":
        return needed_by_regex(value, shortest=SHORTEST)
    return frozenset({value}) if operator in _HOLDING else None


class LogScreen:
    """Tells which conditions a line may fulfil.

    Args:
        needed: what each condition needs.

    Attributes:
        always: the conditions that need nothing, and so are asked for every line.
    """

    def __init__(self, needed: Sequence[Needed]) -> None:
        """Make the search."""
        texts = sorted(frozenset[str]().union(*(one for sets in needed for one in sets)))
        self._match = _searcher(texts) if 0 < len(texts) <= MOST_TEXTS else None
        numbers = {text: number for number, text in enumerate(texts)}
        self._needed = [
            [frozenset(numbers[text] for text in one) for one in sets] if self._match is not None else []
            for sets in needed
        ]
        self.always = self._with(())
        self._known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def asked(self, text: str) -> tuple[int, ...]:
        """Return the places of the conditions to ask for a line, in their order."""
        if self._match is None:
            return self.always
        hits = self._match(text.encode("utf-8", "replace"))
        if not hits:
            return self.always
        key = tuple(hits)
        found = self._known.get(key)
        if found is None:
            found = self._with(key)
            if len(self._known) < MOST_KNOWN:
                self._known[key] = found
        return found

    def _with(self, hits: tuple[int, ...]) -> tuple[int, ...]:
        """Return the places of the conditions that a line with some texts, and no others, may fulfil."""
        return tuple(
            [place for place, sets in enumerate(self._needed) if not any(one.isdisjoint(hits) for one in sets)]
        )


def _searcher(texts: Sequence[str]) -> Callable[[bytes], list[int] | None] | None:
    """Return what finds the numbers of the texts that are in a line; None where RE2 is missing or cannot."""
    try:
        library: Any = importlib.import_module("re2")
    except ImportError:
        return None
    options = library.Options()
    options.case_sensitive = False
    options.never_capture = True
    options.encoding = library.Options.Encoding.LATIN1  # bytes, of which only ASCII letters have a case
    found = library.Set.SearchSet(options)
    try:
        for text in texts:
            found.Add(library.escape(text))
        found.Compile()
    except Exception:  # noqa: BLE001 - RE2's errors have no base; so many texts do not fit into its memory
        return None
    return found.Match
