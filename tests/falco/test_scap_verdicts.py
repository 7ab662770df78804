"""``hullwatch replay FILE.scap`` raises what Falco raised on the same capture, rule by rule and event by event."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import NamedTuple

import pytest

from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.lookup import from_scap
from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.rules.loader import RulesFile, load
from tools.repository import ROOT

FALCO = ROOT / "tests" / "data" / "falco"
CAPTURES = ROOT / "tests" / "data" / "scap"
Verdict = tuple[str, int]  # a capture, and the number of an event in it

# What differs, by rule: how often, and why.
REASONS = {
    "cwd": (
        98,
        "the working directory of a process that was not listed is the one that its exec says; to Falco it is unknown",
    ),
    "server": (
        23,
        "to Falco each new socket is a server's, and each connection to one of the machine's own addresses",
    ),
    "l4udp": (7, "the protocol of a new socket is known by its type; Falco says it once the socket has an address"),
}


class Verdicts(NamedTuple):
    """What came of the replay, and what Falco said, by rule."""

    ours: dict[str, set[Verdict]]
    falco: dict[str, set[Verdict]]


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    ours: dict[str, set[Verdict]] = defaultdict(set)
    falco: dict[str, set[Verdict]] = defaultdict(set)
    rules = load([RulesFile("rules.yaml", (FALCO / "rules.yaml").read_bytes())], lookup=from_scap)
    for capture, found in json.loads((FALCO / "verdicts.json").read_text()).items():
        for rule, numbers in found.items():
            falco[rule] |= {(capture, number) for number in numbers}
        engine = Engine(rules, Counters(), every=True, decide_once=False)
        with (CAPTURES / capture).open("rb") as stream:
            for event in ScapCapture(stream, capture).events():
                for match in engine.matches(event):
                    ours[match.rule.name].add((capture, event.number))
    return Verdicts(ours, falco)


def test_every_rule_agrees_with_falco_on_every_event_of_every_capture(verdicts: Verdicts) -> None:
    rules = verdicts.ours.keys() | verdicts.falco.keys()
    disagreements = {
        rule: sorted(difference)[:5]
        for rule in rules
        if rule not in REASONS and (difference := verdicts.ours[rule] ^ verdicts.falco[rule])
    }
    assert disagreements == {}


@pytest.mark.parametrize("rule", REASONS)
def test_a_rule_that_differs_does_so_only_as_stated(rule: str, verdicts: Verdicts) -> None:
    assert len(verdicts.ours[rule] ^ verdicts.falco[rule]) == REASONS[rule][0]


def test_more_than_99_percent_of_all_verdicts_agree(verdicts: Verdicts) -> None:
    rules = verdicts.ours.keys() | verdicts.falco.keys()
    every = sum(len(verdicts.ours[rule] | verdicts.falco[rule]) for rule in rules)
    different = sum(len(verdicts.ours[rule] ^ verdicts.falco[rule]) for rule in rules)
    assert every > 27_000
    assert different / every < 0.005
