"""The engine in Python, the one in C and a walk of every condition: the same matches for every stream.

The default run is short. A longer one: ``ORACLE_EXAMPLES=20000 make test ARGS=tests/detect/test_three_engines.py``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, note, settings

from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.detect.native import library
from hullwatch.detect.stream import Stream
from hullwatch.enrich.assembler import Assembler
from hullwatch.events.codec import Header, decode
from hullwatch.events.table import BY_NUMBER, HEADER
from tests.detect.generated_streams import records, rules_file, trees
from tests.rules.conftest import load_text
from tests.rules.oracle import Oracle

if TYPE_CHECKING:
    from hullwatch.rules.loader import RuleSet
    from hullwatch.rules.syntax import Expression

EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", "150"))
pytestmark = pytest.mark.timeout(120 + EXAMPLES)
Found = list[tuple[str, int, str]]


def _walked(found: list[Expression], wanted: frozenset[str], batches: list[bytes], counters: Counters) -> Found:
    """Judge every event by walking every condition."""
    oracle = Oracle({}, {})
    assembler = Assembler(counters, lambda _: None, 20, wanted)
    return [
        (f"r{number}", event.number, event.container.id)
        for batch in batches
        for event in assembler.feed(batch)
        for number, tree in enumerate(found)
        if oracle.judge(tree, event)
    ]


def _decided(rules: RuleSet, batches: list[bytes], counters: Counters, *, native: bool) -> Found:
    stream = Stream(rules, counters, lambda _: None, 20, every=True, native=native)
    return [
        (match.rule.name, match.event.number, match.event.container.id)
        for batch in batches
        for match in stream.feed(batch)
    ]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize="ORACLE_EXAMPLES" not in os.environ,
)
@given(trees, records)
def test_three_ways_to_judge_agree_on_every_event_of_a_stream(
    found: list[Expression], given_records: list[bytes]
) -> None:
    text = rules_file(found)
    note(text)
    for record in given_records:
        header = Header._make(HEADER.unpack_from(record))
        kind = BY_NUMBER[header.type]
        note(f"{kind.name} {header.process_start}/{header.pid} group {header.cgroup_id} {decode(kind, record)}")
    rules = load_text(text)
    half = len(given_records) // 2
    # The second time everything was judged before; and a batch ends anywhere.
    batches = [b"".join(part) for part in (given_records[:half], given_records[half:], given_records)]
    expected = Counters()
    walked = sorted(_walked(found, Engine(rules, expected).wanted, batches, expected))
    for native in (False, True):
        counters = Counters()
        assert sorted(_decided(rules, batches, counters, native=native)) == walked
        assert counters.events == expected.events
        assert counters.held == expected.held
        assert counters.unreadable_records == expected.unreadable_records
        assert counters.dropped_total == 0


def test_the_classifier_in_c_is_there_to_be_tested() -> None:
    assert library() is not None, "make build builds it"
