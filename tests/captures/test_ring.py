"""The ring: bounded in time and memory, and fair to those who do little."""

from __future__ import annotations

import os

from hullwatch.captures.ring import Ring
from hullwatch.captures.split import merge
from tests.captures.capture_files import opens

QUIET, NOISY = "q" * 64, "n" * 64
ROOM = 1 << 20


def name_of(group: bytes) -> str:
    return QUIET if group[0] == 7 else NOISY


def noise(time: int, size: int) -> bytes:
    """Return records that do not get smaller by compressing."""
    return b"".join(opens(5, time + one, os.urandom(2000).hex()) for one in range(size // 4000))


def kept(ring: Ring, name: str, not_before: float = 0.0) -> list[int]:
    """Return the ends of the slices in which a container has something, behind the state at which it begins."""
    return [int(one.end) for one in ring.begin(name, not_before).slices if name in one.parts]


def test_what_is_kept_comes_back() -> None:
    ring = Ring(300, ROOM)
    ring.add_state(b"a state", 0)
    stream = opens(11, 1) + opens(11, 2, inside=True) + opens(11, 3)
    ring.add(stream, 1, name_of)
    begin = ring.begin(QUIET, 0)
    assert begin.state.state() == b"a state"
    assert merge([part.part() for part in begin.slices[0].parts.values()]) == stream
    assert begin.slices[0].parts[QUIET].part().records == opens(11, 2, inside=True)


def test_what_is_older_than_the_span_goes_with_its_states() -> None:
    ring = Ring(10, ROOM)
    for second in range(30):
        ring.add_state(b"%d" % second, second)
        ring.add(opens(11, second + 1, inside=True), second, name_of)
    assert kept(ring, QUIET) == list(range(19, 30))  # the state at 19 is the last one before the span
    assert kept(ring, QUIET, 25) == [25, 26, 27, 28, 29]
    before = ring.size
    for second in range(30, 60):
        ring.add_state(b"%d" % second, second)
        ring.add(opens(11, second + 1, inside=True), second, name_of)
    assert abs(ring.size - before) < 100  # nothing is left behind


def test_a_noisy_container_pushes_out_only_itself() -> None:
    ring = Ring(300, ROOM)
    for second in range(100):
        if second % 10 == 0 or ring.wants_state():
            ring.add_state(b"%d" % second, second)
        ring.add(noise(second, 100_000) + opens(11, second + 1, inside=True), second, name_of)
        assert ring.size <= ROOM
    assert kept(ring, QUIET) == list(range(100))
    begin = ring.begin(NOISY, 0)
    assert begin.short
    loud = kept(ring, NOISY)
    assert 5 < len(loud) < 20
    assert loud == list(range(loud[0], 100))  # without a gap
    assert int(begin.state.state()) == loud[0]
    assert not ring.begin(QUIET, 0).short


def test_a_state_behind_the_last_records_is_no_beginning() -> None:
    ring = Ring(300, ROOM)
    ring.add_state(b"first", 0)
    ring.add(opens(11, 1, inside=True), 1, name_of)
    ring.add_state(b"second", 2)
    assert ring.begin(QUIET, 5).state.state() == b"first"


def test_states_of_many_processes_do_not_take_all_the_room() -> None:
    ring = Ring(300, ROOM)
    for second in range(100):
        ring.add_state(os.urandom(ROOM // 10), second)
        ring.add(opens(11, second + 1, inside=True), second, name_of)
    assert ring.size <= ROOM
    assert kept(ring, QUIET)[0] == 0
    assert kept(ring, QUIET, 99)[0] == 99
