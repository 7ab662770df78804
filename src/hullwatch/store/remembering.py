"""Issues, incidents and decisions in the store: how they are written, and what grouping remembers of before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.alerts.incident import Incident
from hullwatch.alerts.issue import Decision, Issue, Mute
from hullwatch.store.packing import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hullwatch.store.database import Database, Row

MOST_OPEN = 5000  # incidents that grouping is given at its start
_ISSUE = msgspec.json.Decoder(Issue)
_INCIDENT = msgspec.json.Decoder(Incident)
_DECISION_COLUMNS = "id, at, who, verb, target, why, assignee, until, condition"
_WRITE_ISSUE = """
    INSERT INTO issues (fingerprint, id, last_seen, state, score, body, first_alert, last_alert)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (fingerprint) DO UPDATE SET id = excluded.id, last_seen = excluded.last_seen, state = excluded.state,
    score = excluded.score, body = excluded.body, last_alert = excluded.last_alert
"""
_WRITE_INCIDENT = """
    INSERT INTO incidents (id, last_seen, state, score, body) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, state = excluded.state, score = excluded.score,
    body = excluded.body
"""


def encoded(value: Issue | Incident) -> bytes:
    """Return an issue or an incident as it is stored."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(clean(msgspec.to_builtins(value)))


def issue_of(data: bytes) -> Issue:
    """Return a stored issue."""
    return _ISSUE.decode(data)


def incident_of(data: bytes) -> Incident:
    """Return a stored incident."""
    return _INCIDENT.decode(data)


class StoredMemory:
    """What the store remembers of before, for the grouping."""

    def __init__(self, database: Database) -> None:
        """Take the store's database."""
        self._database = database

    def issue(self, fingerprint: str) -> Issue | None:
        """Return the issue with a fingerprint."""
        rows = self._database.read("SELECT body FROM issues WHERE fingerprint = ?", (fingerprint,))
        return issue_of(rows[0][0]) if rows else None

    def incident(self, identifier: str) -> Incident | None:
        """Return the incident with an id, whatever its state."""
        rows = self._database.read("SELECT body FROM incidents WHERE id = ?", (identifier,))
        return incident_of(rows[0][0]) if rows else None

    def open_incidents(self, since: int) -> list[Incident]:
        """Return the incidents that are not closed and were last seen after a time, ns since the epoch."""
        rows = self._database.read(
            "SELECT body FROM incidents WHERE last_seen > ? AND state <> 'closed' ORDER BY last_seen DESC LIMIT ?",
            (since, MOST_OPEN),
        )
        return [incident_of(row[0]) for row in rows]


def change_issue(database: Database, issue: Issue) -> None:
    """Write what somebody decided of an issue that is there."""
    database.write(
        "UPDATE issues SET state = ?, body = ? WHERE fingerprint = ?", (issue.state, encoded(issue), issue.fingerprint)
    )


def write_issues(database: Database, issues: Iterable[tuple[Issue, bytes, bytes]]) -> None:
    """Write issues, each with the first and the last alert of it that came now, as they are stored."""
    rows = [
        (one.fingerprint, one.id, one.last_seen, one.state, one.score, encoded(one), first, last)
        for one, first, last in issues
    ]
    database.write_many(_WRITE_ISSUE, rows)


def write_incidents(database: Database, incidents: Iterable[Incident]) -> None:
    """Write incidents."""
    database.write_many(
        _WRITE_INCIDENT, [(one.id, one.last_seen, one.state, one.score, encoded(one)) for one in incidents]
    )


def write_decision(database: Database, decision: Decision) -> Decision:
    """Write a decision; return it with its number."""
    values = tuple(clean(getattr(decision, name)) for name in _DECISION_COLUMNS.split(", ")[1:])
    sql = (
        "INSERT INTO decisions (at, who, verb, target, why, assignee, until, condition) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
    )
    return msgspec.structs.replace(decision, id=int(database.read(sql, values)[0][0]))


def decisions(database: Database, where: str = "id > 0", parameters: Iterable[object] = ()) -> list[Decision]:
    """Return decisions, oldest first."""
    sql = f"SELECT {_DECISION_COLUMNS} FROM decisions WHERE {where} ORDER BY id"  # noqa: S608 - from our own code
    return [_decision(row) for row in database.read(sql, tuple(parameters))]


def _decision(row: Row) -> Decision:
    names = _DECISION_COLUMNS.split(", ")
    return msgspec.convert(dict(zip(names, row, strict=True)), Decision)


def mutes(database: Database, now: int) -> list[Mute]:
    """Return the mutes that are in force at a time, ns since the epoch."""
    found: dict[int, Mute] = {}
    for one in decisions(database, "verb IN ('mute', 'unmute')"):
        if one.verb == "mute":
            found[one.id] = Mute(id=one.id, condition=one.condition, target=one.target, until=one.until)
        else:
            found = {number: mute for number, mute in found.items() if not _ends(one, mute)}
    return [mute for mute in found.values() if mute.until > now]


def _ends(unmute: Decision, mute: Mute) -> bool:
    """Tell whether a mute is of what is not muted any more: a target, or a condition without one."""
    return mute.target == unmute.target and unmute.condition in {"", mute.condition}
