"""Issues: the same alert again and again, counted, and what people decided about it."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["open", "acknowledged", "closed"]
"""Of an issue or an incident: nobody has looked, somebody does, it is done."""

Verb = Literal["ack", "assign", "close", "mute", "unmute", "reopen", "undo"]
"""What somebody did; ``undo`` is of a response, and its target a container."""


# gc=False: the collector of cycles need not look at it, for nothing in it leads back to it.
class ScorePart(msgspec.Struct, frozen=True, gc=False):
    """One reason for a score: how many points, and why, as a few words (``privileged container``)."""

    points: int
    why: str


class Issue(msgspec.Struct, kw_only=True, gc=False):
    """Alerts with the same fingerprint.

    Attributes:
        id: short, for people to type: ``i`` and hexadecimal digits of the fingerprint.
        fingerprint: ``VERSION:`` and hexadecimal digits; of rule, workload and normalised evidence.
        rule: the rule's name.
        priority: the most severe one so far, Falco's long name.
        workload: what the container is an instance of; ``host`` for the host.
        title: the normalised evidence, as one line for people.
        first_seen: ns since the epoch.
        last_seen: ns since the epoch.
        count: of alerts.
        state: what people said of it.
        assignee: who looks after it; empty for nobody.
        muted_until: ns since the epoch; 0: not muted.
        regressed: how often it came again after it was closed.
        score: 0 to 100.
        parts: what the score is made of.
        last_alert: id of the last alert.
    """

    id: str
    fingerprint: str
    rule: str
    priority: str
    workload: str
    title: str
    first_seen: int
    last_seen: int
    count: int = 0
    state: State = "open"
    assignee: str = ""
    muted_until: int = 0
    regressed: int = 0
    score: int = 0
    parts: tuple[ScorePart, ...] = ()
    last_alert: str = ""


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that nobody wants to be told of for a time; they are kept and counted all the same.

    Attributes:
        id: of the decision.
        condition: in the language of rules, over an alert's fields; empty: every alert of ``target``.
        target: id of an issue or an incident; empty: whatever the condition says.
        until: ns since the epoch.
    """

    id: int
    condition: str
    target: str
    until: int


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decided.

    Attributes:
        id: number in the order of decisions; 0 before it is stored.
        at: ns since the epoch.
        who: the user who did it, as the system knows them.
        verb: what was done.
        target: id of an issue or an incident; empty for a mute by condition; of ``undo`` that of a container.
        why: the reason, or what was undone; never empty for ``close`` and ``mute``.
        assignee: of ``assign``.
        until: of ``mute``, ns since the epoch.
        condition: of ``mute``.
    """

    id: int = 0
    at: int
    who: str
    verb: Verb
    target: str = ""
    why: str = ""
    assignee: str = ""
    until: int = 0
    condition: str = ""
