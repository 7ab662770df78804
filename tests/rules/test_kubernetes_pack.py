"""The pack for the Kubernetes API: what every rule of it has, and what it says of the log of a real cluster."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from hullwatch.alerts.mask import Masker
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.detect.case_judge import learnt
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.posture.trail import Trail
from hullwatch.rules.attack_techniques import TACTICS, TECHNIQUES
from hullwatch.rules.audit_lookup import from_audit
from hullwatch.rules.cases import Case, case_files, read_cases
from hullwatch.rules.compile import Compiled, compile_condition
from hullwatch.rules.describe import RuleBook, write_check
from hullwatch.rules.loader import RuleSet, RulesFile, load
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.validate import validate
from tools.repository import ROOT

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.describe import Description, Part

SOURCE = frozenset({"k8s_audit"})
BOOK = RuleBook(builtin_files("k8s_audit"))
RULES = {rule.name: BOOK.describe(rule.name) for rule in BOOK.rules()}
TIERS = {"maturity_stable", "maturity_incubating", "maturity_sandbox"}
LOG = ROOT / "tests" / "data" / "kubernetes" / "audit.jsonl.gz"
CASES_FOLDER = Path(__file__).parent / "cases" / "kubernetes"
SWITCHES = CASES_FOLDER / "switched_on.rules"
SWITCHED_ON = [*builtin_files("k8s_audit"), RulesFile(SWITCHES.name, SWITCHES.read_bytes())]
FILLED = RuleBook(SWITCHED_ON)  # lists that are empty have values there
CASES = [case for path in case_files([CASES_FOLDER]) for case in read_cases(path)]
PAGE = (ROOT / "docs" / "kubernetes-pack.md").read_text(encoding="utf-8")
ROWS = re.findall(
    r"^\| ([A-Z][^|]*) \| (\w+)(, off)? \| (\w+) \| ([^|]*) \| ([^|]*) \| ([A-Z]*) \|$", PAGE, re.MULTILINE
)
CORRELATIONS = 14
RULES_BY_CORRELATION = dict(re.findall(r"^\| \d+ \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE))

NOBODY = {
    "Pod entered without a login",
    "Change without a login",
    "Anonymous call allowed",
    "API scanned without a login",
}

# By the number of the line and the rule, the first one that matches and those that remember.
ALERTS = {
    569: ["Validating webhook or policy written"],
    570: ["Namespace made"],
    576: ["Service account written"],
    577: ["Workload written"],
    592: ["Dangerous workload refused"],
    595: ["Workload that takes its node"],
    629: ["Workload written"],
    654: ["Secret written"],
    655: ["Secret read by a person"],
    658: ["Secrets of all namespaces listed"],
    659: ["Config map written"],
    664: ["Role written"],
    668: ["Role that allows everything"],
    680: ["Binding written"],
    681: ["Cluster administrator made"],
    682: ["Rights given to nobody in particular"],
    683: ["Role that enters pods"],
    684: ["Rights widened"],
    685: ["Token of a service account made"],
    686: ["Token of a service account made"],
    687: ["Secrets of all namespaces listed"],
    689: ["Secret refused"],
    690: ["Call refused"],
    691: ["Change of rights refused"],
    692: ["Own rights asked for"],
    693: ["Secrets of all namespaces listed", "Administrator impersonated"],
    696: ["Sensitive file read by a pod session"],
    699: ["Pod entered"],
    707: ["Port of a pod forwarded"],
    710: ["Pod entered"],
    713: ["Files copied into a pod"],
    720: ["Workload with dangerous capabilities", "Workload changed after rights were widened"],
    727: ["Workload with a miner's name"],
    728: ["Workload removed"],
    730: ["Secret removed"],
    732: ["Anonymous call allowed"],
    733: ["Secret refused"],
}
# What the people did in that cluster that an attacker does, and which rules have to say so in any case.
SCENES = {
    592: {"Dangerous workload refused"},
    595: {"Privileged workload created", "Workload with the node's processes", "Workload with the node's network",
          "Sensitive path of the node in a workload", "Pod made in a system namespace"},
    658: {"Secrets of all namespaces listed"},
    668: {"Role that allows everything"},
    681: {"Cluster administrator made"},
    682: {"Rights given to nobody in particular"},
    683: {"Role that enters pods"},
    684: {"Rights widened"},
    685: {"Token of a service account made"},
    687: {"Secrets of all namespaces listed", "Secrets read by a plain web client"},
    689: {"Secret refused"},
    691: {"Change of rights refused"},
    692: {"Own rights asked for"},
    693: {"Secrets of all namespaces listed", "Administrator impersonated"},
    696: {"Sensitive file read by a pod session", "Pod entered"},
    699: {"Pod entered"},
    707: {"Port of a pod forwarded"},
    713: {"Files copied into a pod"},
    720: {"Container added to a pod for debugging", "Workload with dangerous capabilities"},
    727: {"Workload with a miner's name", "Cron job of the cluster written"},
    732: {"Anonymous call allowed"},
}  # fmt: skip


_compiled: dict[str, Compiled] = {}


def judged(*, every: bool) -> dict[int, list[str]]:
    """Return what the pack says of the log, by line."""
    judge = AuditJudge(load(builtin_files("k8s_audit"), sources=SOURCE), Counters(), every=every, trail=Trail())
    found: dict[int, list[str]] = {}
    for number, line in enumerate(gzip.decompress(LOG.read_bytes()).splitlines(), 1):
        names = [match.rule.name for match in judge.matches(msgspec.json.decode(line))]
        if names:
            found[number] = names
    return found


@pytest.fixture(scope="module")
def switched_on() -> RuleSet:
    """Return the pack with the rules that are off switched on."""
    return load(SWITCHED_ON, sources=SOURCE)


def cases_of(name: str) -> list[Case]:
    return [case for case in CASES if case.name.startswith(f"{name}: ")]


def is_true(part: Part, event: Event) -> bool:
    assert part.check is not None
    text = write_check(part.check)
    if text not in _compiled:
        _compiled[text] = compile_condition(part.check, "tested", from_audit)
    return _compiled[text].matches(event)


def changes_needed(part: Part, event: Event, *, wanted: bool = True) -> int:
    """Return how many checks would have to come out otherwise for the part to be as it is wanted."""
    if part.kind == "check":
        return int(is_true(part, event) != wanted)
    if part.kind == "not":
        return changes_needed(part.parts[0], event, wanted=not wanted)
    counts = [changes_needed(one, event, wanted=wanted) for one in part.parts]
    return sum(counts) if (part.kind == "and") == wanted else min(counts)


def shortened(event: Event) -> AuditEvent:
    """Return an event as the audit level Metadata has it."""
    assert isinstance(event, AuditEvent)
    return AuditEvent({key: value for key, value in event.audit.items() if not key.endswith("Object")}, event.number)


def remembers(rule: Description) -> bool:
    return rule.definition.stateful is not None


def test_the_log_of_a_real_cluster_raises_these_alerts_and_no_others() -> None:
    assert judged(every=False) == ALERTS


def test_every_attack_in_it_is_found_and_nothing_else_is_above_a_notice() -> None:
    found = judged(every=True)
    assert {line for line, names in SCENES.items() if not names <= set(found.get(line, ()))} == set()
    high = {"Warning", "Error", "Critical"}
    assert {
        line for line, names in found.items() if {str(RULES[name].definition.priority) for name in names} & high
    } <= set(SCENES)


def test_the_pack_has_no_errors_and_no_warnings() -> None:
    assert validate(builtin_files("k8s_audit")) == []


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_a_tier_tactics_and_techniques_that_have_names_and_is_off_only_in_the_sandbox(name: str) -> None:
    rule = RULES[name]
    tags = set(rule.definition.tags)
    assert len(tags & TIERS) == 1
    assert "kubernetes" in tags
    assert tags & set(TACTICS)
    techniques = {tag for tag in tags if tag[0] == "T" and tag[1:2].isdigit()}
    assert techniques
    assert techniques <= set(TECHNIQUES)
    assert (rule.state == "enabled") == ("maturity_sandbox" not in tags)


@pytest.mark.parametrize("name", RULES)
def test_an_output_says_who_did_what_from_where(name: str) -> None:
    text = RULES[name].definition.output.text
    assert name in NOBODY or "%ka.user.name" in text
    assert "%ka.sourceip" in text
    assert "%ka.useragent" in text


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_a_case_in_which_it_alerts_and_one_in_which_it_does_not(name: str) -> None:
    assert any(name in case.alerts for case in cases_of(name))
    assert any(name not in case.alerts for case in cases_of(name))


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not remembers(rule)])
def test_the_case_in_which_it_does_not_misses_by_a_single_check(name: str) -> None:
    events = [event for case in cases_of(name) if name not in case.alerts for event in case.events]
    assert min(changes_needed(FILLED.describe(name).condition, event) for event in events) == 1


def test_the_page_lists_every_rule_with_its_priority_tier_and_what_it_needs() -> None:
    found = {name: (priority, f"maturity_{tier}", off == "") for name, priority, off, tier, *_ in ROWS}
    assert found == {
        name: (str(rule.definition.priority), *(set(rule.definition.tags) & TIERS), rule.state == "enabled")
        for name, rule in RULES.items()
    }


@pytest.mark.parametrize(("name", "needs"), [(row[0], row[5]) for row in ROWS])
def test_a_rule_is_silent_at_the_level_metadata_just_when_the_page_says_that_it_needs_more(
    name: str, needs: str, switched_on: RuleSet
) -> None:
    told: set[bool] = set()
    for case in cases_of(name):
        if name not in case.alerts:
            continue
        history = [shortened(event) for event in case.history]
        look = learnt(history).look if history else None
        judge = AuditJudge(switched_on, Counters(), every=True, trail=Trail(), look=look)
        events = [dict(shortened(event).audit) for event in case.events]
        told.add(any(match.rule.name == name for one in events for match in judge.matches(one)))
    assert told == {needs != "Request"}
    assert (needs == "Request") == ("Needs the audit level Request" in RULES[name].definition.description)


def test_the_page_names_rules_for_each_of_the_correlations() -> None:
    assert len(RULES_BY_CORRELATION) == CORRELATIONS
    named = [name for names in RULES_BY_CORRELATION.values() for name in names.split("; ")]
    assert set(named) <= set(RULES)


def test_the_pages_changes_load_behind_the_pack() -> None:
    (changes,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    before = {rule.name for rule in load(builtin_files("k8s_audit"), sources=SOURCE).rules}
    files = [*builtin_files("k8s_audit"), RulesFile("my_changes.yaml", changes.encode())]
    assert {rule.name for rule in load(files, sources=SOURCE).rules} - before == {"Image not on the list"}


def test_the_page_names_every_list_and_macro_that_users_are_to_change() -> None:
    text = "".join(file.text.decode() for file in builtin_files("k8s_audit"))
    knobs = set(
        re.findall(
            r"^- (?:list|macro): (k8s_(?:known_|bad_|cloud_users|delivery_|webhook_|system_)\w*)", text, re.MULTILINE
        )
    )
    assert {knob for knob in knobs if f"`{knob}`" not in PAGE} == set()


def test_no_text_names_a_value_so_that_it_is_hidden_as_a_secret() -> None:
    hidden = Masker().text
    for name, rule in RULES.items():
        text = re.sub(r"%[a-z][\w.]*(\[[^\]]*\])?", "web", rule.output.text)
        assert hidden(text) == text, name
