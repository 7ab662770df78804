import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hullwatch.outputs import queue_log
from hullwatch.outputs.queue import DAMAGED, FULL, TOO_LARGE, Queue

LIMIT = 1 << 20


class Kept(Queue):
    """A queue that remembers what it has counted."""

    def __init__(self, directory: Path, limit: int = LIMIT) -> None:
        self.counted: Counter[str] = Counter()
        self.by_priority: Counter[str] = Counter()
        directory.mkdir(exist_ok=True)
        super().__init__(directory, limit, self._add)

    def _add(self, reason: str, number: int, priority: str = "") -> None:
        self.counted[reason] += number
        self.by_priority[priority] += number


def take(queue: Queue, most: int = 1000, size: int = 1 << 30) -> list[bytes]:
    return [taken.payload for taken in queue.take(most, size, 0)]


def drain(queue: Queue) -> list[bytes]:
    found: list[bytes] = []
    while batch := take(queue, 7):
        found += batch
        queue.settle(len(batch))
    return found


def on_disk(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def test_what_goes_in_comes_out_in_order_whatever_its_priority(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    entries = [(number % 8, b"%d" % number) for number in range(500)]
    queue.put(entries[:250])
    queue.put(entries[250:])
    assert queue.depth == 500
    assert drain(queue) == [payload for _, payload in entries]
    assert queue.depth == 0


def test_a_queue_that_was_left_without_being_closed_has_all_that_was_not_settled(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    queue.put([(number % 3, b"%d" % number) for number in range(100)])
    assert len(take(queue, 40)) == 40
    queue.settle(30)  # ten are under way
    again = Kept(tmp_path)
    assert again.depth == 70
    again.put([(0, b"new")])
    assert drain(again) == [b"%d" % number for number in range(30, 100)] + [b"new"]
    assert not again.counted


def test_a_full_queue_leaves_out_the_least_severe_first_and_of_those_the_oldest(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    large = b"x" * 10_000
    queue.put([(7, b"debug%d" % number + large) for number in range(60)])
    queue.put([(2, b"critical%d" % number + large) for number in range(60)])
    found = [payload.rstrip(b"x") for payload in drain(queue)]
    debug = [payload for payload in found if payload.startswith(b"debug")]
    assert [payload for payload in found if payload.startswith(b"critical")] == [
        b"critical%d" % number for number in range(60)
    ]
    assert 0 < len(debug) < 60
    assert debug == [b"debug%d" % number for number in range(60 - len(debug), 60)]
    assert queue.counted == {FULL: 60 - len(debug)}
    assert queue.by_priority == {"Debug": 60 - len(debug)}


def test_a_full_queue_of_severe_ones_leaves_out_a_new_one_that_is_less_severe(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    queue.put([(0, b"x" * 10_000)] * 91)
    before = queue.depth
    queue.put([(7, b"y" * 10_000), (7, b"z" * 10_000)])
    assert queue.depth == before
    assert queue.counted[FULL] >= 2
    assert queue.by_priority["Debug"] == 2
    assert all(payload.startswith(b"x") for payload in drain(queue))


def test_what_is_under_way_is_not_left_out_while_its_receiver_is_down(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    queue.put([(5, b"first%d" % number) for number in range(10)])
    under_way = take(queue)
    for number in range(400):
        queue.put([(5, b"%d" % number + b"x" * 10_000)])
    assert on_disk(tmp_path) <= LIMIT * 1.05
    assert queue.depth == 400 - queue.counted[FULL] + 10
    assert under_way == [b"first%d" % number for number in range(10)]
    queue.settle(10)
    rest = drain(queue)
    assert len(rest) == 400 - queue.counted[FULL]
    assert rest[-1].startswith(b"399")


@pytest.mark.parametrize("size", [200, 3000, 100_000])
def test_the_disk_has_no_more_than_the_limit_whatever_comes(tmp_path: Path, size: int) -> None:
    queue = Kept(tmp_path)
    number = 0
    for turn in range(25):
        queue.put([((number := number + 1) % 8, b"x" * size) for _ in range(1 + 150_000 // size)])
        if turn % 3 == 0:
            queue.settle(len(take(queue, 5)))
        assert on_disk(tmp_path) <= LIMIT * 1.1 + 2 * size
    assert queue.counted[FULL] + queue.depth > 0


def test_a_message_larger_than_an_eighth_of_the_queue_is_counted(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    queue.put([(7, b"x" * 100_000)] * 9)
    queue.put([(0, b"x" * (LIMIT // 4))])
    assert queue.counted == {TOO_LARGE: 1}


def test_files_go_when_their_messages_are_settled(tmp_path: Path) -> None:
    queue = Kept(tmp_path, 64 << 20)
    for _ in range(200):
        queue.put([(4, b"x" * 50_000)])
    assert len(list(tmp_path.glob("4-*.queue"))) > 5
    drain(queue)
    assert len(list(tmp_path.glob("4-*.queue"))) == 1


def test_half_a_message_at_the_end_is_what_a_crash_left_and_is_cut_off(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    queue.put([(1, b"whole"), (1, b"half of this")])
    [file] = tmp_path.glob("1-*.queue")
    os.truncate(file, file.stat().st_size - 4)
    again = Kept(tmp_path)
    again.put([(1, b"next")])
    assert drain(again) == [b"whole", b"next"]
    assert not again.counted


@settings(max_examples=40)
@given(st.data())
def test_damage_of_any_byte_costs_one_message_and_is_counted(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("queue")
    queue = Kept(directory)
    queue.put([(1, b"%d" % number * 20) for number in range(10)])
    queue.close()
    [file] = directory.glob("1-*.queue")
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    again = Kept(directory)
    found = drain(again)
    assert len(found) >= 9
    assert set(found) <= {b"%d" % number * 20 for number in range(10)}
    last = len(content) - queue_log.OVERHEAD - 20
    assert again.counted == {DAMAGED: 1} or place >= last
    again.close()


def test_positions_that_cannot_be_read_repeat_messages_and_lose_none(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    queue.put([(1, b"a"), (1, b"b")])
    queue.settle(len(take(queue, 1)))
    queue.close()
    (tmp_path / "positions").write_bytes(b"\xff" * 1024)
    assert drain(Kept(tmp_path)) == [b"a", b"b"]


def test_a_disk_that_is_full_is_counted_and_what_was_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Kept(tmp_path)
    queue.put([(1, b"a")])
    write = os.write

    def write_some(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[:10])

    monkeypatch.setattr(queue_log.os, "write", write_some)
    queue.put([(1, b"b"), (1, b"c")])
    monkeypatch.undo()
    assert queue.counted == {"its queue cannot be written: No space left on device": 2}
    queue.put([(1, b"d")])
    assert drain(queue) == [b"a", b"d"]


def test_taking_waits_for_the_first_message(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    found: list[list[bytes]] = []
    thread = threading.Thread(target=lambda: found.append([taken.payload for taken in queue.take(10, 1000, 30)]))
    thread.start()
    queue.put([(1, b"a")])
    thread.join(10)
    assert found == [[b"a"]]


def test_a_batch_is_no_larger_than_asked_for_but_has_at_least_one(tmp_path: Path) -> None:
    queue = Kept(tmp_path)
    queue.put([(1, b"x" * 600)] * 3)
    assert len(take(queue, 10, 1000)) == 1
    assert len(take(queue, 10, 100)) == 1


WRITER = """
import sys
from pathlib import Path
from hullwatch.outputs.queue import Queue
queue = Queue(Path(sys.argv[1]), 1 << 26, lambda *_: None)
number = int(sys.argv[2])
while True:
    queue.put([(number % 3, b"%d" % (number + step)) for step in range(10)])
    number += 10
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    taken = queue.take(5, 1000, 0)
    sys.stdout.write("".join(f"d{entry.payload.decode()}\\n" for entry in taken))
    sys.stdout.flush()
    queue.settle(len(taken))
"""


def test_kill_9_at_any_moment_loses_nothing_and_repeats_only_what_was_under_way(tmp_path: Path) -> None:
    number, acknowledged, delivered = 0, set[int](), list[int]()
    for turn in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(0.003 * turn)  # the moment is what is tried
            process.send_signal(signal.SIGKILL)
            lines = [first, *process.stdout]
        lines = [line for line in lines if line.endswith("\n")]
        delivered += [int(line[1:]) for line in lines if line.startswith("d")]
        put = max(number, *(int(line) for line in lines if not line.startswith("d")))
        acknowledged.update(range(number, put))
        number = put + 10  # ten more may have been put that it could not tell of
    rest = [int(payload) for payload in drain(Kept(tmp_path, 1 << 26))]
    assert rest == sorted(rest)
    assert acknowledged - set(delivered) - set(rest) == set()
    repeated = len(delivered) + len(rest) - len(set(delivered) | set(rest))
    assert repeated <= 5 * 3  # a batch for each crash
