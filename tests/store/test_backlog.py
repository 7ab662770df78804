from __future__ import annotations

import itertools
import random

from hullwatch.store.backlog import WINDOW, Backlog, Entry
from hullwatch.store.frames import ALERTS, FRAME, Sent

CRITICAL, WARNING, DEBUG = 2, 4, 7


def entry(number: int, priority: int = WARNING, size: int = 1000) -> Entry:
    return Entry(Sent(number, 0, bytes(size)), priority)


def numbers(sent: list[Sent]) -> list[int]:
    return [one.number for one in sent]


def test_alerts_go_out_in_their_order_whatever_their_priority() -> None:
    waiting = Backlog()
    for number in range(10):
        waiting.add(entry(number, DEBUG if number % 2 else CRITICAL))
    assert numbers(waiting.next_frame(0)) == list(range(10))
    assert waiting.next_frame(1) == []


def test_a_frame_has_a_limit_in_alerts_and_bytes_but_takes_any_one() -> None:
    waiting = Backlog()
    for number in range(ALERTS + 1):
        waiting.add(entry(number, size=1))
    assert len(waiting.next_frame(0)) < ALERTS + 1
    waiting = Backlog()
    for number in range(3):
        waiting.add(entry(number, size=FRAME + 1))
    assert numbers(waiting.next_frame(0)) == [0]


def test_the_least_severe_go_first_the_oldest_of_them() -> None:
    waiting = Backlog(largest=10 * entry(0).size)
    for number in range(10):
        waiting.add(entry(number, DEBUG if number in {3, 5, 8} else WARNING))
    assert waiting.add(entry(10, CRITICAL)) == 1
    assert waiting.add(entry(11, CRITICAL)) == 1
    assert waiting.add(entry(12, DEBUG)) == 1  # of its own kind, the oldest
    assert waiting.add(entry(13, WARNING)) == 1
    assert waiting.add(entry(14, WARNING)) == 1
    assert numbers(waiting.next_frame(0)) == [1, 2, 4, 6, 7, 9, 10, 11, 13, 14]


def test_what_was_sent_is_kept_until_it_is_stored() -> None:
    waiting = Backlog()
    for number in range(3000):
        waiting.add(entry(number))
    frames = [waiting.next_frame(number) for number in range(5)]
    size = waiting.size
    assert waiting.stored(1) == len(frames[0]) + len(frames[1])
    assert waiting.size < size
    assert len(waiting) == 3000 - len(frames[0]) - len(frames[1])
    waiting.take_back()
    assert numbers(waiting.next_frame(5))[0] == len(frames[0]) + len(frames[1])


def test_only_so_much_is_sent_before_something_is_stored() -> None:
    waiting = Backlog()
    for number in range(2 * WINDOW // 1000):
        waiting.add(entry(number))
    for number in itertools.count():
        if not waiting.next_frame(number):
            break
    assert not waiting.has_waiting
    assert waiting.stored(0)
    assert waiting.has_waiting


def test_nothing_is_lost_or_doubled_whatever_happens() -> None:
    chance = random.Random(4)
    waiting = Backlog(largest=60_000)
    added, dropped, stored, sent, frame = 0, 0, 0, 0, 0
    out: dict[int, list[int]] = {}
    for _ in range(5000):
        match chance.randrange(5):
            case 0 | 1:
                for _ in range(chance.randrange(20)):
                    dropped += waiting.add(entry(added, chance.randrange(8), chance.randrange(2000)))
                    added += 1
            case 2:
                found = waiting.next_frame(frame)
                if found:
                    out[frame] = numbers(found)
                    assert out[frame] == sorted(out[frame])
                    frame += 1
            case 3 if out:
                last = chance.choice(list(out))
                done = [number for number in out if number <= last]
                assert waiting.stored(last) == sum(len(out.pop(number)) for number in done)
                stored += 1
            case _:
                if chance.random() < 0.2:
                    waiting.take_back()
                    out.clear()
        sent = sum(map(len, out.values()))
        assert waiting.size <= 60_000 or len(waiting) == sent
    assert dropped
    assert stored
