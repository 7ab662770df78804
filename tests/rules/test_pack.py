"""What every rule of the pack has: a tier, tactic and technique, an output that names who did it, and a near miss."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hullwatch.rules.attack_techniques import TACTICS, TECHNIQUES
from hullwatch.rules.cases import case_files, read_cases
from hullwatch.rules.compile import Compiled, compile_condition
from hullwatch.rules.describe import RuleBook, write_check
from hullwatch.rules.loader import RulesFile, load
from hullwatch.rules.pack import builtin_files
from tools.repository import ROOT

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.describe import Description, Part

BOOK = RuleBook(builtin_files())
RULES = {rule.name: BOOK.describe(rule.name) for rule in BOOK.rules()}
ENOUGH_RULES = 80
TIERS = {"maturity_stable", "maturity_incubating", "maturity_sandbox"}
DOMAINS = {"container", "host"}
CONTAINER = {"%container.name", "%container.id", "%container.image"}
PROCESS = {"%user.name", "%proc.cmdline", "%proc.pname", "%proc.exepath"}
CASES = [case for path in case_files([Path(__file__).with_name("cases")]) for case in read_cases(path)]
QUIET_EVENTS = [event for case in CASES if not case.alerts for event in case.events]
PAGE = (ROOT / "docs" / "pack.md").read_text(encoding="utf-8")

_compiled: dict[str, Compiled] = {}


def tags_of(rule: Description) -> set[str]:
    return set(rule.definition.tags)


def is_true(part: Part, event: Event) -> bool:
    assert part.check is not None
    text = write_check(part.check)
    if text not in _compiled:
        _compiled[text] = compile_condition(part.check, "tested")
    return _compiled[text].matches(event)


def changes_needed(part: Part, event: Event, *, wanted: bool = True) -> int:
    """Return how many checks would have to come out otherwise for the part to be as it is wanted."""
    if part.kind == "check":
        return int(is_true(part, event) != wanted)
    if part.kind == "not":
        return changes_needed(part.parts[0], event, wanted=not wanted)
    counts = [changes_needed(one, event, wanted=wanted) for one in part.parts]
    return sum(counts) if (part.kind == "and") == wanted else min(counts)


def test_the_pack_has_as_many_rules_as_it_promises() -> None:
    assert len(RULES) >= ENOUGH_RULES


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_a_tier_a_domain_and_a_tactic_and_technique_that_have_names(name: str) -> None:
    tags = tags_of(RULES[name])
    assert len(tags & TIERS) == 1
    assert tags & DOMAINS
    assert tags & set(TACTICS)
    techniques = {tag for tag in tags if tag[0] == "T" and tag[1:2].isdigit()}
    assert techniques
    assert techniques <= set(TECHNIQUES)
    assert {tag for tag in tags if tag.startswith("mitre_")} <= set(TACTICS)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_off_only_in_the_sandbox(name: str) -> None:
    assert RULES[name].state == "enabled" or "maturity_sandbox" in tags_of(RULES[name])


@pytest.mark.parametrize("name", RULES)
def test_an_output_names_the_container_and_the_process(name: str) -> None:
    rule = RULES[name]
    wanted = CONTAINER if set(rule.event_types or ()) == {"container"} else CONTAINER | PROCESS
    assert {field for field in wanted if field not in rule.definition.output.text} == set()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_names_its_event_types(name: str) -> None:
    assert RULES[name].event_types


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_a_case_in_which_it_alerts(name: str) -> None:
    assert any(name in case.alerts for case in CASES)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if len(rule.steps) == 1])
def test_a_quiet_case_misses_a_rule_by_a_single_check(name: str) -> None:
    rule = RULES[name]
    events = [event for event in QUIET_EVENTS if event.type.name in (rule.event_types or ())]
    assert any(changes_needed(rule.condition, event) == 1 for event in events)


def test_the_page_lists_every_rule_with_its_priority_tier_and_state() -> None:
    rows = re.findall(r"^\| ([A-Z][^|]*) \|[^|]*\| (\w+) \| (\w+)(, off)? \|$", PAGE, re.MULTILINE)
    found = {name: (priority, f"maturity_{tier}", off == "") for name, priority, tier, off in rows}
    assert found == {
        name: (str(rule.definition.priority), *(tags_of(rule) & TIERS), rule.state == "enabled")
        for name, rule in RULES.items()
    }


def test_the_pages_changes_load_behind_the_pack() -> None:
    (changes,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    changed = load([*builtin_files(), RulesFile(name="my_changes.yaml", text=changes.encode())])
    assert {rule.name for rule in changed.rules} - {rule.name for rule in load(builtin_files()).rules} == {
        "Cloud metadata asked for"
    }


def test_the_page_names_every_list_and_macro_that_users_are_to_change() -> None:
    text = "".join(file.text.decode() for file in builtin_files())
    knobs = {line.split(": ")[1] for line in text.splitlines() if line.startswith(("- list: user_", "- macro: user_"))}
    assert {knob for knob in knobs if f"`{knob}`" not in PAGE} == set()
