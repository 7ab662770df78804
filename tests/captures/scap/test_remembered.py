"""What is known again raises what it would have raised had it been judged: with all rules, on all captures."""

from __future__ import annotations

import io
import random
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
from tests.captures.scap import made_up_streams as made_up
from tests.captures.scap.scap_files import (
    CAPTURES,
    event,
    i64,
    machine,
    opened,
    section,
    thread,
    threads,
    u32,
    unpacked,
)  # fmt: skip
from tools.repository import ROOT

if TYPE_CHECKING:
    from hullwatch.rules.loader import RuleSet

Raised = tuple[str, int]


def raised(data: bytes, rules: RuleSet, *, remembers: bool, native: bool = True) -> tuple[list[Raised], int]:
    """Return the rules that matched with the numbers of their events, and how many events were judged."""
    remembered = Remembered(rules) if remembers else None
    engine, found, judged = Engine(rules, Counters(), every=True, decide_once=False), list[Raised](), 0
    capture = ScapCapture(io.BytesIO(data), "x.scap")
    for one in capture.judged(engine.names_wanted(SCAP_NAMES), remembered, native=native):
        judged += 1
        matches = engine.matches(one)
        found += [(match.rule.name, one.number) for match in matches]
        if remembered is not None and not matches:
            remembered.learn(one)
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


@pytest.mark.parametrize("seed", range(8))
def test_made_up_streams_raise_what_they_raise_when_each_event_is_looked_at(seed: int) -> None:
    conditions = (
        "evt.type in (open, openat, openat2) and fd.name = /etc/shadow",
        "evt.type in (open, openat) and fd.name endswith notes and proc.pname != init and fd.num > 3",
        "evt.type in (open, openat) and container.name = web",
        "evt.type in (openat, creat, socket) and user.name = root and evt.arg.ino = 4",
        "evt.type in (unlink, rename, unlinkat) and proc.cwd startswith /tmp",
        "evt.type in (open, connect) and fd.num = 3 and thread.tid = 11",
    )
    rules = [one_rule(one) for one in conditions[seed % 3 :: 3]]
    data = made_up.beginning() + made_up.made_up_stream(random.Random(seed), 400)
    for one in rules:
        plain = raised(data, one, remembers=False, native=False)[0]
        assert raised(data, one, remembers=True)[0] == plain
        assert raised(data, one, remembers=True, native=False)[0] == plain


def test_a_container_of_which_more_is_told_is_judged_again_and_one_told_of_again_is_not() -> None:
    def told(name: str) -> bytes:
        text = f'{{"container":{{"id":"0123456789ab","type":0,"name":"{name}","image":"{name}"}}}}'
        return event(272, text.encode() + b"\0", tid=-1)

    group = b"cpu=/docker/" + b"0123456789ab" * 5 + b"0123\0"
    child = event(
        223, i64(0), b"sh\0", b"", i64(20), i64(20), i64(1), b"/\0", i64(0), i64(0), i64(0), u32(0), u32(0), u32(0),
        b"sh\0", group, u32(0), u32(0), u32(0), i64(20), i64(20), tid=20,
    )  # fmt: skip
    rules = one_rule("evt.type = openat and container.name = web")
    data = (
        BEGINNING + child + b"".join(told(name) + opened("/a", tid=20) for name in ("incomplete", "db", "incomplete"))
    )
    assert raised(data, rules, remembers=True) == ([], 2)
    assert [one for one, _ in raised(data + told("web") + opened("/a", tid=20), rules, remembers=True)[0]] == ["one"]


def test_relative_paths_are_told_apart_by_the_working_directory() -> None:
    beginning = section() + machine() + threads(thread(10, 10, 1, "cat", "/tmp"), thread(11, 11, 1, "cat", "/etc"))
    data = beginning + opened("shadow") + opened("shadow", tid=11)
    assert raised(data, one_rule("evt.type = openat and fd.name = /etc/shadow"), remembers=True) == ([("one", 2)], 2)
