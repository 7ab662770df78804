"""Hullwatch judges recorded events as Falco did: every rule on every event, with its own language and engine."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from typing import NamedTuple

import pytest

from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.value_events import ValueEvents, from_values
from hullwatch.sources.field_values import read_lines
from tools.repository import ROOT

DATA = ROOT / "tests" / "data" / "falco"
EVENTS = DATA / "events.ndjson.gz"

# Rules whose verdict cannot be told from the field values, and why.
NOT_COMPARED = {"aname": "the recording has no proc.aname without an index"}

Verdict = tuple[str, int]  # a capture, and the number of an event in it


class Verdicts(NamedTuple):
    """What came of the replay, and what Falco said, by rule."""

    ours: dict[str, set[Verdict]]
    falco: dict[str, set[Verdict]]
    rules: list[str]
    events: int
    counters: Counters
    unknown: dict[str, str]


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    rules = load([RulesFile("rules.yaml", (DATA / "rules.yaml").read_bytes())], lookup=from_values)
    counters, maker = Counters(), ValueEvents()
    engine = Engine(rules, counters, every=True, decide_once=False)
    ours: dict[str, set[Verdict]] = defaultdict(set)
    with gzip.open(EVENTS) as lines:
        captures = [json.loads(line)["capture"] for line in lines]
    with EVENTS.open("rb") as stream:
        for line in read_lines(stream, EVENTS.name):
            assert not line.mistake
            event = maker.make(line.values)
            for match in engine.matches(event):
                ours[match.rule.name].add((captures[line.number - 1], event.number))
    falco: dict[str, set[Verdict]] = defaultdict(set)
    for capture, found in json.loads((DATA / "verdicts.json").read_text()).items():
        for rule, numbers in found.items():
            falco[rule] |= {(capture, number) for number in numbers}
    names = [rule.name for rule in rules.rules] + rules.disabled
    return Verdicts(ours, falco, names, len(captures), counters, maker.unknown)


def test_every_rule_agrees_with_falco_on_every_event(verdicts: Verdicts) -> None:
    disagreements = {
        name: sorted(difference)[:5]
        for name in verdicts.rules
        if name not in NOT_COMPARED and (difference := verdicts.ours[name] ^ verdicts.falco[name])
    }
    assert disagreements == {}


def test_all_rules_and_events_of_the_recording_were_compared(verdicts: Verdicts) -> None:
    assert (len(verdicts.rules), verdicts.events) == (127, 13_505)
    assert set(verdicts.falco) <= set(verdicts.rules)
    assert sum(len(verdicts.falco[name]) for name in verdicts.rules if name not in NOT_COMPARED) > 20_000


def test_no_rule_failed_and_every_field_of_the_recording_is_known(verdicts: Verdicts) -> None:
    assert verdicts.counters.dropped == {}
    assert verdicts.unknown == {}


@pytest.mark.parametrize("name", NOT_COMPARED)
def test_a_rule_that_is_not_compared_would_disagree(name: str, verdicts: Verdicts) -> None:
    assert verdicts.ours[name] != verdicts.falco[name]
