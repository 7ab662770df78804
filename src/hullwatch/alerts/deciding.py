"""What a decision changes of an issue or an incident: the same in what grouping has at hand and in what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.alerts.issue import Issue

if TYPE_CHECKING:
    from hullwatch.alerts.incident import Incident
    from hullwatch.alerts.issue import Decision


def apply(target: Issue | Incident, decision: Decision) -> None:
    """Change an issue or incident as somebody decided."""
    match decision.verb:
        case "ack":
            target.state = "acknowledged"
        case "assign":
            target.assignee = decision.assignee
        case "close":
            target.state = "closed"
        case "reopen":
            target.state = "open"
        case "mute" | "unmute" | "undo":
            pass
    if isinstance(target, Issue):
        if decision.verb == "mute":
            target.muted_until = decision.until
        elif decision.verb == "unmute":
            target.muted_until = 0
