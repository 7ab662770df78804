"""A grouping for the store's tests, which are about what is kept, not about what belongs together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from hullwatch.alerts.deciding import apply
from hullwatch.alerts.incident import Incident, Placement, Step
from hullwatch.alerts.issue import Issue
from hullwatch.config.values import at_least

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Memory, PlacedBefore
    from hullwatch.alerts.issue import Decision, Mute


class StandIn:
    """An issue for each rule and image, an incident for each container."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._mutes: dict[str, int] = {}
        self.refused: list[str] = []
        self._issues: dict[str, Issue] = {}
        self._incidents = {one.container: one for one in memory.open_incidents(0)}

    def use_mutes(self, mutes: Sequence[Mute]) -> None:
        self._mutes = {mute.target: mute.id for mute in mutes}

    def decide(self, decision: Decision) -> None:
        if decision.verb == "mute":
            self._mutes[decision.target] = decision.id
            if decision.condition == "wrong":
                self.refused.append(f"Mute {decision.id} is not used: it is wrong.")
        if decision.verb == "unmute":
            self._mutes.pop(decision.target, None)
        for one in (*self._issues.values(), *self._incidents.values()):
            if one.id == decision.target:
                apply(one, decision)

    def place(self, alert: Alert) -> Placement:
        if alert.rule == "Breaks":
            raise ZeroDivisionError
        digits = hashlib.sha256(f"{alert.rule} {alert.container_image}".encode()).hexdigest()[:24]
        issue = self._issues.get(digits) or self._memory.issue(f"0:{digits}")
        is_new = issue is None
        if issue is None:
            issue = Issue(
                id=f"i{digits[:10]}", fingerprint=f"0:{digits}", rule=alert.rule, priority=alert.priority,
                workload=alert.container_image or "host", title=alert.message[:80], first_seen=alert.time,
                last_seen=alert.time,
            )  # fmt: skip
        self._issues[digits] = issue
        issue.count += 1
        issue.last_seen = max(issue.last_seen, alert.time)
        issue.last_alert = alert.id
        muted = self._mutes.get(issue.id, 0)
        incident = None if muted or not at_least(alert.priority, "Warning") else self._incident(alert, issue)
        opened = incident is not None and incident.count == 1
        return Placement(alert=alert.id, issue=issue, incident=incident, is_new=is_new, opened=opened, muted=muted)

    def place_again(self, alert: Alert, before: PlacedBefore) -> Placement | None:
        known = self._memory.incident(before.incident)
        if known is not None:
            self._incidents.setdefault(alert.container_id, known)
        placed = self.place(alert)
        assert (placed.issue.id, placed.incident.id if placed.incident else "") == (before.issue, before.incident)
        return placed

    def _incident(self, alert: Alert, issue: Issue) -> Incident:
        incident = self._incidents.get(alert.container_id)
        if incident is None:
            incident = Incident(
                id=f"n{alert.container_id[:6]}", title=f"{alert.rule} in {alert.container_name or 'host'}",
                opened=alert.time, last_seen=alert.time, priority=alert.priority, container=alert.container_id,
                hostname=alert.hostname, keys=(f"container:{alert.container_id}",),
            )  # fmt: skip
            self._incidents[alert.container_id] = incident
        incident.count += 1
        incident.last_seen = max(incident.last_seen, alert.time)
        if all(step.issue != issue.id for step in incident.steps):
            why = "" if not incident.steps else "the same container"
            step = Step(
                at=alert.time, last=alert.time, count=1, issue=issue.id, alert=alert.id, rule=alert.rule,
                priority=alert.priority, title=alert.message[:80], process=alert.process, why=why,
            )  # fmt: skip
            incident.steps = [*incident.steps, step]
        return incident
