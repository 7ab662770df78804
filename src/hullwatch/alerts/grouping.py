"""Deciding what is what: which issue an alert is one more of, and which incident it belongs to, and why.

Nothing here knows a database or a clock: time is that of the alerts, so the same alerts are placed the same way again.
"""

from __future__ import annotations

import hashlib
from copy import copy
from typing import TYPE_CHECKING

from msgspec.structs import force_setattr

from hullwatch.alerts.belonging import keys_of, step_of, why
from hullwatch.alerts.deciding import apply
from hullwatch.alerts.incident import Incident, Placement
from hullwatch.alerts.issue import Issue, Mute
from hullwatch.alerts.known_issues import KnownIssue, KnownIssues
from hullwatch.alerts.loose import LooseAlerts
from hullwatch.alerts.mutes import Mutes
from hullwatch.alerts.open_incidents import LONGEST_NAME, OpenIncident, OpenIncidents
from hullwatch.alerts.score import Surroundings, rarity_of
from hullwatch.config.incident_settings import IncidentsSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Memory, PlacedBefore
    from hullwatch.alerts.issue import Decision

MOST_ALONE = 5  # incidents that one issue opens by itself in `longest`; then it is what always happens
_ID_DIGITS = 10


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
        self._issues = KnownIssues(memory)
        self._gone: dict[str, OpenIncident] = {}  # that take no more alerts, but had some that are placed again
        self._loose = LooseAlerts()
        self.incidents = OpenIncidents(self._window, self._longest)
        self.mutes = Mutes()
        self._begun = False

    @property
    def refused(self) -> Sequence[str]:
        """Why some mutes are not used, as sentences."""
        return self.mutes.refused

    def place_all(self, alerts: Iterable[Alert]) -> list[Placement]:
        """Place several alerts, in their order."""
        return [self.place(alert) for alert in alerts]

    def place(self, alert: Alert) -> Placement:
        """Count an alert on its issue, and let it join or open an incident."""
        self._begin(alert)
        context = self._surroundings.of(alert.origin)
        known, is_new = self._issues.of(alert, context)
        known.count(alert, context)
        regressed = known.open_again()
        issue = known.issue
        muted = self.mutes.of(alert, issue.id)
        if muted:
            return Placement(alert=alert.id, issue=copy(issue), is_new=is_new, regressed=regressed, muted=muted)
        keys = keys_of(alert)
        found = self.incidents.find(alert.hostname, keys, alert.time)
        if found is not None:
            opened, key = found
            reason = why(alert, key, opened.step_of(key))
            self._join(alert, known, opened, keys, reason)
            return Placement(
                alert=alert.id,
                issue=copy(issue),
                incident=opened.snapshot(),
                is_new=is_new,
                regressed=regressed,
                muted=self.mutes.of_target(alert, opened.incident.id),
                why=reason,
            )
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

    def place_again(self, alert: Alert, before: PlacedBefore) -> Placement | None:
        """Count an alert where it was placed before, by who could not say how that ended.

        Returns:
            what it says of the issue and the incident now; None when the issue cannot be told any more.
        """
        self._begin(alert)
        context = self._surroundings.of(alert.origin)
        known = self._issues.again(before.issue, alert, context)
        if known is None:
            return None
        known.count(alert, context)
        keys = keys_of(alert)
        opened = self._incident_again(alert, known, before.incident)
        if opened is not None:
            self._join(alert, known, opened, keys, before.why)
        elif keys and not before.muted and not before.incident:
            self._loose.add(alert, known.issue, keys, self._window)
        incident = None if opened is None else opened.snapshot()
        return Placement(alert=alert.id, issue=copy(known.issue), incident=incident, muted=before.muted, why=before.why)

    def use_mutes(self, mutes: Sequence[Mute]) -> None:
        """Mute these from now on, and nothing else; ``refused`` says which of them cannot be used."""
        self.mutes.use(mutes)

    def decide(self, decision: Decision) -> None:
        """Do to an issue or incident what somebody decided; what is not remembered here, the store has changed."""
        if decision.verb in {"mute", "unmute"}:
            self._mute(decision)
        known = self._issues.get(decision.target)
        opened = self.incidents.get(decision.target)
        for target in (known.issue if known is not None else None, opened.incident if opened is not None else None):
            if target is not None:
                apply(target, decision)
        if opened is not None and decision.verb == "close":
            self.incidents.close(decision.target)
        if opened is None and decision.verb == "reopen":
            self._recall(decision.at - self._longest)

    def _begin(self, alert: Alert) -> None:
        if not self._begun:
            self._begun = True
            self._recall(alert.time - self._window)

    def _recall(self, since: int) -> None:
        """Take in the incidents of before that may still take alerts."""
        for incident in sorted(self._memory.open_incidents(since), key=lambda one: one.last_seen):
            if incident.state != "closed" and self.incidents.get(incident.id) is None:
                self.incidents.use(OpenIncident(incident))

    def _is_usual(self, known: KnownIssue, time: int) -> bool:
        """Tell whether an issue has opened incidents again and again, and nothing else ever happened in them."""
        if len(known.opened) < MOST_ALONE:
            return False
        since = time - self._longest
        known.opened = [one for one in known.opened if one.alone and one.incident.opened >= since]
        return len(known.opened) >= MOST_ALONE

    def _join(
        self,
        alert: Alert,
        known: KnownIssue,
        opened: OpenIncident,
        keys: tuple[str, ...],
        reason: str,
    ) -> None:
        opened.name(alert, known.issue.workload)
        if not opened.count(known.issue.id, alert, keys, known.context):
            opened.add(step_of(alert, known.issue, reason), keys, known.context, rarity_of(known.issue.parts))
        self.incidents.touch(opened, keys)

    def _open(self, alert: Alert, known: KnownIssue, keys: tuple[str, ...]) -> tuple[OpenIncident, tuple[str, ...]]:
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

    def _incident_again(self, alert: Alert, known: KnownIssue, identifier: str) -> OpenIncident | None:
        """Return an incident that an alert has joined or opened before."""
        found = self.incidents.get(identifier) or self._gone.get(identifier)
        if found is not None or not identifier:
            return found
        remembered = self._memory.incident(identifier)
        if remembered is not None:
            found = self._gone[identifier] = OpenIncident(remembered)
            return found
        made = _new_incident(alert, known.issue)
        if made.id != identifier:
            return None
        found = OpenIncident(made)
        self.incidents.use(found)
        known.opened.append(found)
        return found

    def _mute(self, decision: Decision) -> None:
        made = None
        if decision.verb == "mute":
            made = Mute(id=decision.id, condition=decision.condition, target=decision.target, until=decision.until)
        self.mutes.decide(decision, made)


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
        container_name=alert.container_name[:LONGEST_NAME],
        workload=issue.workload,
    )
