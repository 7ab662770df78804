"""Events of the Kubernetes API against rules: what was decided once is what each event would say itself."""

from __future__ import annotations

import gc
import gzip
import weakref
from typing import Any

import msgspec
import pytest

from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.rules.audit_cases import completed
from hullwatch.rules.loader import SOURCES, RuleSet, RulesFile, load
from hullwatch.rules.pack import builtin_files
from tools.repository import ROOT

LOG = ROOT / "tests" / "data" / "kubernetes" / "audit.jsonl.gz"
SHAPES = (
    "ka.verb = {verb} and ka.target.resource = {resource}",
    "ka.target.resource in ({resource}, secrets) and not ka.verb in (get, watch, {verb})",
    "jevt.value[/objectRef/resource] = {resource} and ka.response.code != 200",
    "not ka.stage = ResponseComplete and ka.target.session exists and ka.verb != {verb}",
    "ka.user.name startswith system: and ka.target.resource = {resource} and ka.user.groups intersects (system:nodes)",
    "not ka.user.name startswith system: and ka.verb = {verb} and not ka.target.namespace exists",
    "ka.req.pod.containers.image exists or (ka.verb = {verb} and tolower(ka.useragent) contains curl)",
    "ka.response.success = false and ka.auth.decision = forbid and not ka.target.resource = {resource}",
    "ka.user.name = val(ka.target.name) or ka.user.kind = anonymous",
    "not ka.user.kind in (component, node) and (ka.verb = {verb} or not ka.user.serviceaccount exists)",
)
MANY_REFUSED = (
    "- rule: Many refused\n  desc: d\n  condition: ka.response.code = 403\n"
    "  threshold: {count: 3, within: 1m}\n  by: [ka.user.name]\n"
    "  output: x %ka.user.name\n  priority: INFO\n  source: k8s_audit\n"
)


def made_up_rules(number: int) -> str:
    """Return rules that tell every combination of verbs and resources apart."""
    verbs = ("get", "list", "create", "update", "patch", "delete", "watch")
    resources = ("pods", "secrets", "configmaps", "deployments", "clusterroles", "leases", "nodes", "events")
    made: list[str] = []
    for place in range(number):
        condition = SHAPES[place % len(SHAPES)].format(
            verb=verbs[place % len(verbs)], resource=resources[place // 3 % len(resources)]
        )
        made.append(
            f"- rule: Rule {place}\n  desc: d\n  condition: >\n    {condition}\n  output: x %ka.user.name\n"
            "  priority: INFO\n  source: k8s_audit\n"
        )
    return "".join(made)


def rules_of(text: str) -> RuleSet:
    return load([RulesFile("a.yaml", text.encode())], sources=SOURCES)


def log() -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in gzip.decompress(LOG.read_bytes()).splitlines()]


@pytest.mark.parametrize("every", [True, False])
def test_what_is_decided_once_is_what_each_event_says_itself(every: bool) -> None:  # noqa: FBT001 - a parameter
    rules = rules_of(made_up_rules(63))
    judge, alone = AuditJudge(rules, Counters(), every=every), AuditJudge(rules, Counters(), every=every)
    found = 0
    for audit in log():
        names = [match.rule.name for match in judge.matches(audit)]
        assert names == [match.rule.name for match in alone.matches_of(AuditEvent(audit))]
        found += len(names)
    assert found > 200


def test_the_log_of_a_real_cluster_raises_what_people_did_in_it() -> None:
    judge = AuditJudge(load(builtin_files("k8s_audit"), sources=SOURCES), Counters(), every=True)
    found = [(number, match.rule.name) for number, audit in enumerate(log(), 1) for match in judge.matches(audit)]
    expected = {
        *((number, "Pod entered") for number in (696, 699, 710, 713)),
        (595, "Privileged workload created"),
        *((number, "Secrets of all namespaces listed") for number in (658, 687, 693)),
        (681, "Cluster administrator made"),
        (732, "Anonymous call allowed"),
    }
    assert expected <= set(found)


@pytest.mark.parametrize("value", [None, True, 1, 1.0, 5, "", "x" * 2000, [], {}, [[]], {"a": []}])
@pytest.mark.parametrize("place", ["verb", "stage", "objectRef", "responseStatus", "user", "annotations", "requestURI"])
def test_a_value_of_a_wrong_type_is_judged_like_any_other(place: str, value: object) -> None:
    rules = rules_of(made_up_rules(20))
    counters = Counters()
    judge = AuditJudge(rules, counters, every=True)
    usual = completed({"verb": "get", "user": {"username": "a"}, "objectRef": {"resource": "pods"}})
    for audit in (usual, {**usual, place: value}, usual, {**usual, place: {"resource": value, "code": value}}):
        names = [match.rule.name for match in judge.matches(audit)]
        assert names == [match.rule.name for match in judge.matches_of(AuditEvent(audit))]
    assert counters.dropped == {}


def test_a_caller_without_a_name_is_known_by_its_groups() -> None:
    rules = rules_of(
        "- rule: R\n  desc: d\n  condition: ka.user.kind = anonymous\n  output: x\n"
        "  priority: INFO\n  source: k8s_audit\n"
    )
    judge = AuditJudge(rules, Counters())
    users = [{"username": "", "groups": [group]} for group in ("a", "system:unauthenticated", "b")]
    assert [len(judge.matches(completed({"user": user}))) for user in users] == [0, 1, 0]


def test_true_and_1_are_told_apart_where_an_event_is_known_by_them() -> None:
    judge = AuditJudge(rules_of(
        "- rule: R\n  desc: d\n  condition: ka.response.code = 1\n  output: x\n  priority: INFO\n  source: k8s_audit\n"
    ), Counters())  # fmt: skip
    one, truth = ({"responseStatus": {"code": value}} for value in (1, True))
    assert [len(judge.matches(audit)) for audit in (one, truth, one, truth)] == [1, 0, 1, 0]


def test_a_rule_with_a_threshold_counts_over_events_of_one_caller() -> None:
    judge = AuditJudge(rules_of(MANY_REFUSED), Counters())
    told: list[int] = []
    for number in range(6):
        user = {"username": "bob" if number % 2 else "alice"}
        audit = completed({"user": user, "responseStatus": {"code": 403}, "verb": "get"}, number)
        told += [number for match in judge.matches(audit) if len(match.evidence) == 2]
    assert told == [4, 5]


def test_judges_of_the_same_rules_remember_nothing_of_each_other() -> None:
    rules = rules_of(MANY_REFUSED)
    for _ in range(2):
        judge = AuditJudge(rules, Counters())
        refused = {"user": {"username": "eve"}, "responseStatus": {"code": 403}, "verb": "get"}
        audits = [completed(refused, number) for number in range(3)]
        assert [len(judge.matches(audit)) for audit in audits] == [0, 0, 1]


def test_what_judges_share_goes_with_the_rules() -> None:
    rules = rules_of(MANY_REFUSED)
    judge = AuditJudge(rules, Counters())
    graph = weakref.ref(judge._graph)
    assert AuditJudge(rules, Counters())._graph is graph()
    del rules, judge
    gc.collect()
    assert graph() is None


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hullwatch.detect.audit_judge.MOST_KNOWN", 50)
    judge = AuditJudge(rules_of(made_up_rules(10)), Counters())
    for number in range(300):
        judge.matches({"verb": f"v{number}", "objectRef": {"resource": "pods"}, "user": {"username": f"u{number}"}})
    assert len(judge._known) <= 50
    assert len(judge._callers) <= 50


def test_made_up_calls_share_what_is_left_of_the_rules() -> None:
    judge = AuditJudge(rules_of(made_up_rules(10)), Counters())
    for number in range(300):
        judge.matches({"verb": f"v{number}", "objectRef": {"resource": f"r{number}"}, "user": {"username": "u"}})
    assert len(judge._known) == 300
    assert len({id(left) for left in judge._known.values()}) < 30


def test_a_deep_or_huge_event_is_judged() -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    judge = AuditJudge(rules_of(made_up_rules(20)), Counters(), every=True)
    judge.matches({"verb": "get", "objectRef": deep, "requestObject": {"spec": deep}, "user": {"username": deep}})
    containers = [{"name": str(number), "image": "x" * 100} for number in range(50_000)]
    pod = {"verb": "create", "objectRef": {"resource": "pods"}, "requestObject": {"spec": {"containers": containers}}}
    assert judge.matches(completed(pod))
