"""What a run found in the audit log, kept beside the cluster's state: changes of rights and openings, and authors.

A finding is written before its alert is handed on: when a restart has an event come again, what was found in it the
first time is what counts, for the state has gone on meanwhile. (docs/adr/0040)
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec

from hullwatch.enrich.kubernetes.plain import moment
from hullwatch.enrich.kubernetes.resources import BY_KIND
from hullwatch.posture.audit_event import Actor
from hullwatch.posture.bounded import BoundedInventory
from hullwatch.posture.changes import Change
from hullwatch.posture.exposure_changes import ExposureChange
from hullwatch.posture.trail import KIND_BY_RESOURCE, Author, Told, Trail
from hullwatch.store.cluster import Cluster
from hullwatch.store.cluster_tables import open_cluster
from hullwatch.store.database import NoStoreError, StoreError
from hullwatch.store.packing import clean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hullwatch.store.database import Database
    from hullwatch.store.sightings import StoredSightings

KEEP = 90 * 86_400 * 1_000_000_000  # ns
MOST = 100_000  # findings, and authors
MOST_BYTES = 256 << 20  # of findings
ROOM_AFTER = 10_000  # findings and authors that are written, until it is looked whether there are too many
MOST_WAITING = 1000  # that wait while they cannot be written; then the oldest are forgotten
MOST_LINES = 500  # of a difference
KNOWN_AGAIN = 10_000  # findings before a restart whose events are known when they come again
_LONGEST_LINE = 1000  # characters
_ROOM_EVERY = 600.0  # seconds
_SECOND = 1_000_000_000
_NOT_BEFORE = frozenset({"Pod", "ReplicaSet", "Job"})  # there are many: looked up when they are asked for
_TABLES = (
    """CREATE TABLE IF NOT EXISTS trail_found (
        number {number},
        audit TEXT NOT NULL UNIQUE,
        at {integer} NOT NULL,
        body {bytes} NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS trail_found_at ON trail_found (at)",
    """CREATE TABLE IF NOT EXISTS trail_authors (
        kind TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        at {integer} NOT NULL,
        author TEXT NOT NULL,
        time TEXT NOT NULL,
        PRIMARY KEY (kind, namespace, name)
    )""",
)
_FOUND = "INSERT INTO trail_found (audit, at, body) VALUES (?, ?, ?) ON CONFLICT (audit) DO NOTHING"
_WROTE = """
    INSERT INTO trail_authors (kind, namespace, name, at, author, time) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (kind, namespace, name)
    DO UPDATE SET at = excluded.at, author = excluded.author, time = excluded.time
"""


class TrailMemory:
    """Keeps findings and authors, and has the trail begin with what is known; see ``posture.trail.Memory``.

    Args:
        state: the state directory.
        seen: what workloads connected to; None where nobody knows.

    Attributes:
        problem: why something cannot be kept, a sentence; empty when all is well.
        forgotten: how much was forgotten because it could not be kept.
        removed: how much was removed again, because it was too old or there was too much.
    """

    def __init__(self, state: Path, seen: StoredSightings | None = None) -> None:
        """Open the file; what goes wrong is in ``problem``."""
        self._state, self._seen = state, seen
        self._database: Database | None = None
        self._cluster: Cluster | None = None
        self._waiting: list[tuple[str, tuple[object, ...]]] = []
        self._ids: set[str] = set()
        self._room_due = time.monotonic() + _ROOM_EVERY
        self._written = 0  # since there was made room
        self.problem = ""
        self.forgotten = self.removed = 0
        try:
            self._open()
        except StoreError as error:
            self._fail(error)

    def _open(self) -> Database:
        if self._database is None:
            database = open_cluster(self._state, make=True)
            with database.transaction():
                for statement in _TABLES:
                    database.write(statement.format(**database.types))
            rows = database.read("SELECT audit FROM trail_found ORDER BY number DESC LIMIT ?", (KNOWN_AGAIN,))
            self._ids = {str(row[0]) for row in rows}
            self._database, self._cluster = database, Cluster(database)
        return self._database

    def trail(self) -> Trail:
        """Return a trail that begins with what is known of the cluster, and asks for more here."""
        inventory = BoundedInventory(self._find)
        kinds = {kind.partition(".")[0]: kind for kind in KIND_BY_RESOURCE.values()}
        names = [name for name in kinds if name in BY_KIND and name not in _NOT_BEFORE]
        if self._database is not None:
            with contextlib.suppress(StoreError):
                marks = ", ".join("?" * len(names))
                sql = f"SELECT kind, namespace, name, body FROM objects WHERE kind IN ({marks})"  # noqa: S608 - ours
                for kind, namespace, name, body in self._database.read(sql, names):
                    inventory.keep(kinds[str(kind)], (str(namespace), str(name)), bytes(body))
        return Trail(inventory, self, self._of_namespace, self._seen)

    # ---- what a trail asks for

    def known(self, audit: str) -> Told | None:
        """Return what was found in an event before a restart."""
        if audit not in self._ids or self._database is None:
            return None
        try:
            rows = self._database.read("SELECT body FROM trail_found WHERE audit = ?", (audit,))
        except StoreError as error:
            self._fail(error)
            return None
        return read_told(bytes(rows[0][0])) if rows else None

    def found(self, told: Told, audit: str) -> None:
        """Keep what was found in an event."""
        times = [one.time for one in told.rights] + ([told.exposure.time] if told.exposure is not None else [])
        at = max((moment(one) for one in times), default=0) or time.time_ns()
        self._write(_FOUND, (audit, at, write_told(told)))

    def wrote(self, place: tuple[str, str, str], author: Author) -> None:
        """Keep who wrote a workload."""
        self._write(_WROTE, (*clean(place), time.time_ns(), *clean(tuple(author))))

    def author(self, place: tuple[str, str, str]) -> Author | None:
        """Return who wrote a workload, as far as that was kept."""
        if self._database is None:
            return None
        sql = "SELECT author, time FROM trail_authors WHERE kind = ? AND namespace = ? AND name = ?"
        try:
            rows = self._database.read(sql, clean(place))
        except StoreError:
            return None
        return Author(str(rows[0][0]), str(rows[0][1])) if rows else None

    def _find(self, kind: str, namespace: str, name: str) -> dict[str, object] | None:
        try:
            return None if self._cluster is None else self._cluster.find(kind.partition(".")[0], namespace, name)
        except StoreError:
            return None

    def _of_namespace(self, namespace: str) -> Iterator[dict[str, object]]:
        with contextlib.suppress(StoreError):
            if self._cluster is not None:
                yield from self._cluster.objects(namespace=namespace)

    def status(self) -> dict[str, int]:
        """Return what was forgotten, for ``hullwatch doctor``."""
        return {"forgotten": self.forgotten, "removed": self.removed}

    # ---- writing

    def _write(self, sql: str, values: tuple[object, ...]) -> None:
        self._waiting.append((sql, values))
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[0]
            self.forgotten += 1
        if not self.problem:
            self.flush()

    def flush(self) -> None:
        """Write what waits; to be called about once a second, too."""
        try:
            database = self._open()
            while self._waiting:
                database.write(*self._waiting[0])
                del self._waiting[0]
                self._written += 1
            if time.monotonic() >= self._room_due or self._written >= ROOM_AFTER:
                self._room_due, self._written = time.monotonic() + _ROOM_EVERY, 0
                self.removed += self.make_room(time.time_ns())
            self.problem = ""
        except StoreError as error:
            self._fail(error)

    def _fail(self, error: StoreError) -> None:
        self.problem = f"What the audit log tells of rights and openings cannot be kept: {error}"

    def make_room(self, now: int) -> int:
        """Remove what is too old, and the oldest of too many; return how many.

        Raises:
            StoreError: when it cannot be written.
        """
        database = self._open()
        removed = database.write("DELETE FROM trail_found WHERE at < ?", (now - KEEP,))
        for table, key in (("trail_found", "number"), ("trail_authors", "rowid")):
            number = int(database.read(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - our names
            if number > MOST:
                oldest = f"SELECT {key} FROM {table} ORDER BY at LIMIT ?"  # noqa: S608 - our names
                removed += database.write(
                    f"DELETE FROM {table} WHERE {key} IN ({oldest})",  # noqa: S608 - our names
                    (number - MOST,),
                )
        number, size = database.read("SELECT count(*), coalesce(sum(length(body)), 0) FROM trail_found")[0]
        if int(size) > MOST_BYTES:
            share = 1 + int(number) * (int(size) - MOST_BYTES) // int(size)  # the next look takes what is left of it
            sql = "DELETE FROM trail_found WHERE number IN (SELECT number FROM trail_found ORDER BY at LIMIT ?)"
            removed += database.write(sql, (share,))
        return removed

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        self.flush()
        if self._seen is not None:
            self._seen.close()
        if self._database is not None:
            self._database.close()
            self._database = self._cluster = None


def kept_findings(state: Path, since: int = 0) -> Iterator[Told]:
    """Yield what runs found, the oldest first.

    Args:
        state: the state directory.
        since: of events from then on, ns since the epoch.

    Raises:
        NoStoreError: when no run looked for any.
        StoreError: when it cannot be read.
    """
    database = open_cluster(state)
    try:
        if not database.has_table("trail_found"):
            raise NoStoreError(f"No run has taken audit events of the cluster in {state} yet.")
        number = 0
        while True:
            rows = database.read(
                "SELECT number, body FROM trail_found WHERE number > ? AND at >= ? ORDER BY number LIMIT 500",
                (number, since),
            )
            if not rows:
                return
            number = int(rows[-1][0])
            yield from (read_told(bytes(body)) for _, body in rows)
    finally:
        database.close()


def write_told(told: Told) -> bytes:
    """Return findings as JSON; of a long difference the first lines."""
    exposure = told.exposure
    found: dict[str, object] = {
        "rights": [plain(one) | {"added": _lines(one.added), "removed": _lines(one.removed)} for one in told.rights],
        "exposure": None
        if exposure is None
        else plain(exposure) | {"what": _lines(exposure.what), "before": _lines(exposure.before)},
    }
    return msgspec.json.encode(clean(found))


def plain(one: Change | ExposureChange) -> dict[str, object]:
    """Return a finding as an object; see ``change_of`` and ``opening_of``."""
    found: dict[str, object] = one._asdict()
    found["by"] = one.by._asdict()
    return found


def _lines(lines: tuple[str, ...]) -> list[str]:
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return [line[:_LONGEST_LINE] for line in lines[:MOST_LINES]] + more


def read_told(body: bytes) -> Told:
    """Return findings of JSON; none where the file is damaged."""
    try:
        found = msgspec.json.decode(body)
        exposure = found["exposure"]
        return Told(
            None if exposure is None else opening_of(exposure), tuple(change_of(one) for one in found["rights"])
        )
    except (msgspec.MsgspecError, TypeError, KeyError, AttributeError):
        return Told()


def change_of(found: dict[str, Any]) -> Change:
    """Return a change of rights of an object.

    Raises:
        TypeError, KeyError, AttributeError: when it is none.
    """
    return Change(**_values(found))


def opening_of(found: dict[str, Any]) -> ExposureChange:
    """Return something that was opened of an object.

    Raises:
        TypeError, KeyError, AttributeError: when it is none.
    """
    return ExposureChange(**_values(found))


def _values(found: dict[str, Any]) -> dict[str, Any]:
    def value(one: object) -> Any:
        return tuple(cast("list[object]", one)) if isinstance(one, list) else one

    by = {name: value(one) for name, one in found["by"].items()}
    return {name: value(one) for name, one in found.items()} | {"by": Actor(**by)}
