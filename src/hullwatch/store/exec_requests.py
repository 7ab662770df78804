"""Requests to run something in a container, as the audit log had them: kept until alerts need a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.enrich.kubernetes.exec_request import ExecRequest
from hullwatch.store.packing import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.store.database import Database

KEEP = 30 * 86_400 * 1_000_000_000  # ns
MOST = 100_000
AT_ONCE = 500
_NEWEST = (1 << 63) - 1
_REQUEST = msgspec.json.Decoder(ExecRequest)
_INSERT = (
    "INSERT INTO exec_requests (audit, at, namespace, pod, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (audit) DO NOTHING"
)


class ExecRequests:
    """Reads and writes them."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def add(self, request: ExecRequest) -> bool:
        """Keep a request; return whether it is new: its events come several times, the last when it is over.

        Raises:
            StoreError: when it cannot be written.
        """
        body = msgspec.json.encode(clean(msgspec.to_builtins(request)))
        values = (request.audit, request.at, request.namespace, request.pod)
        if self._database.write(_INSERT, (*clean(values), body)) > 0:
            return True
        if request.ended:
            self._database.write("UPDATE exec_requests SET body = ? WHERE audit = ?", (body, clean(request.audit)))
        return False

    def near(self, namespace: str, pod: str, begin: int, end: int) -> list[ExecRequest]:
        """Return the requests for a pod within a time, ns since the epoch."""
        return [
            _REQUEST.decode(bytes(row[0]))
            for row in self._database.read(
                "SELECT body FROM exec_requests WHERE namespace = ? AND pod = ? AND at BETWEEN ? AND ? "
                "ORDER BY at LIMIT ?",
                (namespace, pod, begin, end, AT_ONCE),
            )
        ]

    def open_near(self, namespace: str, pod: str, begin: int, end: int) -> list[ExecRequest]:
        """Return the requests to attach to a pod or to forward its ports within a time, the last one first."""
        rows = self._database.read(
            "SELECT body FROM exec_requests WHERE namespace = ? AND pod = ? AND at BETWEEN ? AND ? "
            "ORDER BY at DESC LIMIT ?",
            (namespace, pod, begin, end, AT_ONCE),
        )
        found = [_REQUEST.decode(bytes(row[0])) for row in rows]
        return [one for one in found if one.kind != "exec"]

    def since(self, number: int) -> tuple[int, list[ExecRequest]]:
        """Return the requests that were kept after one with a number, oldest first, and the last one's number."""
        rows = self._database.read(
            "SELECT number, body FROM exec_requests WHERE number > ? ORDER BY number LIMIT ?", (number, AT_ONCE)
        )
        return (int(rows[-1][0]) if rows else number), [_REQUEST.decode(bytes(row[1])) for row in rows]

    def newest(self) -> int:
        """Return the number of the last one; 0 for none."""
        return int(self._database.read("SELECT coalesce(max(number), 0) FROM exec_requests")[0][0])

    def newest_first(self, begin: int, limit: int, pod: str = "", namespace: str = "") -> Iterator[ExecRequest]:
        """Yield those since a time, ns since the epoch, the last one first, without all of them in memory.

        Args:
            begin: the time.
            limit: how many at most.
            pod: of the pods of this name only.
            namespace: of the pods there only.
        """
        conditions = [(name, value) for name, value in (("pod", pod), ("namespace", namespace)) if value]
        more = "".join(f" AND {name} = ?" for name, _ in conditions)
        sql = (
            "SELECT number, at, body FROM exec_requests WHERE at >= ? AND (at < ? OR (at = ? AND number < ?))"  # noqa: S608
            f"{more} ORDER BY at DESC, number DESC LIMIT ?"
        )
        values = [value for _, value in conditions]
        at, number = _NEWEST, 0
        while limit > 0 and (rows := self._database.read(sql, (begin, at, at, number, *values, min(limit, AT_ONCE)))):
            yield from (_REQUEST.decode(bytes(row[2])) for row in rows)
            limit -= len(rows)
            number, at = int(rows[-1][0]), int(rows[-1][1])

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def make_room(self, now: int) -> int:
        """Remove what is too old, and the oldest of too many; return how many."""
        removed = self._database.write("DELETE FROM exec_requests WHERE at < ?", (now - KEEP,))
        number = int(self._database.read("SELECT count(*) FROM exec_requests")[0][0])
        if number > MOST:
            removed += self._database.write(
                "DELETE FROM exec_requests WHERE number IN (SELECT number FROM exec_requests ORDER BY at LIMIT ?)",
                (number - MOST,),
            )
        return removed
