"""The memory of rules by key: what it says it takes is what it keeps, and the least used goes first."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from hullwatch.detect.keyed_memory import KEY_SIZE, KeyedMemory


class Note(NamedTuple):
    size: int
    until: int = 0


def test_a_key_that_is_put_again_takes_its_new_size() -> None:
    memory: KeyedMemory[Note] = KeyedMemory()
    memory.put(("abc", 1), Note(10))
    memory.put(("abc", 1), Note(20))
    assert (len(memory), memory.size) == (1, KEY_SIZE + 3 + 20)
    memory.forget(("abc", 1))
    memory.forget(("abc", 1))
    assert (len(memory), memory.size) == (0, 0)


def test_what_was_put_longest_ago_goes_first() -> None:
    memory: KeyedMemory[Note] = KeyedMemory()
    for key in (1, 2, 3, 1):
        memory.put((key,), Note(0))
    assert memory.shrink(2 * KEY_SIZE) == 1
    assert [memory.get((key,)) is not None for key in (1, 2, 3)] == [True, False, True]
    assert memory.shrink(0) == 2


def test_what_matters_no_more_goes_and_what_still_does_stays() -> None:
    memory: KeyedMemory[Note] = KeyedMemory()
    for key, until in ((1, 10), (2, 20), (3, 30)):
        memory.put((key,), Note(0, until))
    memory.expire(20)
    assert [memory.get((key,)) is not None for key in (1, 2, 3)] == [False, True, True]


@given(
    st.lists(st.tuples(st.sampled_from(["put", "forget", "expire", "shrink"]), st.integers(0, 9), st.integers(0, 999)))
)
def test_its_size_is_that_of_what_it_keeps(moves: list[tuple[str, int, int]]) -> None:
    memory: KeyedMemory[Note] = KeyedMemory()
    for move, key, number in moves:
        if move == "put":
            memory.put((key,), Note(number, number))
        elif move == "forget":
            memory.forget((key,))
        elif move == "expire":
            memory.expire(number)
        else:
            memory.shrink(number)
        kept = [note for one in range(10) if (note := memory.get((one,))) is not None]
        assert len(kept) == len(memory)
        assert memory.size == sum(note.size + KEY_SIZE for note in kept)
