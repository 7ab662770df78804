"""How much is told a day of what is new, once a cluster is learnt: of weeks that are made up of real events."""

from __future__ import annotations

from collections import Counter

from hullwatch.baseline.baseline import Baseline
from hullwatch.baseline.cluster import Span
from hullwatch.config.kubernetes_baseline_settings import BaselineSettings
from hullwatch.counters import Counters
from hullwatch.detect.audit_judge import AuditJudge
from hullwatch.posture.trail import Trail
from hullwatch.rules.loader import load
from hullwatch.rules.pack import builtin_files
from tests.baseline.made_weeks import PEOPLE, MadeWeeks

LEARNT, JUDGED = 7, 7  # days
MOST = 5  # alerts a day, on average; ten are more than anybody reads


def test_of_a_cluster_with_eight_people_and_twelve_deliveries_a_day_no_more_is_told_than_somebody_reads() -> None:
    files = builtin_files("k8s_audit")
    text = next(file.text.decode() for file in files if file.name.endswith("baseline.yaml"))
    named = {line.removeprefix("- rule: ") for line in text.splitlines() if line.startswith("- rule: ")}
    settings = BaselineSettings()
    baseline = Baseline(Span(settings.learn, settings.forget), settings.most)
    rules = load(files, sources=frozenset({"k8s_audit"}))
    judge = AuditJudge(rules, Counters(), trail=Trail(), look=baseline.look)
    told: list[Counter[str]] = []
    for events in MadeWeeks(1).days(LEARNT + JUDGED):
        found = [match.rule.name for event in events for match in judge.matches(event)]
        told.append(Counter(name for name in found if name in named))
    assert len(PEOPLE) == 8
    assert not any(told[:LEARNT])
    assert sum(day.total() for day in told[LEARNT:]) <= MOST * JUDGED, told
    every = sum(told, Counter[str]())
    # What is new in that week, and is to be told: an application, a colleague, a tool, previews, places.
    assert every["Image of a new repository"] == 1
    assert every["New user calls"] == 1
    assert every["Person uses a new program"] == 1
    assert every["Namespace used for the first time"] == every["New grant of a role"] == 5
    assert every["Person calls from a new network"] >= 1
