"""What is there before captures are judged is left alone by Python's collector, and only as long."""

from __future__ import annotations

import gc

import pytest

from hullwatch.captures.settled import settled


def judge_what_is_damaged(found: list[int]) -> None:
    """Note how many objects the collector leaves alone, and fail."""
    with settled():
        found.append(gc.get_freeze_count())
        raise ValueError("it is damaged")


def test_the_collector_looks_at_everything_again_afterwards_whatever_happens() -> None:
    found: list[int] = []
    with pytest.raises(ValueError, match="damaged"):
        judge_what_is_damaged(found)
    assert found[0] > 10_000
    assert gc.get_freeze_count() == 0
