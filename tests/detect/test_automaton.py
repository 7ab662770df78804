"""The automaton's table beside a plain search."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hullwatch.detect.automaton import MAXIMUM_CELLS, Automaton, make_automaton

_word = st.text("ab/\x01", min_size=1, max_size=4)


def found(table: Automaton, text: bytes) -> list[list[int]]:
    """Return what ends at each byte of a text."""
    state, every = 0, list[list[int]]()
    for byte in text:
        state = table.next[state * table.column_count + table.columns[byte]]
        begin = table.output_ends[state - 1] if state else 0
        every.append(sorted(table.outputs[begin : table.output_ends[state]]))
    return every


@settings(max_examples=300)
@given(st.lists(_word, min_size=1, max_size=6), st.sets(st.integers(0, 5)), st.text("ab/\x01c\x00é", max_size=20))
@example(["ab", "b", "ab", "aab"], {1}, "aabab")
def test_every_word_is_found_where_it_ends(words: list[str], undecided: set[int], text: str) -> None:
    table = make_automaton(words, frozenset(undecided))
    assert table is not None
    raw = text.encode()
    assert found(table, raw) == [
        sorted(
            2 * place + (place in undecided) for place, word in enumerate(words) if raw[:end].endswith(word.encode())
        )
        for end in range(1, len(raw) + 1)
    ]


@given(st.lists(_word, min_size=1, max_size=6))
def test_every_number_in_the_table_is_one_that_there_is(words: list[str]) -> None:
    table = make_automaton(words, frozenset())
    assert table is not None
    states = len(table.output_ends)
    assert len(table.columns) == 256
    assert max(table.columns) == table.column_count - 1
    assert len(table.next) == states * table.column_count
    assert max(table.next) < states
    assert list(table.output_ends) == sorted(table.output_ends)
    assert table.output_ends[-1] == len(table.outputs)
    assert table.next.itemsize == table.output_ends.itemsize == table.outputs.itemsize == 4


def test_words_that_would_take_too_much_memory_have_no_table() -> None:
    assert make_automaton(["ab" * 1000], frozenset()) is not None
    assert make_automaton(["abc" * (MAXIMUM_CELLS // 9)], frozenset()) is None


def test_words_are_ascii() -> None:
    with pytest.raises(UnicodeEncodeError):
        make_automaton(["é"], frozenset())
