"""The file of what is ordinary in clusters, ``baseline.db`` in the state directory, and what people decided of it.

One process writes what it learns; others read, and write decisions only, which that process finds and follows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from hullwatch.baseline.clock import HOUR, Clock
from hullwatch.baseline.cluster import ALL_KINDS, ClusterBaseline, Span
from hullwatch.baseline.hours import HOURS, Hours
from hullwatch.baseline.seen import Seen
from hullwatch.errors import UsageError
from hullwatch.store.cluster_tables import make_file
from hullwatch.store.database import BrokenStoreError, NoStoreError, StoreError
from hullwatch.store.sqlite import SqliteDatabase, set_aside

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.baseline.baseline import Baseline

FILE = "baseline.db"
VERSION = 1
MOST_DECISIONS = 100_000
# What leads from a version to the next one; the file is copied before.
UPGRADES: dict[int, tuple[str, ...]] = {}
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE clusters (
        name TEXT PRIMARY KEY, began INTEGER NOT NULL, learnt INTEGER NOT NULL, now INTEGER NOT NULL, more BLOB NOT NULL
    )""",
    """CREATE TABLE seen (
        cluster TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, owner TEXT NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL, origin TEXT NOT NULL, note TEXT NOT NULL,
        PRIMARY KEY (cluster, kind, value)
    ) WITHOUT ROWID""",
    "CREATE TABLE hours (cluster TEXT NOT NULL, user TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (cluster, user))",
    """CREATE TABLE decisions (
        number INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, verb TEXT NOT NULL,
        kind TEXT NOT NULL, value TEXT NOT NULL, why TEXT NOT NULL, undone INTEGER NOT NULL
    )""",
)


class Decision(msgspec.Struct, frozen=True):
    """What somebody decided of a value.

    Attributes:
        verb: accept: it is never new; forget: it is new when it is seen again; undo: a decision counts no more.
        undone: for ``undo`` the number of that decision; for others that of the one that undid it, or 0.
    """

    number: int
    at: int
    who: str
    verb: str
    kind: str
    value: str
    why: str
    undone: int = 0


class _More(msgspec.Struct):
    gaps: list[tuple[int, int]] = []
    forgotten: dict[str, int] = {}


class _Hours(msgspec.Struct):
    counts: list[int]
    first: int
    days: int
    hour: int
    told: int
    origin: str
    halved: int


class BaselineFile:
    """The file, open.

    Args:
        path: of it.
        make: make it if it is not there.
        write: whether anything is to be changed.
    """

    def __init__(self, path: Path, *, make: bool = False, write: bool = False) -> None:
        """Open it, and bring it up to date if it is to be written.

        Raises:
            NoStoreError: when it is not there.
            StoreError: when it cannot be used, or is of a newer Hullwatch.
        """
        if make:
            make_file(path)
        try:
            self.database = SqliteDatabase(path, make=make, write=write or make)
        except NoStoreError:
            raise NoStoreError(
                f"Nothing was learnt yet: there is no {path}. It is made by 'hullwatch run' where audit events are "
                "taken (kubernetes.audit); --from AUDIT_FILE shows what would be learnt of a file."
            ) from None
        try:
            self._prepare(write=write or make)
        except BaseException:
            self.database.close()
            raise

    def _prepare(self, *, write: bool) -> None:
        if not self.database.has_table("meta"):
            if not write:
                raise NoStoreError(f"There is nothing in {self.database.name} yet.")
            with self.database.transaction():
                for statement in _TABLES:
                    self.database.write(statement)
                values = ("version", str(VERSION), "followed", "0")
                self.database.write("INSERT INTO meta (name, value) VALUES (?, ?), (?, ?)", values)
        found = int(self._meta("version"))
        if found > VERSION or (found < VERSION and not write):
            which = "newer" if found > VERSION else "older"
            raise StoreError(
                f"{self.database.name} is of a{'n' * (which == 'older')} {which} Hullwatch (its version is {found}, "
                f"and this one's {VERSION}): 'hullwatch run' of the newer one brings it up to date."
            )
        if found < VERSION:
            self.database.backup(found)
            with self.database.transaction():
                for version in range(found, VERSION):
                    for statement in UPGRADES[version]:
                        self.database.write(statement)
                self.database.write("UPDATE meta SET value = ? WHERE name = 'version'", (str(VERSION),))

    def _meta(self, name: str) -> str:
        rows = self.database.read("SELECT value FROM meta WHERE name = ?", (name,))
        if not rows:
            raise BrokenStoreError(f"{self.database.name} is damaged: it does not say its {name}.")
        return str(rows[0][0])

    # ---- what was learnt

    def clusters(self, span: Span, *, kept: bool = False) -> dict[str, ClusterBaseline]:
        """Return the clusters by their names, without their values and hours.

        Args:
            span: how long things are learnt and remembered.
            kept: whether what is learnt of them is to be saved.
        """
        found: dict[str, ClusterBaseline] = {}
        for name, began, learnt, now, body in self.database.read("SELECT name, began, learnt, now, more FROM clusters"):
            more = msgspec.json.decode(bytes(body), type=_More)
            cluster = found[name] = ClusterBaseline(name, span, began, kept=kept)
            cluster.learnt, cluster.clock, cluster.hour = learnt, Clock(now, more.gaps), now // HOUR
            cluster.forgotten, cluster.changed = more.forgotten, False
        return found

    def load(self, baseline: Baseline, span: Span) -> None:
        """Give a baseline that knows nothing what is kept."""
        baseline.clusters.update(self.clusters(span, kept=baseline.kept))
        for cluster, kind, value, owner, first, last, count, origin, note in self.database.read(
            "SELECT cluster, kind, value, owner, first, last, count, origin, note FROM seen"
        ):
            if cluster in baseline.clusters and kind in ALL_KINDS:
                baseline.clusters[cluster].kinds[kind].put(value, Seen(first, last, count, origin, owner, note))
        for cluster, user, body in self.database.read("SELECT cluster, user, body FROM hours"):
            if cluster in baseline.clusters:
                baseline.clusters[cluster].hours[user] = hours_of(bytes(body))
        for one in self.decisions():
            if one.verb == "accept" and not one.undone:
                baseline.accepted.add(one.kind, one.value)

    def save(self, baseline: Baseline, *, whole: bool = False) -> None:
        """Write what has changed, all of it or nothing.

        Args:
            baseline: whose it is.
            whole: write all there is instead, for it is not known any more what has changed.
        """
        baseline.fold()
        for cluster in baseline.clusters.values() if whole else ():
            cluster.changed_hours.update(cluster.hours)
            for values in cluster.kinds.values():
                values.changed.update(values.items())
        with self.database.transaction():
            if whole:
                self.database.write("DELETE FROM seen")
            for cluster in baseline.clusters.values():
                self._save(cluster)
        for cluster in baseline.clusters.values():
            cluster.changed = False
            cluster.changed_hours.clear()
            for values in cluster.kinds.values():
                values.changed.clear()

    def _save(self, cluster: ClusterBaseline) -> None:
        more = msgspec.json.encode(_More(cluster.clock.gaps, cluster.forgotten))
        self.database.write(
            "INSERT INTO clusters (name, began, learnt, now, more) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET learnt = excluded.learnt, now = excluded.now, more = excluded.more",
            (cluster.name, cluster.began, cluster.learnt, cluster.now, more),
        )
        for kind, values in cluster.kinds.items():
            kept = [(value, seen) for value, seen in values.changed.items() if seen is not None]
            gone = [value for value, seen in values.changed.items() if seen is None]
            self.database.write_many(
                "DELETE FROM seen WHERE cluster = ? AND kind = ? AND value = ?",
                [(cluster.name, kind, value) for value in gone],
            )
            self.database.write_many(
                "INSERT OR REPLACE INTO seen (cluster, kind, value, owner, first, last, count, origin, note) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (cluster.name, kind, value, one.owner, one.first, one.last, one.count, one.origin, one.note)
                    for value, one in kept
                ],
            )
        self.database.write_many(
            "DELETE FROM hours WHERE cluster = ? AND user = ?", [(cluster.name, user) for user in cluster.changed_hours]
        )
        self.database.write_many(
            "INSERT INTO hours (cluster, user, body) VALUES (?, ?, ?)",
            [(cluster.name, user, _body(one)) for user, one in cluster.changed_hours.items() if one is not None],
        )

    # ---- what was decided

    def decisions(self, after: int = 0) -> list[Decision]:
        """Return the decisions behind one with a number, the oldest first."""
        rows = self.database.read(
            "SELECT number, at, who, verb, kind, value, why, undone FROM decisions WHERE number > ? ORDER BY number",
            (after,),
        )
        return [Decision(*row) for row in rows]

    def decisions_before(self, number: int, limit: int) -> list[Decision]:
        """Return the last decisions before one with a number, the last one first."""
        rows = self.database.read(
            "SELECT number, at, who, verb, kind, value, why, undone FROM decisions WHERE number < ? "
            "ORDER BY number DESC LIMIT ?",
            (number, limit),
        )
        return [Decision(*row) for row in rows]

    def decide(self, who: str, verb: str, kind: str, value: str, why: str) -> Decision:
        """Keep a decision about a value; return it.

        Raises:
            UsageError: when there are too many.
        """
        with self.database.transaction():
            return self._write(who, verb, kind, value, why, 0)

    def undo(self, number: int, who: str, why: str) -> Decision:
        """Let a decision count no more; return what is kept of that.

        Raises:
            UsageError: when there is no such decision that counts.
        """
        with self.database.transaction():
            found = [one for one in self.decisions(number - 1) if one.number == number]
            if not found or found[0].verb != "accept" or found[0].undone:
                raise UsageError(
                    f"There is no accepted value with the number {number}: 'hullwatch k8s baseline decisions' has them."
                )
            made = self._write(who, "undo", found[0].kind, found[0].value, why, number)
            self.database.write("UPDATE decisions SET undone = ? WHERE number = ?", (made.number, number))
            return made

    def _write(self, who: str, verb: str, kind: str, value: str, why: str, undone: int) -> Decision:
        number = int(self.database.read("SELECT coalesce(max(number), 0) FROM decisions")[0][0]) + 1
        if number > MOST_DECISIONS:
            raise UsageError(f"There are {MOST_DECISIONS:,} decisions already: accept beginnings of values, with *.")
        made = Decision(number, time.time_ns(), who, verb, kind, value, why, undone)
        self.database.write(
            "INSERT INTO decisions (number, at, who, verb, kind, value, why, undone) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            msgspec.structs.astuple(made),
        )
        return made

    def followed(self) -> int:
        """Return the number of the last decision that whoever learns has followed."""
        return int(self._meta("followed"))

    def follow(self, baseline: Baseline) -> int:
        """Do what was decided since; return how many decisions that were."""
        found = self.decisions(self.followed())
        for one in found:
            if one.verb == "accept" and not one.undone:
                baseline.accepted.add(one.kind, one.value)
            elif one.verb == "undo":
                self._accept_no_more(baseline, one)
            elif one.verb == "forget":
                baseline.forget(one.kind, one.value)
        if found:
            self.database.write("UPDATE meta SET value = ? WHERE name = 'followed'", (str(found[-1].number),))
        return len(found)

    def _accept_no_more(self, baseline: Baseline, undone: Decision) -> None:
        same = [one for one in self.decisions() if (one.kind, one.value) == (undone.kind, undone.value)]
        if not any(one.verb == "accept" and not one.undone for one in same):
            baseline.accepted.remove(undone.kind, undone.value)

    def close(self) -> None:
        """Close it."""
        self.database.close()


def open_to_learn(path: Path) -> tuple[BaselineFile, str]:
    """Return the file for whoever learns, made if it is not there, and what people should know of it.

    A file that is damaged is set aside: learning begins anew.

    Raises:
        StoreError: when it cannot be opened.
    """
    try:
        return BaselineFile(path, make=True), ""
    except BrokenStoreError as error:
        aside = set_aside(path)
        return BaselineFile(path, make=True), f"{error} It was renamed to {aside}, and learning begins anew."


def _body(hours: Hours) -> bytes:
    return msgspec.json.encode(
        _Hours(hours.counts, hours.first, hours.days, hours.hour, hours.told, hours.origin, hours.halved)
    )


def hours_of(body: bytes) -> Hours:
    """Return somebody's hours as they are kept."""
    kept: Any = msgspec.json.decode(body, type=_Hours)
    made = Hours(kept.first)
    if len(kept.counts) == HOURS:
        made.counts = kept.counts
    made.days, made.hour, made.told = kept.days, kept.hour, kept.told
    made.origin, made.halved = kept.origin, kept.halved
    return made
