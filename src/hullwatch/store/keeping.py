"""Keeping alerts: each batch is grouped and written in one transaction, each alert once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from hullwatch.store.database import StoreError
from hullwatch.store.group_changes import GroupChanges
from hullwatch.store.joining import Joined
from hullwatch.store.packing import Packer, dictionary_of, unpack
from hullwatch.store.placing import Placements, columns_of
from hullwatch.store.remembering import StoredMemory, decisions, mutes
from hullwatch.store.retention import Retention
from hullwatch.store.schema import upgrade

if TYPE_CHECKING:
    from collections.abc import Generator

    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.incident import Incident, Memory, PlacedBefore, Placement
    from hullwatch.alerts.issue import Decision, Mute
    from hullwatch.config.settings import StoreSettings
    from hullwatch.store.database import Database

_AT_ONCE = 500  # parameters of a query
_SAMPLES = 256  # alerts of a batch that a dictionary is made of
_INSERT = "INSERT INTO alerts (id, time, placement, body) VALUES (?, ?, ?, ?)"


class Grouping(Protocol):
    """Decides what belongs together; see ``alerts/grouping.py``."""

    @property
    def refused(self) -> Sequence[str]:
        """Why some mutes are not used, as sentences."""
        ...

    def place(self, alert: Alert) -> Placement:
        """Return where an alert belongs."""
        ...

    def place_again(self, alert: Alert, before: PlacedBefore) -> Placement | None:
        """Count an alert where it was placed before; return None when that cannot be told any more."""
        ...

    def use_mutes(self, mutes: Sequence[Mute]) -> None:
        """Mute these from now on, and nothing else."""
        ...

    def decide(self, decision: Decision) -> None:
        """Do to an issue or incident what somebody decided."""
        ...


MakeGrouping = Callable[["Memory"], Grouping]
"""Makes what decides what belongs together, from what the store remembers."""


class Packed(NamedTuple):
    """An alert as it comes: its id, ns since the epoch, its bytes (see ``packing.py``)."""

    id: str
    time: int
    body: bytes


class Kept(NamedTuple):
    """What came of a batch: the alerts that are new, each with its placement (None where it could not be found)."""

    alerts: list[Alert]
    placements: list[Placement | None]


HandOver = Callable[[Sequence["Alert"], Sequence["Placement | None"]], None]
"""Takes the alerts of a batch that are new, before they count as kept: what is cut off in between comes again."""


def _nobody(_: Sequence[Alert], __: Sequence[Placement | None]) -> None:
    pass


class Keeping:
    """Writes alerts to a database that only this one writes alerts to.

    Attributes:
        counts: what was counted since somebody took it, by reason.
    """

    def __init__(self, database: Database, settings: StoreSettings, make_grouping: MakeGrouping) -> None:
        """Bring the tables to the newest version, and take up what is in them.

        Args:
            database: open for writing.
            settings: the limits.
            make_grouping: makes what decides what belongs together.

        Raises:
            StoreError: when it cannot be used.
        """
        self._database = database
        self.copy = upgrade(database)
        self._make_grouping = make_grouping
        self._placements = Placements(database)
        self._joined = Joined(database, self._placements)
        self.retention = Retention(database, settings, self._placements, self._write_changes)
        self._changes = GroupChanges(database)
        self.counts: dict[str, int] = {}
        self._packer = packer_of(database)
        self._decided = 0  # the last decision that the grouping knows
        self._grouping: Grouping | None = None

    def take(self, batch: Sequence[Packed], hand_over: HandOver = _nobody) -> Kept:
        """Keep alerts; those that are kept already are left out.

        Args:
            batch: of alerts.
            hand_over: told of those that are kept now; must not raise.

        Raises:
            StoreError: when they cannot be written; then none of them is.
        """
        kept = Kept([], [])
        with self._transaction():
            grouping = self._grouping_now()
            new = self._new(batch)
            for one in new:
                self._place(one, grouping, kept)
            if kept.alerts:
                self._write(new, kept)
                hand_over(*kept)
        self.retention.make_room(len(new), sum([len(one.body) for one in new]))
        return kept

    @property
    def database(self) -> Database:
        """The database, for who changes what is kept."""
        return self._database

    def tick(self, now: float) -> bool:
        """Do what is due; return whether there may be more to do at once.

        Raises:
            StoreError: when the store cannot be written.
        """
        if self._changes.is_due():
            self._write_changes()
        return self.retention.tick(now)

    def open_incidents(self) -> list[Incident]:
        """Return the incidents that are not closed, with what people have decided; the last seen first."""
        return StoredMemory(self._database).open_incidents(0)

    def refused_mutes(self) -> Sequence[str]:
        """Return why some mutes are not used, as sentences."""
        return self._grouping.refused if self._grouping is not None else ()

    def open_number(self) -> int:
        """Return how many incidents are not closed."""
        return int(self._database.read("SELECT count(*) FROM incidents WHERE state <> 'closed'")[0][0])

    def size(self) -> int:
        """Return how many bytes the store has on the disk."""
        return self._database.size()

    def remembered(self, name: str) -> str:
        """Return what ``remember`` was given last for a name; empty for nothing."""
        rows = self._database.read("SELECT value FROM meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    def remember(self, name: str, value: str) -> None:
        """Keep a text under a name."""
        with self._database.transaction():
            self._database.write(
                "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )

    def close(self) -> None:
        """Write what waits, and close the database."""
        with contextlib.suppress(StoreError):  # then it is counted again by the next one
            self._write_changes()
        self._database.close()

    def take_counts(self) -> dict[str, int]:
        """Return what was counted since the last time, by reason."""
        counts, self.counts = self.counts, {}
        for reason, number in self.retention.removed.items():
            counts[f"removed: {reason}"] = number
        self.retention.removed = {}
        return counts

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        packer = self._packer
        try:
            with self._database.transaction():
                yield
        except BaseException:
            self._grouping = None  # it has counted what is not kept
            self._changes.forget()
            self._placements.forget()
            self._packer = packer
            raise

    def _write_changes(self) -> None:
        """Write the issues and incidents that wait."""
        if self._changes:
            with self._transaction():
                self._grouping_now()
                self._changes.write()

    def _grouping_now(self) -> Grouping:
        """Return the grouping, with what people have decided since."""
        grouping = self._grouping
        if grouping is None:
            newest = int(self._database.read("SELECT coalesce(max(id), 0) FROM decisions")[0][0])
            grouping = self._make_grouping(StoredMemory(self._database))
            grouping.use_mutes(mutes(self._database, time.time_ns()))
            missed = self._changes.count_again(grouping.place_again, self._packer)
            if missed:
                self._count("not counted again", missed)
            self._grouping, self._decided = grouping, newest
            return grouping
        for decision in decisions(self._database, "id > ?", (self._decided,)):
            grouping.decide(decision)
            self._changes.decide(decision)
            self._decided = decision.id
        return grouping

    def _new(self, batch: Sequence[Packed]) -> list[Packed]:
        """Return the alerts that are not kept yet, each once."""
        new = {one.id: one for one in batch}
        ids = list(new)
        for begin in range(0, len(ids), _AT_ONCE):
            part = ids[begin : begin + _AT_ONCE]
            sql = f"SELECT id FROM alerts WHERE id IN (?{', ?' * (len(part) - 1)})"  # noqa: S608 - parameters only
            for (known,) in self._database.read(sql, part):
                del new[known]
        if len(new) < len(batch):
            self._count("came twice", len(batch) - len(new))
        return list(new.values())

    def _place(self, one: Packed, grouping: Grouping, kept: Kept) -> None:
        try:
            alert = unpack(one.body, one.id, one.time)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._count("unreadable")
            return
        placement: Placement | None = None
        try:
            placement = grouping.place(alert)
        except Exception as error:  # noqa: BLE001 - whatever an alert provokes: the others are kept, and it as well
            self._count(f"not grouped: {type(error).__name__}")
        kept.alerts.append(alert)
        kept.placements.append(placement)

    def _write(self, new: Sequence[Packed], kept: Kept) -> None:
        before = int(self._database.read("SELECT coalesce(max(number), 0) FROM alerts")[0][0])
        bodies = {one.id: one.body for one in new}
        if not self._packer.number:
            self._make_dictionary(list(bodies.values()))
        compress = self._packer.compress
        columns = [columns_of(alert, place) for alert, place in zip(kept.alerts, kept.placements, strict=True)]
        self._joined.look_for(kept.placements)
        for place, alert in enumerate(kept.alerts):
            columns[place] = self._joined.changed(alert.id, columns[place])
        numbers = self._placements.numbers(columns)
        rows = [
            (alert.id, alert.time, number, compress(bodies[alert.id]))
            for alert, number in zip(kept.alerts, numbers, strict=True)
        ]
        self._database.write_many(_INSERT, rows)
        self._joined.write_others()
        self._changes.take(kept.alerts, kept.placements, {row[0]: row[3] for row in rows})
        self._changes.settle(before)

    def _make_dictionary(self, bodies: list[bytes]) -> None:
        data = dictionary_of(bodies[:_SAMPLES])
        if data is not None:
            self._database.write("INSERT INTO dictionaries (id, data) VALUES (1, ?)", (data,))
            self._packer = Packer({1: data})

    def _count(self, reason: str, number: int = 1) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + number


def packer_of(database: Database) -> Packer:
    """Return what compresses and expands the alerts of a store."""
    rows = database.read("SELECT id, data FROM dictionaries")
    return Packer({int(number): bytes(data) for number, data in rows})
