"""What is remembered of processes, when a record in the middle of a batch makes it void."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.stream import Stream
from hullwatch.enrich.tree import DEPTH_MAXIMUM
from hullwatch.events.codec import encode
from tests.rules.conftest import load_text

if TYPE_CHECKING:
    from hullwatch.rules.loader import RuleSet

RULES = """
- {rule: under top, desc: d, condition: evt.type = openat and proc.aname = top, output: x, priority: NOTICE}
- {rule: as child, desc: d, condition: evt.type = openat and proc.pname = parent, output: x, priority: NOTICE}
- {rule: forks, desc: d, condition: evt.type = clone and proc.name = parent, output: x, priority: NOTICE}
- {rule: ends, desc: d, condition: evt.type = procexit and proc.name = parent, output: x, priority: NOTICE}
"""
OPENED = {"fd": 3, "name": "/x"}


def header(pid: int) -> dict[str, int]:
    return {"pid": pid, "tid": pid, "process_start": 10 * pid}


def runs(pid: int, comm: str) -> bytes:
    return encode("execve", header(pid), comm=comm, argv=comm.encode() + b"\0", cwd="/")


def forks(pid: int, child: int, comm: str) -> bytes:
    return encode("clone", header(pid), res=child, child_start=10 * child, vpid=child, comm=comm)


def opens(pid: int) -> bytes:
    return encode("openat", header(pid), **OPENED)


@pytest.fixture
def rules() -> RuleSet:
    return load_text(RULES)


@pytest.fixture(params=[False, True], ids=["python", "c"])
def stream(request: pytest.FixtureRequest, rules: RuleSet) -> Stream:
    return Stream(rules, Counters(), lambda _: None, 20, native=request.param)


def matches(stream: Stream, *records: bytes) -> list[tuple[str, int]]:
    return [(match.rule.name, match.event.number) for match in stream.feed(b"".join(records))]


def test_a_child_whose_own_records_came_first_is_judged_by_its_parent_from_the_fork_on(stream: Stream) -> None:
    matches(stream, runs(1, "parent"), runs(2, "child"), opens(2), opens(2))
    found = matches(stream, opens(2), forks(1, 2, "parent"), opens(2), opens(2))
    assert found == [("forks", 6), ("as child", 7), ("as child", 8)]
    assert stream.assembler.number == 8
    assert stream._counters.events == {"execve": 2, "openat": 5, "clone": 1}


def test_a_process_that_is_hung_below_another_one_in_the_middle_of_a_batch_is_judged_anew(stream: Stream) -> None:
    records = [runs(1, "top")]
    for pid in range(1, DEPTH_MAXIMUM + 1):
        records.append(forks(pid, pid + 1, "top" if pid == 1 else "x"))
        records.append(runs(pid + 1, "x"))
    last = DEPTH_MAXIMUM + 1
    records += [encode("procexit", header(pid)) for pid in range(1, last)]
    matches(stream, *records)
    assert [name for name, _ in matches(stream, opens(last), opens(last))] == ["under top"] * 2
    found = matches(stream, opens(last), forks(last, 500, "x"), opens(last), opens(last))
    assert [name for name, _ in found] == ["under top"]  # its ended ancestors are let go


def test_forks_and_ends_that_rules_ask_for_are_matched_and_counted_once(stream: Stream) -> None:
    matches(stream, runs(1, "parent"))
    for round_ in range(3):  # the first time nothing is known of them
        found = matches(stream, forks(1, 50 + round_, "parent"), encode("procexit", header(50 + round_)), opens(1))
        assert [name for name, _ in found] == ["forks", "ends"]
    assert matches(stream, encode("procexit", header(1))) == [("ends", 11)]


def test_a_fork_that_nobody_asks_for_still_makes_the_child_what_its_parent_is(stream: Stream) -> None:
    matches(stream, runs(1, "top"), opens(1))
    for child in range(60, 63):
        assert matches(stream, forks(1, child, "top"), opens(child), opens(child)) == [
            ("under top", stream.assembler.number - 1),
            ("under top", stream.assembler.number),
        ]


def test_a_fork_whose_record_is_cut_short_is_counted_and_its_neighbours_are_not_harmed(stream: Stream) -> None:
    record = bytearray(forks(1, 9, "parent"))
    record[record.index(b"parent") - 8 : record.index(b"parent")] = b"\xff" * 8
    found = matches(stream, runs(1, "parent"), bytes(record), runs(2, "x"), forks(1, 2, "parent"), opens(2))
    assert [name for name, _ in found] == ["forks", "as child"]
    assert stream._counters.unreadable_records == 1
