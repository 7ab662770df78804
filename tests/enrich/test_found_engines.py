"""What engines say is kept until it is taken, and no more than there is room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.channel import Supervisor
from hullwatch.counters import Counters
from hullwatch.enrich import found_engines
from hullwatch.enrich.container import unknown
from hullwatch.enrich.found_engines import FoundEngines
from hullwatch.enrich.given_labels import GivenLabel, GivenLabels

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class SupervisorWithoutEngines(Supervisor):
    """Looks for engines and finds none; nobody has to answer."""

    def __init__(self) -> None:
        """Take no channel."""

    def container_engines(self) -> list[tuple[str, int]]:
        return []


def test_what_is_said_wakes_up_and_is_taken_once_and_what_is_too_much_is_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(found_engines, "INBOX_MAXIMUM", 2)
    counters, woken = Counters(), list[int]()
    engines = FoundEngines(SupervisorWithoutEngines(), counters, lambda: woken.append(1), GivenLabels(tmp_path))
    for digit in "abc":
        engines.request(digit * 64)  # there is no engine, so the answer is here at once
    assert (engines.waiting, len(woken)) == (2, 2)
    assert counters.dropped == {("container", "engine_behind"): 1}
    ids = [unknown(digit * 64, "").full_id.encode() for digit in "ab"]
    assert all(one in record for one, record in zip(ids, engines.take(lambda: 7), strict=True))
    assert (engines.waiting, list(engines.take(lambda: 8))) == (0, [])


def test_labels_that_were_given_are_on_the_container_at_once_and_gone_when_they_are_taken_back(tmp_path: Path) -> None:
    labels = GivenLabels(tmp_path)
    engines = FoundEngines(SupervisorWithoutEngines(), Counters(), lambda: None, labels)
    labels.give("a" * 64, {"quarantine": GivenLabel("yes", "hullwatch", "Miner", 1)})
    (record,) = engines.take(lambda: 7)
    assert b'"given_labels":{"quarantine":"yes"}' in record
    GivenLabels(tmp_path).take_back("aaaaaa")  # as another process does
    labels._next_look = 0.0
    (record,) = engines.take(lambda: 8)
    assert b'"given_labels":{}' in record
