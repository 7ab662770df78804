"""What is known again raises what it would have raised had it been judged: with all rules, on all captures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.judged import SCAP_NAMES
from hullwatch.captures.scap.lookup import from_scap
from hullwatch.captures.scap.remembered import Remembered
from hullwatch.cli.rule_set import rules_files
from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.rules.loader import RulesFile, load
from tests.captures.scap.scap_files import CAPTURES, machine, opened, section, thread, threads, unpacked
from tools.repository import ROOT

if TYPE_CHECKING:
    from hullwatch.rules.loader import RuleSet

Raised = tuple[str, int]


def raised(data: bytes, rules: RuleSet, *, remembers: bool) -> tuple[list[Raised], int]:
    """Return the rules that matched with the numbers of their events, and how many events were judged."""
    remembered = Remembered(rules) if remembers else None
    engine, found, judged = Engine(rules, Counters(), every=True, decide_once=False), list[Raised](), 0
    capture = ScapCapture(io.BytesIO(data), "x.scap")
    for event in capture.judged(engine.names_wanted(SCAP_NAMES), remembered):
        judged += 1
        matches = engine.matches(event)
        found += [(match.rule.name, event.number) for match in matches]
        if remembered is not None and not matches:
            remembered.learn(event)
    return found, judged


@pytest.fixture(scope="module")
def small_rules() -> RuleSet:
    """Return the rules of Falco's verdicts, many of which look at every event."""
    text = (ROOT / "tests" / "data" / "falco" / "rules.yaml").read_bytes()
    return load([RulesFile("rules.yaml", text)], lookup=from_scap)


@pytest.mark.parametrize("capture", CAPTURES)
def test_the_built_in_rules_raise_the_same(capture: str) -> None:
    rules = load(rules_files([]), lookup=from_scap)
    data = unpacked(capture)
    assert raised(data, rules, remembers=True)[0] == raised(data, rules, remembers=False)[0]


def test_rules_that_look_at_everything_raise_the_same(small_rules: RuleSet) -> None:
    for capture in ("cat_write.scap", "test_ipv6_client.scap"):
        data = unpacked(capture)
        assert raised(data, small_rules, remembers=True)[0] == raised(data, small_rules, remembers=False)[0]


def one_rule(condition: str) -> RuleSet:
    """Return a rule set of one rule."""
    text = f"- rule: one\n  desc: one\n  condition: {condition}\n  output: one\n  priority: NOTICE\n"
    return load([RulesFile("one.yaml", text.encode())], lookup=from_scap)


BEGINNING = section() + machine() + threads(thread(10, 10, 1, "cat"), thread(11, 11, 1, "dd"), thread(12, 12, 1, "cat"))


@pytest.mark.parametrize(
    ("condition", "judged"),
    [
        ("evt.type = openat and fd.name = /etc/shadow", 3),
        ("evt.type = openat and fd.name = /etc/shadow and proc.name = ls", 3),
        ("evt.type = openat and fd.num = 100", 4),
        ("evt.type = openat and fd.ino = 8", 6),
        ("evt.type = openat and proc.pid = 99", 6),
        ("evt.type = openat and evt.arg.flags = O_TRUNC", 3),
    ],
)
def test_an_event_that_differs_in_nothing_that_is_looked_at_is_not_judged_again(condition: str, judged: int) -> None:
    events = [opened("/a"), opened("/a"), opened("/b"), opened("/a", tid=11), opened("/a", tid=12), opened("/a", fd=4)]
    assert raised(BEGINNING + b"".join(events), one_rule(condition), remembers=True) == ([], judged)


def test_relative_paths_are_told_apart_by_the_working_directory() -> None:
    beginning = section() + machine() + threads(thread(10, 10, 1, "cat", "/tmp"), thread(11, 11, 1, "cat", "/etc"))
    data = beginning + opened("shadow") + opened("shadow", tid=11)
    assert raised(data, one_rule("evt.type = openat and fd.name = /etc/shadow"), remembers=True) == ([("one", 2)], 2)
