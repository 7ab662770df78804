"""Two sets of rules in one pass over a .scap file: each raises what it raises alone, and examples are as they were."""

from __future__ import annotations

import io

import pytest

from hullwatch.alerts.mask import Masker
from hullwatch.captures.backtest import Backtest
from hullwatch.captures.scap.capture import ScapCapture
from hullwatch.captures.scap.judged import EVENTS_TOGETHER, JudgedScap
from hullwatch.captures.scap.lookup import from_scap
from hullwatch.counters import Counters
from hullwatch.detect.engine import Engine
from hullwatch.rules.loader import RuleSet, RulesFile, load
from tests.captures.scap.scap_files import machine, opened, section, thread, threads, unpacked
from tests.captures.scap.test_state import CGROUPS, executed
from tools.repository import ROOT

Raised = list[tuple[str, int]]
RULE = """
- rule: Reads
  desc: for the test
  condition: evt.type in (open, openat) and {condition}
  output: "%proc.name --password=%fd.name in %container.name"
  priority: WARNING
"""


def rules(condition: str) -> RuleSet:
    return load([RulesFile("rules.yaml", RULE.format(condition=condition).encode())], lookup=from_scap)


def alone(data: bytes, one: RuleSet) -> Raised:
    """Return what rules raise that judge every event."""
    engine = Engine(one, Counters(), every=True, decide_once=False)
    events = ScapCapture(io.BytesIO(data), "x.scap").events()
    return [(match.rule.name, found.number) for found in events for match in engine.matches(found)]


def together(data: bytes, *sides: RuleSet) -> tuple[list[Raised], JudgedScap]:
    judged = JudgedScap(io.BytesIO(data), "x.scap", sides, every=True)
    found: list[Raised] = [[] for _ in sides]
    for part in judged.matches():
        for one, matches in zip(found, part, strict=True):
            one += [(match.rule.name, match.event.number) for match in matches]
    return found, judged


def compare(data: bytes, before: str, after: str) -> Backtest:
    comparison = Backtest(3, Masker())
    comparison.run(JudgedScap(io.BytesIO(data), "x.scap", [rules(before), rules(after)]), lambda _: None)
    return comparison


@pytest.mark.parametrize("capture", ["cat_write.scap", "curl_google.scap", "run_as_user_0_container.scap"])
def test_each_side_raises_what_it_raises_alone(capture: str) -> None:
    data = unpacked(capture)
    many = load([RulesFile("r", (ROOT / "tests" / "data" / "falco" / "rules.yaml").read_bytes())], lookup=from_scap)
    few = rules("fd.name startswith /etc")
    for sides in ((few, many), (many, few), (few, rules("fd.name startswith /lib and proc.name != cat"))):
        found, judged = together(data, *sides)
        assert found == [alone(data, one) for one in sides]
        assert judged.events == sum(1 for _ in ScapCapture(io.BytesIO(data), "x").events())


def test_what_one_side_does_not_look_at_is_not_known_again_for_the_other() -> None:
    listed = section() + machine() + threads(thread(10, 10, 1, "cat"), thread(11, 11, 1, "cat"))
    data = listed + opened("/a") + opened("/a", tid=11) + opened("/a") + opened("/b")
    found, _ = together(data, rules("fd.name = /b"), rules("thread.tid = 11"))
    assert [[number for _, number in one] for one in found] == [[4], [2]]


def test_an_example_is_rendered_with_what_was_known_at_its_event() -> None:
    data = section() + machine() + threads(thread(10, 10, 1, "cat"))
    data += opened("/etc/a") + executed("/bin/ls") + opened("/etc/b")
    one = compare(data, "fd.name = /etc/a", "fd.name = /etc/b").rules["Reads"]
    assert [found.output for found in one.examples_before] == ["Warning cat --password=*** in host"]
    assert [found.output for found in one.examples_after] == ["Warning ls --password=*** in host"]
    assert (one.only_before, one.only_after, one.examples_before[0].container) == (1, 1, "host")


def test_what_only_one_side_raises_is_told_at_once_and_not_kept() -> None:
    data = section() + machine() + threads(thread(10, 10, 1, "cat")) + opened("/a") * 3
    judged = JudgedScap(io.BytesIO(data), "x.scap", [rules("fd.name = /a"), rules("fd.name = /b")])
    comparison, seen = Backtest(3, Masker()), list[int]()
    comparison.run(judged, lambda _: seen.append(comparison.total.only_before))
    assert seen == [1, 2, 3]


def test_examples_tell_the_container_by_its_name_or_its_id() -> None:
    data = unpacked("run_as_user_0_container.scap")
    (example,) = compare(data, "fd.name startswith /etc", "evt.num = 0").rules["Reads"].examples_before
    assert example.container == "hopeful_taussig (697956520d89)"
    listed = section() + machine() + threads(thread(10, 10, 1, "cat"))
    data = listed + executed("/bin/ls", cgroups=CGROUPS) + opened("/etc/a")
    (example,) = compare(data, "fd.name = /etc/a", "evt.num = 0").rules["Reads"].examples_before
    assert len(example.container) == 12


def test_the_number_of_events_grows_while_nothing_matches() -> None:
    listed = section() + machine() + threads(thread(10, 10, 1, "cat"))
    data = listed + b"".join(opened(f"/{number}") for number in range(EVENTS_TOGETHER + 5))
    judged = JudgedScap(io.BytesIO(data), "x.scap", [rules("fd.name = /nosuch")])
    seen = [judged.events for _ in judged.matches()]
    assert (seen, judged.events) == ([EVENTS_TOGETHER], EVENTS_TOGETHER + 5)
