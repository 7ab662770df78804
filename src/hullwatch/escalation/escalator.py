"""Tells who is to be told by now, and remembers who was, also when Hullwatch was not there for a while."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.escalation.plan import choose, schedule, targets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.incident import Incident
    from hullwatch.escalation.plan import Target
    from hullwatch.escalation.policy import Escalation, Policy

_SECOND = 1_000_000_000  # ns
QUIET = 600 * _SECOND  # since its last alert: such an incident of before the first use is told of when it goes on


class Progress(msgspec.Struct, kw_only=True):
    """How far the escalation of an incident has come; to be kept over restarts.

    Attributes:
        incident: id.
        policy: name.
        begun: ns since the epoch.
        told: of each step, how often it was its time.
        rests: it was open and quiet when escalation was first used; nobody is told until something new happens in it.
    """

    incident: str
    policy: str
    begun: int
    told: dict[int, int] = {}
    rests: bool = False


class Notice(NamedTuple):
    """A message that is due.

    Attributes:
        id: the same when it is sent again after a crash.
        incident: that it is about.
        policy: name.
        step: position in the policy.
        number: 0 the first time, then of the repeat.
        target: who is told, and by which output.
        why: in words.
    """

    id: str
    incident: Incident
    policy: str
    step: int
    number: int
    target: Target
    why: str


class Escalator:
    """Follows incidents until somebody acknowledges them.

    Args:
        escalation: the file.
        known: how far it was when Hullwatch ended.
        first: nothing was ever told by this store.

    Attributes:
        resting: how many incidents were open and quiet at the first look of the first use.
    """

    def __init__(self, escalation: Escalation, known: Iterable[Progress] = (), *, first: bool = False) -> None:
        """Go on where it was."""
        self.resting = 0
        self._first = first
        self._escalation = escalation
        self._progress = {one.incident: one for one in known}

    @property
    def progress(self) -> list[Progress]:
        """How far it is, to be kept before the notices are sent."""
        return list(self._progress.values())

    def due(self, incidents: Iterable[Incident], now: int) -> list[Notice]:
        """Return what is due.

        Of repeats that were missed the last one is sent: a morning does not begin with the messages of a whole night.

        Args:
            incidents: all that are not closed; of others the progress is forgotten.
            now: ns since the epoch.
        """
        found: list[Notice] = []
        moment = _moment(now)
        followed: dict[str, Progress] = {}
        for incident in incidents:
            policy, _ = choose(self._escalation, incident, moment)
            progress = self._progress.get(incident.id)
            if progress is None and self._first and incident.state == "open" and now - incident.last_seen > QUIET:
                progress = Progress(incident=incident.id, policy="", begun=now, rests=True)
                self.resting += 1
            if progress is not None and progress.rests and incident.last_seen <= progress.begun:
                followed[incident.id] = progress
                continue
            policy = self._keep(progress, policy)
            if incident.state != "open" or policy is None:
                continue
            if progress is None or progress.policy != policy.name:
                progress = Progress(incident=incident.id, policy=policy.name, begun=now)
            followed[incident.id] = progress
            found += self._due(incident, policy, progress, moment)
        self._progress = followed
        self._first = False
        return found

    def _keep(self, progress: Progress | None, policy: Policy | None) -> Policy | None:
        """Return the policy that counts: the one that was begun, unless one before it has come to count."""
        names = [one.name for one in self._escalation.policies]
        if progress is None or progress.policy not in names:
            return policy
        before = names.index(progress.policy)
        if policy is not None and names.index(policy.name) < before:
            return policy
        return self._escalation.policies[before]

    def _due(self, incident: Incident, policy: Policy, progress: Progress, now: dt.datetime) -> list[Notice]:
        last = {
            due.step: due
            for due in schedule(policy, _moment(progress.begun), incident.score)
            if due.at <= now and due.number >= progress.told.get(due.step, 0)
        }
        found: list[Notice] = []
        for place, due in last.items():
            progress.told[place] = due.number + 1
            for target in targets(self._escalation, policy.steps[place], now):
                who = target.person.id if target.person else target.output
                id_ = f"{incident.id}.{progress.begun // _SECOND}.{place}.{due.number}.{who}"
                found.append(Notice(id_, incident, policy.name, place, due.number, target, due.why))
        return found


def _moment(nanoseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(nanoseconds / _SECOND, dt.UTC)
