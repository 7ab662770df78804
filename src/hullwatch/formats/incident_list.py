"""Incidents as rows of a table, and each for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.formats.falco import times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.incident import Incident

HEADINGS = ("ID", "SCORE", "PRIORITY", "STATE", "LAST SEEN (UTC)", "ALERTS", "WHERE", "WHO", "WHAT")
LONGEST_PLACE = 24  # characters


def table(incidents: Iterable[Incident]) -> list[tuple[str, ...]]:
    """Return the rows, the headings first, without who looks after them where nobody does; nothing is escaped."""
    return without_nobody([HEADINGS, *(_row(incident) for incident in incidents)])


def without_nobody(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return rows without the column that says who, where it says nobody in all of them: terminals are narrow."""
    place = rows[0].index("WHO")
    if any(row[place] != "-" for row in rows[1:]):
        return rows
    return [(*row[:place], *row[place + 1 :]) for row in rows]


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
    place = incident.hostname if incident.container == "host" else incident.container_name or incident.container
    return (
        incident.id,
        str(incident.score),
        incident.priority,
        incident.state,
        minute(incident.last_seen),
        f"{incident.count:,}",
        place[:LONGEST_PLACE] or "host",
        incident.assignee or "-",
        incident.title,
    )


def minute(nanoseconds: int) -> str:
    """Return a time in UTC, to the minute."""
    return times(nanoseconds)[1][:16].replace("T", " ")
