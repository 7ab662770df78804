"""Incidents as rows of a table, and each for programs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.formats.moment import recent, zone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.incident import Incident

LAST_SEEN = "SEEN"
HEADINGS = ("ID", "SCORE", "PRIORITY", "STATE", LAST_SEEN, "ALERTS", "WHERE", "WHO", "WHAT")
LONGEST_PLACE = 24  # characters


def table(incidents: Iterable[Incident]) -> list[tuple[str, ...]]:
    """Return the rows, the headings first, without who looks after them where nobody does; nothing is escaped."""
    return with_zone([HEADINGS, *(_row(incident) for incident in incidents)])


def with_zone(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return rows with the zone of their times in the headings, and as ``without_nobody`` does."""
    headings, *others = without_nobody(rows)
    named = (f"{one} ({zone(time.time_ns())})" if one == LAST_SEEN else one for one in headings)
    return [tuple(named), *others]


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
        recent(incident.last_seen),
        f"{incident.count:,}",
        place[:LONGEST_PLACE] or "host",
        incident.assignee or "-",
        incident.title,
    )
