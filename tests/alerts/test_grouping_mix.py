"""A busy hour of a host collapses to the issues and the incidents that are in it."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.alert_mix import ATTACK, KINDS, WORKLOADS, alerts, attacked
from hullwatch.alerts.score import MOST, PRIORITY_POINTS, SEVERITIES, Chain
from hullwatch.rules.attack_techniques import TACTICS
from tests.alerts.placing import SECOND, Alerts, grouper, line, session

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


@given(st.integers(0, 2**32), st.integers(0, 100))
@example(2684, 0)  # an alert of a step that comes late
@settings(max_examples=30, deadline=None)
def test_whatever_comes_scores_are_sums_steps_are_in_order_and_every_alert_is_counted(seed: int, minimum: int) -> None:
    chance = random.Random(seed)
    by, make = grouper(minimum_score=minimum, window=600.0, longest=1800.0), Alerts()
    incidents: dict[str, Incident] = {}
    members: Counter[str] = Counter()
    issues: Counter[str] = Counter()
    for _ in range(chance.randrange(1, 120)):
        pid = chance.randrange(40, 44)
        where = chance.choice([session(pid), line((pid, "sh")), {"pod": "p1"}, {}])
        alert = make.make(
            chance.choice(["One", "Two", "Three"]),
            chance.choice(list(PRIORITY_POINTS)),
            container=chance.choice(["", "web-1", "web-2", "db-1"]),
            file=chance.choice(["/etc/shadow", "/etc/hosts"]),
            tags=tuple(chance.sample(list(TACTICS), 2)),
            wait=chance.randrange(-10, 400) * SECOND,
            **where,
        )
        placed = by.place(alert)
        issues[placed.issue.id] += 1
        assert placed.issue.count == issues[placed.issue.id]
        assert placed.issue.score == sum(part.points for part in placed.issue.parts) <= MOST
        if placed.incident is not None:
            incidents[placed.incident.id] = placed.incident
            members[placed.incident.id] += 1 + len(placed.joined)
    for incident in incidents.values():
        assert incident.count == members[incident.id] == sum(step.count for step in incident.steps)
        assert incident.score == sum(part.points for part in incident.parts) <= MOST
        chain = Chain(step.tactics for step in incident.steps).part()
        assert [part for part in incident.parts if "tactics" in part.why] == ([chain] if chain is not None else [])
        worst = min(incident.steps, key=lambda step: SEVERITIES[step.priority])
        assert incident.title.startswith(worst.rule)
        times = [step.at for step in incident.steps]
        assert times == sorted(times)
        assert incident.opened == times[0]
        assert incident.last_seen == max(step.last for step in incident.steps)
        assert incident.last_seen - incident.opened <= (1800 + 600) * SECOND
