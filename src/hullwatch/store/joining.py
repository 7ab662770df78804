"""Alerts that belonged to nothing until an incident opened that they are a part of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.store.placing import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.alerts.incident import Incident, Placement
    from hullwatch.store.database import Database
    from hullwatch.store.placing import Columns, Placements

_ISSUE, _INCIDENT, _WHY = (COLUMNS.index(name) for name in ("issue", "incident", "why"))


class Joined:
    """The alerts that the placements of a batch say have joined an incident."""

    def __init__(self, database: Database, placements: Placements) -> None:
        """Know of none."""
        self._database = database
        self._placements = placements
        self._incidents: dict[str, Incident] = {}  # by the alert's id

    def look_for(self, placements: Iterable[Placement | None]) -> None:
        """Take what the placements of a batch say."""
        self._incidents = {
            alert: placement.incident
            for placement in placements
            if placement is not None and placement.incident is not None
            for alert in placement.joined
        }

    def changed(self, alert: str, columns: Columns) -> Columns:
        """Return the columns of an alert of the batch, with the incident that it has joined, if it has."""
        incident = self._incidents.pop(alert, None) if self._incidents else None
        return columns if incident is None else _within(columns, incident)

    def write_others(self) -> None:
        """Write the incident into the alerts that were stored before.

        Raises:
            StoreError: when they cannot be written.
        """
        waiting, self._incidents = list(self._incidents.items()), {}
        for alert, incident in waiting:
            names = ", ".join(f"p.{name}" for name in COLUMNS)
            sql = f"SELECT {names} FROM alerts a JOIN placements p ON p.id = a.placement WHERE a.id = ?"  # noqa: S608
            for row in self._database.read(sql, (alert,)):
                (number,) = self._placements.numbers([_within(row, incident)])
                self._database.write("UPDATE alerts SET placement = ? WHERE id = ?", (number, alert))


def _within(columns: Columns, incident: Incident) -> Columns:
    """Return columns with an incident, and why an alert of their issue is in it."""
    changed = list(columns)
    why = next((step.why for step in incident.steps if step.issue == columns[_ISSUE]), "")
    changed[_INCIDENT], changed[_WHY] = incident.id, why
    return tuple(changed)
