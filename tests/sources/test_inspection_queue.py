from __future__ import annotations

import threading

from hullwatch.sources import inspection_queue
from hullwatch.sources.inspection_queue import InspectionQueue, Job

A, B, C = "a" * 64, "b" * 64, "c" * 64


def taken(queue: InspectionQueue, *, listed: bool = True) -> Job:
    job = queue.take(listed=listed)
    assert job is not None
    return job


def test_what_is_urgent_comes_before_what_was_listed() -> None:
    queue = InspectionQueue()
    queue.put(A, listed=True)
    queue.put(B)
    assert [taken(queue).full_id, taken(queue).full_id] == [B, A]


def test_a_listed_container_that_becomes_urgent_moves_up_and_is_there_once() -> None:
    queue = InspectionQueue()
    for full_id in (A, B):
        queue.put(full_id, listed=True)
    queue.put(B, requested=True)
    queue.put(B, listed=True)
    assert len(queue) == 2
    assert taken(queue, listed=False) == Job(B, requested=True)


def test_a_request_joins_the_inspection_that_goes_on_and_news_have_it_done_again() -> None:
    queue = InspectionQueue()
    queue.put(A)
    job = taken(queue)
    queue.put(A, requested=True)
    assert len(queue) == 0
    queue.put(A)
    assert len(queue) == 1
    queue.put(B)
    assert taken(queue).full_id == B  # A is not with two threads at once
    assert queue.done(job) is True
    assert queue.done(taken(queue)) is False


def test_a_container_that_is_gone_is_forgotten_unless_somebody_waits() -> None:
    queue = InspectionQueue()
    queue.put(A)
    queue.put(B, requested=True)
    queue.put(C, listed=True)
    for full_id in (A, B, C):
        queue.cancel(full_id)
    assert len(queue) == 1
    assert taken(queue).full_id == B


def test_a_full_lane_and_wrong_ids_are_refused_and_counted() -> None:
    queue = InspectionQueue()
    for number in range(inspection_queue.MAXIMUM_URGENT + 5):
        queue.put(f"{number:064x}")
    queue.put("../x", listed=True)
    assert (len(queue), queue.dropped) == (inspection_queue.MAXIMUM_URGENT, 6)


def test_closing_ends_the_waiting_of_every_thread() -> None:
    queue = InspectionQueue()
    got: list[Job | None] = []
    threads = [threading.Thread(target=lambda: got.append(queue.take(listed=True))) for _ in range(3)]
    for thread in threads:
        thread.start()
    queue.close()
    for thread in threads:
        thread.join(10)
    queue.put(A)
    assert got == [None] * 3
    assert (len(queue), queue.dropped) == (0, 0)
