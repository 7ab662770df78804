"""A busy hour of a host collapses to the issues and the incidents that are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.alert_mix import ATTACK, KINDS, WORKLOADS, alerts, attacked
from tests.alerts.placing import grouper

if TYPE_CHECKING:
    from hullwatch.alerts.incident import Incident

ALERTS = 100_000


def test_a_hundred_thousand_alerts_of_forty_kinds_become_forty_odd_issues_and_the_attacks_that_were_made() -> None:
    """Each kind is of one workload, so there are as many issues; the attack is of one workload and has six more."""
    by = grouper()
    incidents: dict[str, Incident] = {}
    issues: dict[str, int] = {}
    members = 0
    for alert in alerts(ALERTS):
        placed = by.place(alert)
        issues[placed.issue.id] = placed.issue.count
        if placed.incident is not None:
            incidents[placed.incident.id] = placed.incident
            members += 1 + len(placed.joined)
    assert len(issues) == KINDS + len(ATTACK)
    assert sum(issues.values()) == ALERTS
    assert {one.workload for one in incidents.values()} == {f"shop/w{attacked()[0] % WORKLOADS}"}
    assert len(incidents) == len(attacked())
    for incident in incidents.values():
        done = [step for step in incident.steps if not step.rule.startswith("Kind ")]
        assert [step.rule for step in done] == [step.rule for step in ATTACK]
        assert [step.count for step in done] == [1] * len(ATTACK)
        assert all(step.why.startswith(("before it, the same", "the same exec session as step")) for step in done[:2])
    assert members == sum(incident.count for incident in incidents.values())
