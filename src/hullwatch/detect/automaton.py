"""The automaton that finds words, as a table for the classifier in C (Aho and Corasick, 1975)."""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MAXIMUM_CELLS = 1 << 22  # states times columns: 16 MB


class Automaton(NamedTuple):
    """The table.

    Attributes:
        columns: 256 numbers: the column of each byte; 0 for those that are in no word.
        column_count: how many columns there are.
        next: the state that follows, by state and column; 32-bit numbers.
        output_ends: by state, where its words end in ``outputs``; they begin where those of the state before end.
        outputs: a number for each word that ends in a state: its position times two, plus 1 if it does not decide.
    """

    columns: bytes
    column_count: int
    next: array[int]
    output_ends: array[int]
    outputs: array[int]


def make_automaton(words: Sequence[str], undecided: frozenset[int]) -> Automaton | None:
    """Return the automaton of some ASCII words; None if it would be too large.

    Args:
        words: not empty.
        undecided: positions of the words that do not decide.
    """
    letters = sorted({byte for word in words for byte in word.encode("ascii")})
    columns = bytearray(256)
    for column, byte in enumerate(letters, start=1):
        columns[byte] = column
    width = len(letters) + 1
    if (1 + sum(map(len, words))) * width > MAXIMUM_CELLS:
        return None
    children: list[dict[int, int]] = [{}]
    ends: list[list[int]] = [[]]
    for position, word in enumerate(words):
        state = 0
        for byte in word.encode("ascii"):
            column = columns[byte]
            if column not in children[state]:
                children[state][column] = len(children)
                children.append({})
                ends.append([])
            state = children[state][column]
        ends[state].append(position * 2 + (position in undecided))
    table = _table(children, ends, width)
    output_ends, outputs = array("I"), array("I")
    for found in ends:
        outputs.extend(found)
        output_ends.append(len(outputs))
    return Automaton(bytes(columns), width, table, output_ends, outputs)


def _table(children: list[dict[int, int]], ends: list[list[int]], width: int) -> array[int]:
    """Return the next states; words that end in a state's longest proper suffix are added to its own."""
    table = array("I", bytes(4 * len(children) * width))
    suffix = [0] * len(children)
    pending = deque[int]()
    for column, child in children[0].items():
        table[column] = child
        pending.append(child)
    while pending:
        state = pending.popleft()
        fallback = suffix[state]
        table[state * width : (state + 1) * width] = table[fallback * width : (fallback + 1) * width]
        ends[state] += ends[fallback]
        for column, child in children[state].items():
            suffix[child] = table[fallback * width + column]
            table[state * width + column] = child
            pending.append(child)
    return table
