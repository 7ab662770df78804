"""Issues and incidents that alerts have changed: written with the alerts when they are few, else once in a while.

An alert that is stored says which issue and incident it belongs to. So when a keeper ends before it has written these,
the next one counts them again from the alerts: ``meta`` has the number of the last alert that is counted in what is
written, as long as something waits.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from hullwatch.alerts.deciding import apply
from hullwatch.alerts.incident import PlacedBefore
from hullwatch.store.packing import unpack
from hullwatch.store.remembering import write_incidents, write_issues

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Placement
    from hullwatch.alerts.issue import Decision, Issue
    from hullwatch.store.database import Database, Row
    from hullwatch.store.packing import Packer

    PlaceAgain = Callable[[Alert, PlacedBefore], Placement | None]

FEW = 100  # issues and incidents that are written with each batch
MOST = 5000  # that wait
INTERVAL = 1.0  # seconds that they wait
SHARE = 20  # times what it took to write them, they wait at least, so that it takes a twentieth of the time at most ...
LONGEST = 5.0  # ... but no more seconds than these
AT_ONCE = 1000  # alerts that are read at once to be counted again
_SINCE = """
    SELECT a.number, a.id, a.time, a.body, p.issue, p.incident, p.muted, p.why
    FROM alerts a JOIN placements p ON p.id = a.placement WHERE a.number > ? ORDER BY a.number LIMIT ?
"""
_COUNTED = "counted"  # in `meta`: the number of the last alert that what is written has


class GroupChanges:
    """What waits to be written."""

    def __init__(self, database: Database) -> None:
        """Start with nothing; what a keeper of before has left is in the database."""
        self._database = database
        self._issues: dict[str, tuple[Issue, bytes, bytes]] = {}  # by fingerprint, with the first and the last alert
        self._incidents: dict[str, Incident] = {}
        self._urgent = False
        self._noted = True  # that something waits; somebody may have left it
        self._written = 0.0  # seconds, monotonic
        self._took = 0.0  # seconds

    def __bool__(self) -> bool:
        """Tell whether something waits, or may."""
        return self._noted

    def take(
        self, alerts: Sequence[Alert], placements: Sequence[Placement | None], bodies: Mapping[str, bytes]
    ) -> None:
        """Take what placements say, each with the stored bytes of its alert."""
        issues: dict[str, Issue] = {}
        ends: dict[str, list[Alert]] = {}  # the first and the last alert of each
        for alert, placement in zip(alerts, placements, strict=True):
            if placement is None:
                continue
            issue, incident = placement.issue, placement.incident
            fingerprint = issue.fingerprint
            issues[fingerprint] = issue
            ends.setdefault(fingerprint, [alert, alert])[1] = alert
            if incident is not None:
                self._incidents[incident.id] = incident
            if placement.joined or placement.regressed:
                self._urgent = True  # it cannot be told from the alerts again
        for fingerprint, (first, last) in ends.items():
            waiting = self._issues.get(fingerprint)
            begin = _with_name(first, bodies[first.id]) if waiting is None else waiting[1]
            self._issues[fingerprint] = (issues[fingerprint], begin, _with_name(last, bodies[last.id]))

    def decide(self, decision: Decision) -> None:
        """Do to what waits what somebody has decided and the store has already."""
        for issue, _, _ in self._issues.values():
            if issue.id == decision.target:
                apply(issue, decision)
        incident = self._incidents.get(decision.target)
        if incident is not None:
            apply(incident, decision)

    def settle(self, before: int) -> None:
        """Write what waits, or note that it does; to be called in the transaction of the alerts.

        Args:
            before: the number of the last alert before them.

        Raises:
            StoreError: when it cannot be written.
        """
        if self.is_due():
            self.write()
        elif not self._noted:
            self._database.write(
                "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (_COUNTED, str(before)),
            )
            self._noted = True

    def write(self) -> None:
        """Write what waits, in a transaction.

        Raises:
            StoreError: when it cannot be written; then it is to be forgotten, and the transaction taken back.
        """
        if self._issues or self._incidents:
            begin = time.monotonic()
            write_issues(self._database, self._issues.values())
            write_incidents(self._database, self._incidents.values())
            self._written = time.monotonic()
            self._took = self._written - begin
        if self._noted:
            self._database.write("DELETE FROM meta WHERE name = ?", (_COUNTED,))
        self._clear()
        self._noted = False

    def forget(self) -> None:
        """Forget what waits, for a transaction was taken back; it is counted again from the alerts that are stored."""
        self._clear()
        self._noted = True

    def count_again(self, place_again: PlaceAgain, packer: Packer) -> int:
        """Count the alerts that are stored, but not counted in what is written; in a transaction, with nothing waiting.

        Args:
            place_again: of a grouping that knows what is written.
            packer: expands the alerts.

        Returns:
            how many alerts could not be counted.

        Raises:
            StoreError: when the store cannot be read or written.
        """
        missed = 0
        for (value,) in self._database.read("SELECT value FROM meta WHERE name = ?", (_COUNTED,)):
            number = int(value)
            while rows := self._database.read(_SINCE, (number, AT_ONCE)):
                number = rows[-1][0]
                missed += self._take_again([row[1:] for row in rows], place_again, packer)
        self.write()
        return missed

    def _take_again(self, rows: Sequence[Row], place_again: PlaceAgain, packer: Packer) -> int:
        alerts: list[Alert] = []
        placements: list[Placement | None] = []
        missed = 0
        for id_, moment, body, *placed in rows:
            before = PlacedBefore(*placed)
            if not before.issue:
                continue  # nobody could say where it belongs
            try:
                alert = unpack(packer.expand(bytes(body)), id_, moment)
                placement = place_again(alert, before)
            except Exception:  # noqa: BLE001 - a damaged alert, or whatever one provokes: the others are counted
                missed += 1
                continue
            missed += placement is None
            alerts.append(alert)
            placements.append(placement)
        self.take(alerts, placements, {row[0]: bytes(row[2]) for row in rows})
        return missed

    def is_due(self) -> bool:
        """Tell whether what waits is to be written now."""
        number = len(self._issues) + len(self._incidents)
        if self._urgent or number <= FEW or number > MOST:
            return True
        return time.monotonic() - self._written >= min(max(INTERVAL, SHARE * self._took), LONGEST)

    def _clear(self) -> None:
        self._issues.clear()
        self._incidents.clear()
        self._urgent = False


def _with_name(alert: Alert, body: bytes) -> bytes:
    """Return an alert as an issue keeps it: id, time and what is stored of it."""
    return msgspec.msgpack.encode((alert.id, alert.time, body))
