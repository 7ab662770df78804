"""Incidents: alerts that belong together, and why."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from hullwatch.alerts.issue import Issue, ScorePart, State


# gc=False: the collector of cycles need not look at it, for nothing in it leads back to it.
class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of an incident's timeline: the first alert of an issue in it, and how often it came.

    Attributes:
        at: ns since the epoch.
        last: of the last one.
        count: how often.
        issue: id.
        alert: id of the first alert.
        rule: its name.
        priority: Falco's long name.
        title: what happened, as one line.
        process: name of the process; empty without.
        techniques: MITRE ATT&CK technique ids of the rule's tags.
        why: why it belongs to the incident (``the same process tree as step 1: bash (4711)``); empty for the first.
        tactics: of MITRE ATT&CK, as the rule's tags name them.
    """

    at: int
    last: int
    count: int
    issue: str
    alert: str
    rule: str
    priority: str
    title: str
    process: str = ""
    techniques: tuple[str, ...] = ()
    why: str = ""
    tactics: tuple[str, ...] = ()


class Incident(msgspec.Struct, kw_only=True, gc=False):
    """Alerts that belong together.

    Attributes:
        id: short, for people to type: ``n`` and digits or letters.
        title: one line.
        opened: time of its first alert, ns since the epoch.
        last_seen: of its last alert.
        count: of alerts.
        priority: the most severe one, Falco's long name.
        state: what people said of it.
        assignee: who looks after it; empty for nobody.
        score: 0 to 100.
        parts: what the score is made of.
        keys: what later alerts are known to belong to it by (``container:64 digits``, ``session:pid.start``, ...).
        steps: its timeline, oldest first, bounded; ``steps_left_out`` counts the rest.
        steps_left_out: see there.
        hostname: where it happened.
        container: id of 12 digits, or ``host``.
        container_name: what people call it, where that was known.
        workload: what the container is an instance of.
    """

    id: str
    title: str
    opened: int
    last_seen: int
    count: int = 0
    priority: str = "Debug"
    state: State = "open"
    assignee: str = ""
    score: int = 0
    parts: tuple[ScorePart, ...] = ()
    keys: tuple[str, ...] = ()
    steps: list[Step] = []
    steps_left_out: int = 0
    hostname: str = ""
    container: str = "host"
    container_name: str = ""
    workload: str = "host"


class Placement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where an alert belongs.

    Attributes:
        alert: its id.
        issue: as it is with the alert counted.
        incident: as it is with the alert in it; None for an alert that opens none (too little, or muted).
        is_new: whether the issue is new.
        regressed: whether the issue was closed before.
        opened: whether the incident is new.
        muted: id of the mute that it falls under; 0 for none.
        why: why it belongs to the incident; empty without, and for its first.
        joined: ids of earlier alerts that opened nothing and belong to the incident now that it is open, bounded.
    """

    alert: str
    issue: Issue
    incident: Incident | None = None
    is_new: bool = False
    regressed: bool = False
    opened: bool = False
    muted: int = 0
    why: str = ""
    joined: tuple[str, ...] = ()


class PlacedBefore(NamedTuple):
    """What the store knows of where an alert was placed; ids are empty for none, ``muted`` is 0."""

    issue: str
    incident: str
    muted: int
    why: str


class Memory(Protocol):
    """What the store remembers of before; asked where the grouping does not know."""

    def issue(self, fingerprint: str) -> Issue | None:
        """Return the issue with a fingerprint."""
        ...

    def incident(self, identifier: str) -> Incident | None:
        """Return the incident with an id, whatever its state."""
        ...

    def open_incidents(self, since: int) -> list[Incident]:
        """Return the incidents that are not closed and were last seen after a time, ns since the epoch."""
        ...
