"""What is removed from the store, so that it stays within its size.

First the issues and incidents that are beyond their share of it, the ones that were not seen for longest first; then
alerts, the least severe first, of these the oldest.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hullwatch.config.values import PRIORITIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.config.settings import StoreSettings
    from hullwatch.store.database import Database
    from hullwatch.store.placing import Placements

FULL, ROOMY = 0.9, 0.8  # of the limit: removing begins and ends there, so that a batch never goes beyond it
BATCH_ROOM = 4 << 20  # bytes that are left for a batch at least, where the limit is small
AT_ONCE = 5000  # alerts in a transaction: who wants to decide something has to wait for it
LEAST = 0.02  # of all alerts, as a part of them that is worth a transaction
MOST_ISSUES = 100_000
MOST_INCIDENTS = 50_000
PLACEMENTS_EVERY = 50_000  # removed alerts, after which placements without any are removed too ...
TIDY_SHARE = 4  # ... or, where the size is what counts, when one in so many of those that there were is removed
AGE_INTERVAL = 60.0  # seconds between looks at what is too old
OVERHEAD = 200  # bytes of a stored alert beside what it says, about
# Times what is known of its size, an alert may take, with what is written of its placement, its issue (which keeps two
# alerts) and its incident; the size is measured before that is all.
MOST_TAKEN = 4
SHARE = 0.15  # of the limit, that issues may take where it is reached, and as much again incidents
ROW = 512  # bytes of an issue or an incident beside what it says, about

_OF_PRIORITY = "time >= ? AND placement IN (SELECT id FROM placements WHERE priority = ?)"
_KEYS = {"issues": "fingerprint", "incidents": "id"}
_SIZES = {"issues": "length(body) + length(first_alert) + length(last_alert)", "incidents": "length(body)"}
_LAST_TO_GO = "ORDER BY CASE WHEN state = 'acknowledged' THEN 1 ELSE 0 END, last_seen"
_PLACEMENTS = "DELETE FROM placements WHERE id NOT IN (SELECT placement FROM alerts)"
_COUNT = (
    "INSERT INTO removed (what, reason, number) VALUES (?, ?, ?) "
    "ON CONFLICT (what, reason) DO UPDATE SET number = removed.number + excluded.number"
)


class Retention:
    """Keeps a store within its limits.

    Issues and incidents keep their counts when alerts are removed, and issues their first and last alert.

    Attributes:
        removed: alerts since somebody took it, by reason.
    """

    def __init__(
        self, database: Database, settings: StoreSettings, placements: Placements, before: Callable[[], None]
    ) -> None:
        """Take the limits; nothing is removed yet.

        Args:
            database: to remove from.
            settings: the limits.
            placements: that are known by number.
            before: called before alerts are removed: all that is asked of them later has to be written.
        """
        self._before = before
        self._database = database
        self.use(settings)
        self._placements = placements
        self._since = 0  # alerts removed since placements were
        self.removed: dict[str, int] = {}

    def use(self, settings: StoreSettings) -> None:
        """Take other limits; they are looked at with the next batch and the next tick."""
        self._keep = int(settings.keep * 1e9)
        self._largest = settings.largest
        self._full = max(self._largest / 2, min(FULL * self._largest, self._largest - BATCH_ROOM))
        self._roomy = self._full * ROOMY / FULL
        self._room = 0.0  # bytes that may come before the size is looked at
        self._next_age = 0.0

    def make_room(self, alerts: int, size: int) -> None:
        """Remove alerts when the limit of the size is near; to be called after each batch.

        Args:
            alerts: of the batch.
            size: bytes of them.

        Raises:
            StoreError: when the store cannot be written.
        """
        self._room -= MOST_TAKEN * (size + alerts * OVERHEAD)
        if self._room > 0:
            return
        used = self._database.used()
        if used > self._full:
            used = self._make_room(used)
        self._room = self._full - used

    def _make_room(self, used: int) -> int:
        """Remove what there is too much of, and return how many bytes are used then."""
        self._before()
        for table in _KEYS:
            if used > self._roomy:
                self._cut(table, int(used - self._roomy))
                used = self._database.used()
        alerts = int(self._database.read("SELECT count(*) FROM alerts")[0][0])
        for priority in range(len(PRIORITIES) - 1, -1, -1):
            if not self._database.read("SELECT 1 FROM placements WHERE priority = ? LIMIT 1", (priority,)):
                continue  # all of them would be looked through for nothing
            since = 0  # before it there are none of this priority any more: who looks from there passes no other ones
            while (beyond := used - self._roomy) > 0:
                # At least some: where those that go lie among others, the pages that they have stay in use.
                number = min(AT_ONCE, int(alerts * max(beyond / used, LEAST)) + 1)
                removed, since = self._remove("size", _OF_PRIORITY, (since, priority), number)
                if not removed:
                    break
                alerts -= removed
                if self._since * TIDY_SHARE >= alerts:
                    self._tidy()  # where alerts have little in common, placements take as much as they do
                used = self._database.used()
        if self._since >= PLACEMENTS_EVERY or self._database.used() > self._full:
            self._tidy()
        return self._database.used()

    def _cut(self, table: str, wanted: int) -> None:
        """Remove the issues or incidents that are beyond their share, but no more bytes than are wanted."""
        key, size = _KEYS[table], _SIZES[table]
        rows = self._database.read(f"SELECT {key}, {size} FROM {table} {_LAST_TO_GO}")  # noqa: S608 - our own names
        beyond = min(wanted, sum(row[1] + ROW for row in rows) - SHARE * self._largest)
        going: list[tuple[object]] = []
        for name, bytes_ in rows:
            if beyond <= 0:
                break
            going.append((name,))
            beyond -= bytes_ + ROW
        for begin in range(0, len(going), AT_ONCE):
            part = going[begin : begin + AT_ONCE]
            with self._database.transaction():
                self._database.write_many(f"DELETE FROM {table} WHERE {key} = ?", part)  # noqa: S608 - our own names
                self._database.write(_COUNT, (table, "size", len(part)))

    def tick(self, now: float) -> bool:
        """Do what is due; return whether there may be more to do at once.

        Args:
            now: seconds, monotonic.

        Raises:
            StoreError: when the store cannot be written.
        """
        if now < self._next_age:
            return False
        if self._remove("age", "time < ?", (time.time_ns() - self._keep,))[0]:
            return True
        self._next_age = now + AGE_INTERVAL
        self._limit("issues", MOST_ISSUES)
        self._limit("incidents", MOST_INCIDENTS)
        if self._since >= PLACEMENTS_EVERY or (self._since and self._database.used() > self._full):
            self._tidy()
        self._database.shrink()
        return False

    def _remove(self, reason: str, where: str, parameters: tuple[int, ...], most: int = AT_ONCE) -> tuple[int, int]:
        """Remove the oldest alerts that something holds for; return how many, and the time of the last of them."""
        database = self._database
        self._before()
        with database.transaction():
            rows = database.read(
                f"SELECT number, time FROM alerts WHERE {where} ORDER BY time LIMIT ?",  # noqa: S608 - our own text
                (*parameters, most),
            )
            number = len(rows)
            if number:
                database.write_many("DELETE FROM alerts WHERE number = ?", [(row[0],) for row in rows])
                database.write(_COUNT, ("alerts", reason, number))
        if number:
            self._since += number
            self.removed[reason] = self.removed.get(reason, 0) + number
        return number, rows[-1][1] if rows else 0

    def _tidy(self) -> None:
        """Remove placements that no alert has any more."""
        self._since = 0
        with self._database.transaction():
            removed = self._database.write(_PLACEMENTS)
        if removed:
            self._placements.forget()

    def _limit(self, table: str, most: int) -> None:
        """Remove the issues or incidents that were not seen for longest, when there are too many."""
        database, key = self._database, _KEYS[table]
        number = int(database.read(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - our own names
        if number <= most:
            return
        with database.transaction():
            removed = database.write(
                f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} {_LAST_TO_GO} LIMIT ?)",  # noqa: S608
                (number - most,),
            )
            database.write(_COUNT, (table, "number", removed))
