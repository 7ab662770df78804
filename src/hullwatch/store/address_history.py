"""Who had an address, and when: a row for each time that a pod, node or service had one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.kubernetes.plain import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.enrich.kubernetes.addresses import Addresses
    from hullwatch.store.database import Database

KEEP = 30 * 86_400.0  # seconds
MOST = 200_000  # rows: about 40 MB
AT_ONCE = 500  # rows that are read
_NEWEST = (1 << 63) - 1
_COLUMNS = "address, kind, namespace, name, uid, node, began, confirmed, ended"


class Holding(msgspec.Struct, frozen=True):
    """A time in which something had an address.

    Attributes:
        address: in its shortest form.
        kind: Pod, Node or Service.
        namespace: empty for a node.
        name: of it.
        uid: of it.
        node: that a pod runs on.
        began: ns since the epoch, at the latest.
        confirmed: when it was last known to have it before it was seen not to; 0 while it has it.
        ended: when it was seen not to have it any more; 0 while it has it.
    """

    address: str
    kind: str
    namespace: str
    name: str
    uid: str
    node: str
    began: int
    confirmed: int
    ended: int

    def lasted(self, when: int) -> bool:
        """Tell whether that was so at a time, ns since the epoch."""
        return self.began <= when and (not self.ended or self.ended >= when)


class AddressHistory:
    """Reads and writes them."""

    def __init__(self, database: Database, keep: float = KEEP, most: int = MOST) -> None:
        """Take the file, and how long and how many are kept."""
        self._database = database
        self._keep = int(keep * 1e9)
        self._most = most

    def note(self, now: Addresses, at: int, *, listed: bool = False) -> None:
        """Take what an object has now; to be called in a transaction.

        Args:
            now: of it.
            at: when that was said, ns since the epoch.
            listed: whether it was found in a list, so that it has had them since before: as long as it says itself.
        """
        if not now.uid:
            return
        rows = self._database.read("SELECT id, address FROM addresses WHERE uid = ? AND ended = 0", (now.uid,))
        known = {str(row[1]) for row in rows}
        for number, address in rows:
            if address not in now.addresses:
                self._end(number, at, at)
        began = min(at, now.since) if now.since and (listed or now.kind == "Pod") else at
        for address in now.addresses:
            if address not in known:
                self._database.write(
                    f"INSERT INTO addresses ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",  # noqa: S608 - our names
                    (address, now.kind, now.namespace, now.name, now.uid, now.node, began),
                )

    def end(self, uid: str, at: int, confirmed: int) -> None:
        """Note that an object is gone.

        Args:
            uid: of it.
            at: when it was seen to be, ns since the epoch.
            confirmed: when it was last known not to be.
        """
        if uid:
            for (number,) in self._database.read("SELECT id FROM addresses WHERE uid = ? AND ended = 0", (uid,)):
                self._end(number, at, confirmed)

    def of(self, address: str) -> list[Holding]:
        """Return who has had an address, the last one first."""
        sql = f"SELECT {_COLUMNS} FROM addresses WHERE address = ? ORDER BY began DESC, id DESC"  # noqa: S608 - our names
        return [Holding(*row) for row in self._database.read(sql, (text(address),))]

    def at(self, address: str, when: int) -> list[Holding]:
        """Return who had an address at a time, ns since the epoch; several where one followed soon on another."""
        return [one for one in self.of(address) if one.lasted(when)]

    def every(self, address: str) -> Iterator[Holding]:
        """Yield who has had an address, the last one first, without all of them in memory."""
        sql = (
            f"SELECT id, {_COLUMNS} FROM addresses WHERE address = ? AND (began < ? OR (began = ? AND id < ?)) "  # noqa: S608
            "ORDER BY began DESC, id DESC LIMIT ?"
        )
        began, number = _NEWEST, 0
        while rows := self._database.read(sql, (address, began, began, number, AT_ONCE)):
            found = [Holding(*row[1:]) for row in rows]
            yield from found
            began, number = found[-1].began, rows[-1][0]

    def make_room(self, now: int) -> int:
        """Remove what ended too long ago, and the oldest of too many; return how many.

        Raises:
            StoreError: when it cannot be written.
        """
        removed = self._database.write("DELETE FROM addresses WHERE ended > 0 AND ended < ?", (now - self._keep,))
        number = int(self._database.read("SELECT count(*) FROM addresses")[0][0])
        if number > self._most:
            removed += self._database.write(
                "DELETE FROM addresses WHERE id IN (SELECT id FROM addresses WHERE ended > 0 ORDER BY ended LIMIT ?)",
                (number - self._most,),
            )
        return removed

    def _end(self, number: int, at: int, confirmed: int) -> None:
        self._database.write(
            "UPDATE addresses SET ended = CASE WHEN began > ? THEN began ELSE ? END, confirmed = ? WHERE id = ?",
            (at, at, min(at, confirmed), number),
        )
