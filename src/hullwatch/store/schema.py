"""The tables of the store, as steps that lead from one version to the next.

A step that was released is never changed: what is new is a new step.

``placements``: what alerts have in common that is searched for, and where they belong. An alert has the number of its
placement, so that what is asked for is decided once for each placement, and an alert takes little room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.store.database import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.store.database import Database

_FIRST = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE dictionaries (id {integer} PRIMARY KEY, data {bytes} NOT NULL)",
    """CREATE TABLE placements (
        id {number},
        digest {bytes} NOT NULL UNIQUE,
        rule TEXT NOT NULL,
        priority {integer} NOT NULL,
        source TEXT NOT NULL,
        hostname TEXT NOT NULL,
        container_id TEXT NOT NULL,
        container_name TEXT NOT NULL,
        container_image TEXT NOT NULL,
        process TEXT NOT NULL,
        namespace TEXT NOT NULL,
        pod TEXT NOT NULL,
        workload TEXT NOT NULL,
        person TEXT NOT NULL,
        issue TEXT NOT NULL,
        incident TEXT NOT NULL,
        muted {integer} NOT NULL,
        why TEXT NOT NULL
    )""",
    "CREATE INDEX placements_issue ON placements (issue)",
    "CREATE INDEX placements_incident ON placements (incident)",
    """CREATE TABLE alerts (
        number {number},
        id TEXT NOT NULL UNIQUE,
        time {integer} NOT NULL,
        placement {integer} NOT NULL,
        body {bytes} NOT NULL
    )""",
    "CREATE INDEX alerts_time ON alerts (time, placement)",
    """CREATE TABLE issues (
        fingerprint TEXT PRIMARY KEY,
        id TEXT NOT NULL,
        last_seen {integer} NOT NULL,
        state TEXT NOT NULL,
        score {integer} NOT NULL,
        body {bytes} NOT NULL,
        first_alert {bytes} NOT NULL,
        last_alert {bytes} NOT NULL
    )""",
    "CREATE INDEX issues_id ON issues (id)",
    "CREATE INDEX issues_last_seen ON issues (last_seen)",
    """CREATE TABLE incidents (
        id TEXT PRIMARY KEY,
        last_seen {integer} NOT NULL,
        state TEXT NOT NULL,
        score {integer} NOT NULL,
        body {bytes} NOT NULL
    )""",
    "CREATE INDEX incidents_last_seen ON incidents (last_seen)",
    """CREATE TABLE decisions (
        id {number},
        at {integer} NOT NULL,
        who TEXT NOT NULL,
        verb TEXT NOT NULL,
        target TEXT NOT NULL,
        why TEXT NOT NULL,
        assignee TEXT NOT NULL,
        until {integer} NOT NULL,
        condition TEXT NOT NULL
    )""",
    "CREATE INDEX decisions_target ON decisions (target)",
    """CREATE TABLE removed (
        what TEXT NOT NULL,
        reason TEXT NOT NULL,
        number {integer} NOT NULL,
        PRIMARY KEY (what, reason)
    )""",
)

STEPS: tuple[tuple[str, ...], ...] = (_FIRST,)
VERSION = len(STEPS)
TABLES = ("meta", "dictionaries", "placements", "alerts", "issues", "incidents", "decisions", "removed")


def version(database: Database) -> int:
    """Return the version of a database's tables; 0 when it has none.

    Raises:
        StoreError: when it is newer than what this Hullwatch knows.
    """
    if not database.has_table("meta"):
        return 0
    rows = database.read("SELECT value FROM meta WHERE name = 'version'")
    found = int(rows[0][0]) if rows else 0
    if found > VERSION:
        raise StoreError(
            f"The store {database.name} was written by a newer Hullwatch (its version is {found}, and this one knows "
            f"{VERSION}): install the newer one again, or set another place with store.url or directories.state."
        )
    return found


def upgrade(database: Database, steps: tuple[tuple[str, ...], ...] = STEPS) -> Path | None:
    """Bring the tables to the newest version, each step a transaction; return the copy of before, if there is one.

    Raises:
        StoreError: when it is newer than what this Hullwatch knows, or cannot be written.
    """
    found = version(database)
    if found == len(steps):
        return None
    copy = database.backup(found) if found else None
    for number in range(found, len(steps)):
        with database.transaction():
            if version(database) != number:
                continue  # somebody else did it meanwhile
            for statement in steps[number]:
                database.write(statement.format(**database.types))
            database.write(
                "INSERT INTO meta (name, value) VALUES ('version', ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (str(number + 1),),
            )
    return copy
