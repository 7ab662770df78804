"""Rules of the source ``k8s_audit``: written as Falco's users write them, and test cases with events of the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from hullwatch.detect.case_judge import judging
from hullwatch.fields.audit_event import AuditEvent
from hullwatch.rules.cases import read_cases, run_case
from hullwatch.rules.describe import RuleBook
from hullwatch.rules.explain import explain
from hullwatch.rules.loader import SOURCES, RulesFile, find_problems, load
from hullwatch.rules.pack import builtin_files
from hullwatch.rules.problem import RulesError
from tools.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "kubernetes-rules.md").read_text(encoding="utf-8")
FALCO_STYLE = """
- required_engine_version: 15
- required_plugin_versions:
  - name: k8saudit
    version: 0.7.0
    alternatives: [{name: k8saudit-eks, version: 0.4.0}, {name: k8saudit-gke, version: 0.1.0}]
  - name: json
    version: 0.7.0
- list: known_images
  items: [registry.example/tools]
- macro: over
  condition: (jevt.value[/stage] in (ResponseComplete))
- macro: a_pod
  condition: (ka.target.resource=pods and not ka.target.subresource exists)
- macro: never
  condition: (jevt.rawtime=0)
- rule: Privileged
  desc: d
  condition: over and a_pod and ka.verb=create and ka.req.pod.containers.privileged intersects (true) and
    not ka.req.pod.containers.image.repository in (known_images)
  output: privileged (user=%ka.user.name pod=%ka.resp.name ns=%ka.target.namespace
    images=%ka.req.pod.containers.image[0])
  priority: WARNING
  source: k8s_audit
  tags: [k8s]
  exceptions:
    - name: by_user
      fields: [ka.user.name, ka.target.namespace]
      comps: [=, in]
      values: [[ops, [kube-system, tools]]]
- rule: Called by address
  desc: d
  condition: >
    (ka.uri glob "/api/v1/*" or ka.uri regex "/apis/[a-z]+/.*") and ka.sourceips[0] in ("10.0.0.1") and
    ka.user.groups intersects (developers) and tolower(ka.useragent) startswith kubectl and
    ka.user.name != val(ka.impuser.name) and not never
  output: called %evt.time.iso8601 %jevt.value[/auditID] %toupper(ka.verb) %evt.pluginname %ka.cluster.name
  priority: INFO
  source: k8s_audit
- rule: Privileged
  condition: and not ka.target.name startswith debug
  override: {condition: append}
"""


def of_style(audit: dict[str, Any]) -> list[str]:
    rules = load([RulesFile("falco.yaml", FALCO_STYLE.encode())], sources=SOURCES)
    return [rule.output.render(AuditEvent(audit))[0] for rule in rules.of_api if rule.matches(AuditEvent(audit))]


def privileged(**more: Any) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"image": "registry.example/web:1", "securityContext": {"privileged": True}}]}}
    return {
        "stage": "ResponseComplete",
        "stageTimestamp": "2026-11-28T10:00:00Z",
        "verb": "create",
        "user": {"username": "alice"},
        "objectRef": {"resource": "pods", "namespace": "shop"},
        "requestObject": pod,
        **more,
    }


def test_a_file_in_falco_s_style_loads_without_a_word() -> None:
    assert find_problems([RulesFile("falco.yaml", FALCO_STYLE.encode())]) == []


def test_conditions_exceptions_and_overrides_hold_as_in_falco() -> None:
    assert of_style(privileged()) == ["privileged (user=alice pod=<NA> ns=shop images=registry.example/web:1)"]
    assert of_style(privileged(user={"username": "ops"})) != []
    there = {"resource": "pods", "namespace": "tools"}
    assert of_style(privileged(user={"username": "ops"}, objectRef=there)) == []
    assert of_style(privileged(objectRef={"resource": "pods", "name": "debug-1"})) == []
    assert of_style(privileged(objectRef={"resource": "pods", "subresource": "status"})) == []
    tools = {"spec": {"containers": [{"image": "registry.example/tools:2", "securityContext": {"privileged": True}}]}}
    assert of_style(privileged(requestObject=tools)) == []


def test_operators_transformers_and_outputs_work_on_events_of_the_api() -> None:
    audit = {
        "auditID": "a1",
        "stageTimestamp": "2026-11-28T10:00:00Z",
        "requestURI": "/api/v1/pods",
        "verb": "list",
        "sourceIPs": ["10.0.0.1", "10.0.0.2"],
        "userAgent": "Kubectl/1",
        "user": {"username": "alice", "groups": ["developers", "x"]},
        "impersonatedUser": {"username": "bob"},
    }
    assert of_style(audit) == ["called 2026-11-28T10:00:00.000000000+0000 a1 LIST k8saudit <NA>"]
    assert of_style({**audit, "sourceIPs": ["10.0.0.2", "10.0.0.1"]}) == []
    assert of_style({**audit, "impersonatedUser": {"username": "alice"}}) == []


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("ka.nosuch = x", "There is no field 'ka.nosuch'"),
        ("ka.user.groups = x", "ka.user.groups is a list"),
        ("ka.req.pod.containers.image[0] = x", "is a list"),
        ("ka.req.pod.containers.image[x] in (x)", "takes a number in brackets"),
        ("ka.uri.param = x", "needs an argument"),
        ("ka.response.code > 400", "does not work on text"),
    ],
)
def test_a_wrong_condition_is_told(condition: str, sentence: str) -> None:
    rule = f"- rule: R\n  desc: d\n  condition: {condition}\n  output: x\n  priority: INFO\n  source: k8s_audit\n"
    with pytest.raises(RulesError, match=re.escape(sentence)):
        load([RulesFile("a.yaml", rule.encode())], sources=SOURCES)


def test_checks_of_another_source_s_fields_are_always_false_and_told() -> None:
    text = "".join(
        f"- rule: {source}\n  desc: d\n  condition: {condition}\n  output: x\n  priority: INFO\n  source: {source}\n"
        for source, condition in (("k8s_audit", "proc.name = x"), ("syscall", "evt.type = openat and ka.verb = get"))
    )
    book = RuleBook([RulesFile("a.yaml", text.encode())])
    assert [problem.sentence.split()[2] for problem in book.absent_checks()] == ["proc.name", "ka.verb"]


def test_the_page_s_rule_loads_and_its_cases_pass(tmp_path: Path) -> None:
    rules, cases, of_news = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my_rules.yaml").write_text(rules)
    (tmp_path / "cases.yaml").write_text(cases)
    assert find_problems([RulesFile("my_rules.yaml", rules.encode())]) == []
    results = [run_case(case, judging) for case in read_cases(tmp_path / "cases.yaml")]
    assert [result.sentence for result in results] == ["", "", ""]
    (tmp_path / "news.yaml").write_text(of_news)
    assert [run_case(case, judging).sentence for case in read_cases(tmp_path / "news.yaml")] == [""]


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("event: 5", "'event' is a map"),
        ("history: 5\n    event: {}", "'history' is a list"),
        ("history: [{type: execve}]\n    event: {}", "'history' has events of the API only"),
        ("history: [{event: {}, times: 1001}]\n    event: {}", "'times' is how often"),
        ("event: '{'", "This is no JSON"),
        ("event: {}\n    events: []", "'event' or 'events'"),
        ("events: [{event: {}, type: execve}]", "has no key 'type'"),
        ("events: [{event: {}, after: x}]", "x"),
    ],
)
def test_a_wrong_event_in_a_case_is_told(tmp_path: Path, case: str, sentence: str) -> None:
    (tmp_path / "cases.yaml").write_text(f"cases:\n  - it: x\n    {case}\n    alerts: []\n")
    with pytest.raises(RulesError, match=sentence):
        read_cases(tmp_path / "cases.yaml")


def test_a_rule_is_explained_for_an_event_of_the_api() -> None:
    found = explain(RuleBook(builtin_files("k8s_audit")), "Pod entered", AuditEvent({"stage": "ResponseStarted"}))
    assert not found.matches
    assert [line.short for line in found.decided_by] == ["ka.target.session in (exec, attach)"]


def test_names_of_the_pack_s_macros_and_lists_are_other_ones_for_each_source() -> None:
    texts = {source: "".join(one.text.decode() for one in builtin_files(source)) for source in SOURCES}
    names = {source: set(re.findall(r"^- (?:macro|list): (\S+)", text, re.MULTILINE)) for source, text in texts.items()}
    assert names["syscall"] & names["k8s_audit"] == set()
