"""Reading the store: alerts that a condition holds for, issues, incidents, what was removed."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.alerts.condition import AlertCondition
from hullwatch.store.keeping import packer_of
from hullwatch.store.packing import unpack
from hullwatch.store.placing import LEAST, PRIORITY
from hullwatch.store.pushdown import Where, pushed_down
from hullwatch.store.remembering import incident_of, issue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident
    from hullwatch.alerts.issue import Issue
    from hullwatch.store.database import Database

AT_ONCE = 1000  # alerts of a query: nobody who reads slowly holds up who writes
FOREVER = 1 << 62  # ns
_FIRST_AT_ONCE = 100


class Wanted(NamedTuple):
    """Which alerts.

    Attributes:
        condition: in the language of rules; empty for all.
        since: ns since the epoch.
        until: ns since the epoch.
        rules: patterns of names, of which one fits; empty for all.
        priority: the least severe one by its long name; empty for all.
        issue: id of the issue; empty for all.
        incident: id of the incident; empty for all.
    """

    condition: str = ""
    since: int = 0
    until: int = FOREVER
    rules: tuple[str, ...] = ()
    priority: str = ""
    issue: str = ""
    incident: str = ""


class Found(NamedTuple):
    """An alert that was kept, and where it belongs; ids are empty for none, ``muted`` is 0."""

    alert: Alert
    issue: str
    incident: str
    muted: int
    why: str


class AlertReader:
    """Reads alerts.

    Args:
        database: open for reading.
        look: called before each query of some alerts; may raise an error to end what takes too long.
    """

    def __init__(self, database: Database, look: Callable[[], None] = lambda: None) -> None:
        """Take the store."""
        self._database = database
        self._look = look
        self._packer = packer_of(database)

    def newest_first(self, wanted: Wanted, limit: int = FOREVER) -> Iterator[Found]:
        """Yield alerts, the newest first, at most so many.

        Raises:
            UsageError: when the condition is wrong, with the place.
            StoreError: when the store cannot be read.
        """
        where = self._where(wanted)
        holds = AlertCondition(wanted.condition) if wanted.condition else None
        before, number, size = wanted.until, FOREVER, _FIRST_AT_ONCE
        while limit > 0:
            self._look()
            rows = self._page(where, wanted.since, before, number, min(size, limit) if holds is None else size)
            for found in self._read(rows):
                if holds is None or holds(found.alert):
                    yield found
                    limit -= 1
                    if limit <= 0:
                        return
            if not rows:
                return
            before, number = rows[-1][0], rows[-1][1]
            size = AT_ONCE

    def count(self, wanted: Wanted) -> int:
        """Return how many there are; where the database cannot tell, each is looked at.

        Raises:
            UsageError: when the condition is wrong, with the place.
            StoreError: when the store cannot be read.
        """
        where = self._where(wanted)
        if wanted.condition and not where.exact:
            return sum(1 for _ in self.newest_first(wanted))
        sql = (
            "SELECT count(*) FROM alerts WHERE time >= ? AND time <= ? AND placement IN "  # noqa: S608 - our own text
            f"(SELECT id FROM placements WHERE {where.sql})"
        )
        return int(self._database.read(sql, (wanted.since, wanted.until, *where.parameters))[0][0])

    def alert(self, id_: str) -> Found | None:
        """Return the alert with an id."""
        rows = self._database.read("SELECT time, number, placement, id, body FROM alerts WHERE id = ?", (id_,))
        return next(self._read(rows), None)

    def kept_by(self, issue: Issue) -> tuple[Alert | None, Alert | None]:
        """Return the first and the last alert of an issue, which are kept when others are removed."""
        sql = "SELECT first_alert, last_alert FROM issues WHERE fingerprint = ?"
        rows = self._database.read(sql, (issue.fingerprint,))
        return (self._named(rows[0][0]), self._named(rows[0][1])) if rows else (None, None)

    def _named(self, data: bytes) -> Alert | None:
        id_, moment, body = msgspec.msgpack.decode(data, type=tuple[str, int, bytes])
        return self._unpack(body, id_, moment)

    def _page(
        self, where: Where, since: int, time_: int, number: int, size: int
    ) -> list[tuple[int, int, int, str, bytes]]:
        sql = (
            "SELECT time, number, placement, id, body FROM alerts "  # noqa: S608 - our own text
            "WHERE time >= ? AND time <= ? AND (time < ? OR number < ?) "
            f"AND placement IN (SELECT id FROM placements WHERE {where.sql}) "
            "ORDER BY time DESC, number DESC LIMIT ?"
        )
        rows = self._database.read(sql, (since, time_, time_, number, *where.parameters, size))
        return [(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows]

    def _where(self, wanted: Wanted) -> Where:
        parts = [pushed_down(wanted.condition)] if wanted.condition else []
        if wanted.rules:
            names = [str(row[0]) for row in self._database.read("SELECT DISTINCT rule FROM placements")]
            chosen = [name for name in names if any(fnmatch.fnmatchcase(name, one) for one in wanted.rules)]
            marks = f"rule IN (?{', ?' * (len(chosen) - 1)})" if chosen else "1 = 0"
            parts.append(Where(marks, tuple(chosen), exact=True))
        if wanted.priority:
            parts.append(Where("priority <= ?", (PRIORITY.get(wanted.priority, LEAST),), exact=True))
        if wanted.issue:
            parts.append(Where("issue = ?", (wanted.issue,), exact=True))
        if wanted.incident:
            parts.append(Where("incident = ?", (wanted.incident,), exact=True))
        return Where(
            " AND ".join(f"({part.sql})" for part in parts) or "1 = 1",
            tuple(parameter for part in parts for parameter in part.parameters),
            exact=all(part.exact for part in parts),
        )

    def _read(self, rows: Sequence[tuple[int, int, int, str, bytes]]) -> Iterator[Found]:
        places = self._places({row[2] for row in rows})
        for moment, _, placement, id_, body in rows:
            alert = self._unpack(bytes(body), id_, moment)
            if alert is not None:
                yield Found(alert, *places.get(placement, ("", "", 0, "")))

    def _places(self, numbers: set[int]) -> dict[int, tuple[str, str, int, str]]:
        if not numbers:
            return {}
        sql = (
            "SELECT id, issue, incident, muted, why FROM placements "  # noqa: S608 - parameters only
            f"WHERE id IN (?{', ?' * (len(numbers) - 1)})"
        )
        return {row[0]: (row[1], row[2], row[3], row[4]) for row in self._database.read(sql, list(numbers))}

    def _unpack(self, body: bytes, id_: str, moment: int) -> Alert | None:
        try:
            return unpack(self._packer.expand(body), id_, moment)
        except (ValueError, msgspec.MsgspecError):
            return None  # damaged, which 'hullwatch store check' tells


def alert_of(database: Database, id_: str) -> Alert | None:
    """Return the alert of an id; None when none is kept, or it is damaged."""
    rows = database.read("SELECT time, body FROM alerts WHERE id = ?", (id_,))
    try:
        return unpack(packer_of(database).expand(bytes(rows[0][1])), id_, rows[0][0]) if rows else None
    except (ValueError, msgspec.MsgspecError):
        return None


def last_container(database: Database, name: str) -> str:
    """Return the id of the last container of a name that an alert was of; empty for none."""
    sql = "SELECT container_id FROM placements WHERE container_name = ? AND container_id NOT IN ('', 'host')"
    rows = database.read(f"{sql} ORDER BY id DESC LIMIT 1", (name,))
    return str(rows[0][0]) if rows else ""


def issues(database: Database, states: Sequence[str] = (), limit: int = FOREVER, since: int = 0) -> list[Issue]:
    """Return issues in some states (all without), the highest score first; the same score, the last seen first."""
    return [issue_of(bytes(row[0])) for row in _groups(database, "issues", states, limit, since)]


def incidents(database: Database, states: Sequence[str] = (), limit: int = FOREVER, since: int = 0) -> list[Incident]:
    """Return incidents in some states (all without), the highest score first; the same score, the last seen first."""
    return [incident_of(bytes(row[0])) for row in _groups(database, "incidents", states, limit, since)]


def _groups(database: Database, table: str, states: Sequence[str], limit: int, since: int) -> list[tuple[bytes]]:
    among = f"state IN (?{', ?' * (len(states) - 1)})" if states else "1 = 1"
    sql = (
        f"SELECT body FROM {table} WHERE {among} AND last_seen >= ? "  # noqa: S608 - our own names
        "ORDER BY score DESC, last_seen DESC LIMIT ?"
    )
    return [(row[0],) for row in database.read(sql, (*states, since, limit))]


def ids(database: Database, table: str, beginning: str = "", limit: int = 10_000) -> list[str]:
    """Return the ids of the issues or incidents that begin with something, the last seen first."""
    sql = (
        f"SELECT id FROM {table} WHERE substr(id, 1, ?) = ? "  # noqa: S608 - our own names
        "ORDER BY last_seen DESC LIMIT ?"
    )
    return [str(row[0]) for row in database.read(sql, (len(beginning), beginning, limit))]


def issue(database: Database, id_: str) -> Issue | None:
    """Return the issue with an id."""
    rows = database.read("SELECT body FROM issues WHERE id = ?", (id_,))
    return issue_of(bytes(rows[0][0])) if rows else None


def incident(database: Database, id_: str) -> Incident | None:
    """Return the incident with an id."""
    rows = database.read("SELECT body FROM incidents WHERE id = ?", (id_,))
    return incident_of(bytes(rows[0][0])) if rows else None


def removed(database: Database) -> dict[str, dict[str, int]]:
    """Return how many were removed: of what, and for which reason."""
    found: dict[str, dict[str, int]] = {}
    for what, reason, number in database.read("SELECT what, reason, number FROM removed ORDER BY what, reason"):
        found.setdefault(what, {})[reason] = number
    return found
