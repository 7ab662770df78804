"""Incidents as rows of a table, and each for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.formats.falco import times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.incident import Incident

HEADINGS = ("ID", "SCORE", "PRIORITY", "STATE", "LAST SEEN (UTC)", "ALERTS", "STEPS", "WHERE", "WHO", "WHAT")


def table(incidents: Iterable[Incident]) -> list[tuple[str, ...]]:
    """Return the rows, the headings first; what is in them is not escaped."""
    return [HEADINGS, *(_row(incident) for incident in incidents)]


def documents(incidents: Iterable[Incident]) -> list[dict[str, Any]]:
    """Return each without its steps, for programs."""
    found: list[dict[str, Any]] = []
    for incident in incidents:
        one: dict[str, Any] = msgspec.to_builtins(incident)
        one["steps"] = len(incident.steps) + incident.steps_left_out
        del one["steps_left_out"], one["keys"]
        found.append(one)
    return found


def _row(incident: Incident) -> tuple[str, ...]:
    place = incident.hostname if incident.container == "host" else incident.container
    return (
        incident.id,
        str(incident.score),
        incident.priority,
        incident.state,
        minute(incident.last_seen),
        f"{incident.count:,}",
        str(len(incident.steps) + incident.steps_left_out),
        place or "host",
        incident.assignee or "-",
        incident.title,
    )


def minute(nanoseconds: int) -> str:
    """Return a time in UTC, to the minute."""
    return times(nanoseconds)[1][:16].replace("T", " ")
