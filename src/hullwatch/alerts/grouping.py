"""Deciding what is what: which issue an alert is one more of, and which incident it belongs to, and why.

Nothing here knows a database or a clock: time is that of the alerts, so the same alerts are placed the same way again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from copy import copy
from typing import TYPE_CHECKING

from msgspec.structs import force_setattr

from hullwatch.alerts.belonging import keys_of, step_of, why
from hullwatch.alerts.fingerprint import Print, fingerprint, of_the_rest, workload
from hullwatch.alerts.incident import Incident, Placement
from hullwatch.alerts.issue import Issue, Mute
from hullwatch.alerts.loose import LooseAlerts
from hullwatch.alerts.mutes import Mutes
from hullwatch.alerts.open_incidents import OpenIncident, OpenIncidents
from hullwatch.alerts.score import RARITY_ENDS, Surroundings, context_of, issue_parts, more_severe, rarity_of, total
from hullwatch.config.incident_settings import IncidentsSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Memory
    from hullwatch.alerts.issue import Decision
    from hullwatch.alerts.score import Context

MOST_ISSUES = 20_000  # that are remembered here; the store has the others
MOST_OF_A_RULE = 200  # issues of one rule in one workload that are told apart; what comes then is one more issue
MOST_ALONE = 5  # incidents that one issue opens by itself in `longest`; then it is what always happens
_MOST_KINDS = 50_000  # pairs of rule and workload whose issues are counted
_ID_DIGITS = 10


class _KnownIssue:
    """An issue, its surroundings, and the incidents that it opened."""

    __slots__ = ("context", "issue", "opened")

    def __init__(self, issue: Issue, context: Context) -> None:
        self.issue = issue
        self.context = context
        self.opened: list[OpenIncident] = []


class Grouper:
    """Places alerts, one after another.

    Attributes:
        mutes: that are in force.
        incidents: that still take alerts.
    """

    def __init__(self, memory: Memory, settings: IncidentsSettings | None = None) -> None:
        """Start with what the memory knows; it is asked when that is first needed.

        Args:
            memory: of issues and incidents of before.
            settings: how alerts become incidents.
        """
        settings = settings or IncidentsSettings()
        self._memory = memory
        self._minimum = settings.minimum_score
        self._window = int(settings.window * 1e9)
        self._longest = max(self._window, int(settings.longest * 1e9))
        self._surroundings = Surroundings(settings.production_namespaces)
        self._issues: OrderedDict[str, _KnownIssue] = OrderedDict()  # by fingerprint
        self._fingerprints: dict[str, str] = {}  # by the issue's id
        self._kinds: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._loose = LooseAlerts()
        self.incidents = OpenIncidents(self._window, self._longest)
        self.mutes = Mutes()
        self._begun = False

    def place_all(self, alerts: Iterable[Alert]) -> list[Placement]:
        """Place several alerts, in their order."""
        return [self.place(alert) for alert in alerts]

    def place(self, alert: Alert) -> Placement:
        """Count an alert on its issue, and let it join or open an incident."""
        if not self._begun:
            self._begun = True
            self._recall(alert.time - self._window)
        context = self._surroundings.of(alert.origin)
        known, is_new = self._issue_of(alert, context)
        regressed = self._count(known, alert, context)
        issue = known.issue
        muted = self.mutes.of(alert, issue.id)
        if muted:
            return Placement(alert=alert.id, issue=copy(issue), is_new=is_new, regressed=regressed, muted=muted)
        keys = keys_of(alert)
        found = self.incidents.find(alert.hostname, keys, alert.time)
        if found is not None:
            opened, key = found
            return self._join(alert, known, opened, key, keys, is_new=is_new, regressed=regressed)
        if not keys or issue.score < self._minimum or self._is_usual(known, alert.time):
            if keys:
                self._loose.add(alert, issue, keys, self._window)
            return Placement(alert=alert.id, issue=copy(issue), is_new=is_new, regressed=regressed)
        opened, joined = self._open(alert, known, keys)
        return Placement(
            alert=alert.id,
            issue=copy(issue),
            incident=opened.snapshot(),
            is_new=is_new,
            regressed=regressed,
            opened=True,
            joined=joined,
        )

    def use_mutes(self, mutes: Sequence[Mute]) -> None:
        """Mute these from now on, and nothing else; ``mutes.refused`` says which of them cannot be used."""
        self.mutes.use(mutes)

    def decide(self, decision: Decision) -> None:
        """Do to an issue or incident what somebody decided; what is not remembered here, the store has changed."""
        if decision.verb in {"mute", "unmute"}:
            self._mute(decision)
        known = self._issues.get(self._fingerprints.get(decision.target, ""))
        opened = self.incidents.get(decision.target)
        for target in (known.issue if known is not None else None, opened.incident if opened is not None else None):
            if target is not None:
                _decide(decision, target)
        if opened is not None and decision.verb == "close":
            self.incidents.close(decision.target)
        if opened is None and decision.verb == "reopen":
            self._recall(decision.at - self._longest)

    # ---- issues

    def _issue_of(self, alert: Alert, context: Context) -> tuple[_KnownIssue, bool]:
        made = fingerprint(alert)
        known = self._known(made)
        if known is not None:
            return known, False
        kind = alert.rule, workload(alert)
        if self._kinds.get(kind, 0) >= MOST_OF_A_RULE:
            made = of_the_rest(alert)
            known = self._known(made)
            if known is not None:
                return known, False
        issue = self._memory.issue(made.fingerprint)
        is_new = issue is None
        if issue is None:
            issue = _new_issue(alert, made, kind[1])
        known = _KnownIssue(issue, context | context_of(issue.parts))
        self._remember(known, kind)
        return known, is_new

    def _known(self, made: Print) -> _KnownIssue | None:
        known = self._issues.get(made.fingerprint)
        if known is not None:
            self._issues.move_to_end(made.fingerprint)
        return known

    def _remember(self, known: _KnownIssue, kind: tuple[str, str]) -> None:
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        self._kinds.move_to_end(kind)
        if len(self._kinds) > _MOST_KINDS:
            self._kinds.popitem(last=False)
        issue = known.issue
        self._issues[issue.fingerprint] = known
        self._fingerprints[issue.id] = issue.fingerprint
        if len(self._issues) > MOST_ISSUES:
            _, oldest = self._issues.popitem(last=False)
            self._fingerprints.pop(oldest.issue.id, None)

    @staticmethod
    def _count(known: _KnownIssue, alert: Alert, context: Context) -> bool:
        """Count an alert on its issue; return whether it had been closed."""
        issue = known.issue
        issue.count += 1
        if alert.time > issue.last_seen:
            issue.last_seen = alert.time
        elif alert.time < issue.first_seen:
            issue.first_seen = alert.time
        issue.last_alert = alert.id
        changed = issue.count in RARITY_ENDS or not issue.parts
        if alert.priority != issue.priority and more_severe(alert.priority, issue.priority):
            issue.priority, changed = alert.priority, True
        if not context <= known.context:
            known.context, changed = known.context | context, True
        if changed:
            issue.parts = issue_parts(issue.priority, issue.count, known.context)
            issue.score = total(issue.parts)
        if issue.state != "closed":
            return False
        issue.state = "open"
        issue.regressed += 1
        return True

    # ---- incidents

    def _recall(self, since: int) -> None:
        """Take in the incidents of before that may still take alerts."""
        for incident in sorted(self._memory.open_incidents(since), key=lambda one: one.last_seen):
            if incident.state != "closed" and self.incidents.get(incident.id) is None:
                self.incidents.use(OpenIncident(incident))

    def _is_usual(self, known: _KnownIssue, time: int) -> bool:
        """Tell whether an issue has opened incidents again and again, and nothing else ever happened in them."""
        if len(known.opened) < MOST_ALONE:
            return False
        since = time - self._longest
        known.opened = [one for one in known.opened if one.alone and one.incident.opened >= since]
        return len(known.opened) >= MOST_ALONE

    def _join(
        self,
        alert: Alert,
        known: _KnownIssue,
        opened: OpenIncident,
        key: str,
        keys: tuple[str, ...],
        *,
        is_new: bool,
        regressed: bool,
    ) -> Placement:
        reason = why(alert, key, opened.step_of(key))
        if not opened.count(known.issue.id, alert, keys, known.context):
            opened.add(step_of(alert, known.issue, reason), keys, known.context, rarity_of(known.issue.parts))
        self.incidents.touch(opened, keys)
        return Placement(
            alert=alert.id,
            issue=copy(known.issue),
            incident=opened.snapshot(),
            is_new=is_new,
            regressed=regressed,
            muted=self.mutes.of_target(alert, opened.incident.id),
            why=reason,
        )

    def _open(self, alert: Alert, known: _KnownIssue, keys: tuple[str, ...]) -> tuple[OpenIncident, tuple[str, ...]]:
        """Open an incident, with what came before it in the same place; return it and the ids of that."""
        opened = OpenIncident(_new_incident(alert, known.issue))
        joined: list[str] = []
        for loose, key in self._loose.take(alert.hostname, keys, alert.time - self._window):
            step = loose.step
            force_setattr(step, "why", f"before it, {why(alert, key, 0)}")
            opened.add(step, (key,), frozenset(), None)
            joined += loose.alerts
        opened.add(step_of(alert, known.issue), keys, known.context, rarity_of(known.issue.parts))
        self.incidents.use(opened)
        known.opened.append(opened)
        return opened, tuple(joined)

    def _mute(self, decision: Decision) -> None:
        made = None
        if decision.verb == "mute":
            made = Mute(id=decision.id, condition=decision.condition, target=decision.target, until=decision.until)
        self.mutes.decide(decision, made)


def _new_issue(alert: Alert, made: Print, where: str) -> Issue:
    return Issue(
        id=made.issue,
        fingerprint=made.fingerprint,
        rule=alert.rule,
        priority=alert.priority,
        workload=where,
        title=made.title,
        first_seen=alert.time,
        last_seen=alert.time,
    )


def _new_incident(alert: Alert, issue: Issue) -> Incident:
    named = "\0".join((alert.hostname, alert.id, str(alert.time), issue.fingerprint, *keys_of(alert)))
    return Incident(
        id=f"n{hashlib.sha256(named.encode('utf-8', 'replace')).hexdigest()[:_ID_DIGITS]}",
        title="",
        opened=alert.time,
        last_seen=alert.time,
        priority=alert.priority,
        hostname=alert.hostname,
        container=alert.container_id,
        workload=issue.workload,
    )


def _decide(decision: Decision, target: Issue | Incident) -> None:
    if decision.verb == "ack":
        target.state = "acknowledged"
    elif decision.verb == "assign":
        target.assignee = decision.assignee
    elif decision.verb == "close":
        target.state = "closed"
    elif decision.verb == "reopen":
        target.state = "open"
    elif isinstance(target, Issue):
        target.muted_until = decision.until if decision.verb == "mute" else 0
