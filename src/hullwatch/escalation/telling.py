"""From what is due to messages: an alert that says who is told and why, with the incident that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.alerts.alert import Alert
from hullwatch.alerts.incident import Incident, Placement
from hullwatch.alerts.issue import Issue
from hullwatch.escalation.escalator import Escalator, Notice, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.escalation.policy import Escalation

_PROGRESS = msgspec.json.Decoder(list[Progress])


class Telling:
    """Tells who is to be told, and keeps how far it is.

    Args:
        escalation: the file.
        kept: what ``keep`` was given last; empty at the beginning.
        keep: keeps a text until the next start.
        tell: gives an output, by its name, an alert; returns whether there is such an output.
    """

    def __init__(
        self,
        escalation: Escalation,
        kept: str,
        keep: Callable[[str], None],
        tell: Callable[[str, Alert, Placement], bool],
    ) -> None:
        """Go on where it was; what cannot be read is begun anew."""
        self._keep = keep
        self._tell = tell
        self._last = kept
        try:
            known = _PROGRESS.decode(kept) if kept else []
            first = not kept
        except msgspec.MsgspecError:
            known, first = [], True
        self._escalator = Escalator(escalation, known, first=first)

    @property
    def beginning(self) -> str:
        """What is to be said of the first use, once; empty for nothing."""
        number, self._escalator.resting = self._escalator.resting, 0
        if not number:
            return ""
        return (
            f"{number} incident{'s' * (number != 1)} that {'were' if number != 1 else 'was'} open and quiet before are "
            "told to nobody until something new happens in them: 'hullwatch incidents' lists them."
        )

    def tick(self, incidents: Iterable[Incident], now: int) -> list[str]:
        """Tell who is due to be told; return what could not be done, as sentences.

        How far it is is kept first: a crash in between costs a message, and never sends all of them again.
        """
        due = self._escalator.due(incidents, now)
        text = msgspec.json.encode(self._escalator.progress).decode()
        if text != self._last:
            self._keep(text)
            self._last = text
        return [problem for notice in due if (problem := self._send(notice, now))]

    def _send(self, notice: Notice, now: int) -> str:
        incident, target = notice.incident, notice.target
        if not target.output:
            return f"Nobody was told of the incident {incident.id} by the policy {notice.policy}: {target.why}."
        if not self._tell(target.output, _alert(notice, now), _place(notice)):
            return f'Nobody was told of the incident {incident.id}: there is no output "{target.output}".'
        return ""


def _alert(notice: Notice, now: int) -> Alert:
    incident, person = notice.incident, notice.target.person
    whom = f" for {person.name}" if person is not None else ""
    again = f" (told {notice.number + 1} times now)" if notice.number else ""
    said = (
        f"Incident {incident.id} (score {incident.score}): {incident.title}{whom}{again}. "
        f"Acknowledge it with 'hullwatch incidents ack {incident.id}'."
    )
    return Alert(
        time=now,
        rule=f"Escalation: {notice.policy}",
        priority=incident.priority,
        message=said,
        output_fields={
            "incident.id": incident.id,
            "incident.score": incident.score,
            "escalation.policy": notice.policy,
            "escalation.step": notice.step + 1,
            "escalation.why": f"{notice.why}; {notice.target.why}",
        },
        source="internal",
        hostname=incident.hostname,
        container_id=incident.container,
        id=notice.id,
    )


def _place(notice: Notice) -> Placement:
    """Return the incident as a placement: formats show its steps and its score."""
    incident = notice.incident
    issue = Issue(
        id=incident.id,
        fingerprint=incident.id,
        rule=f"Escalation: {notice.policy}",
        priority=incident.priority,
        workload=incident.workload,
        title=incident.title,
        first_seen=incident.opened,
        last_seen=incident.last_seen,
        count=incident.count,
        score=incident.score,
    )
    return Placement(alert=notice.id, issue=issue, incident=incident)
