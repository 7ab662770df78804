"""Which workloads connected to what, as sensors saw it: a row for each workload, address and port.

It is where the alerts are: a file of its own in the state directory, or PostgreSQL by the store's URL, so that one
instance that knows the whole cluster has what the sensors of all nodes saw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.posture.connections import Connection
from hullwatch.store.cluster_tables import make_file
from hullwatch.store.database import SCHEMES, NoStoreError
from hullwatch.store.packing import clean
from hullwatch.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hullwatch.store.database import Database

FILE = "contacts.db"  # in the state directory
KEEP = 30 * 86_400 * 1_000_000_000  # ns
MOST = 50_000  # rows
MOST_OF_ONE = 1000  # rows of a workload; of more, those of databases and vaults stay for longest
_TABLES = (
    """CREATE TABLE IF NOT EXISTS contacts (
        namespace TEXT NOT NULL,
        kind TEXT NOT NULL,
        workload TEXT NOT NULL,
        address TEXT NOT NULL,
        port {integer} NOT NULL,
        protocol {integer} NOT NULL,
        pod TEXT NOT NULL,
        name TEXT NOT NULL,
        store {integer} NOT NULL,
        began {integer} NOT NULL,
        at {integer} NOT NULL,
        PRIMARY KEY (namespace, kind, workload, address, port, protocol)
    )""",
    "CREATE INDEX IF NOT EXISTS contacts_at ON contacts (at)",
)
_KEY = "namespace, kind, workload, address, port, protocol"
_COLUMNS = f"{_KEY}, pod, name, store, began, at"
_PUT = f"""
    INSERT INTO contacts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT ({_KEY}) DO UPDATE SET pod = excluded.pod, at = excluded.at,
    name = CASE WHEN excluded.name = '' THEN contacts.name ELSE excluded.name END,
    store = CASE WHEN excluded.store > contacts.store THEN excluded.store ELSE contacts.store END
"""  # noqa: S608 - our names
_RANKED = f"""
    SELECT {_KEY}, row_number() OVER (PARTITION BY namespace, kind, workload ORDER BY store DESC, at DESC) AS of_one,
    row_number() OVER (ORDER BY store DESC, at DESC) AS of_all FROM contacts
"""  # noqa: S608 - our names


class Contact(NamedTuple):
    """What a workload connected to.

    Attributes:
        namespace: of the workload.
        kind: of it: Deployment, StatefulSet, ...; Pod for a pod that nobody made.
        workload: its name.
        address: of the other end, in its shortest form.
        port: of the other end.
        protocol: number of the protocol: 6 is TCP, 17 UDP.
        pod: which of its pods did it last.
        name: that the address had in that pod, by its answers of the name system; empty without one.
        store: 1 if port or name are those of a database, cache or vault.
        began: when it was seen first, ns since the epoch.
        at: when it was seen last.
    """

    namespace: str
    kind: str
    workload: str
    address: str
    port: int
    protocol: int
    pod: str
    name: str
    store: int
    began: int
    at: int


def connection_of(contact: Contact) -> Connection:
    """Return a contact as a connection."""
    return Connection(
        contact.namespace, contact.pod, contact.address, contact.port, contact.name, contact.at, contact.kind,
        contact.workload,
    )  # fmt: skip


def open_contacts(url: str, state: Path, *, make: bool = False) -> Database:
    """Return the database: PostgreSQL where the store is there, else the file.

    Args:
        url: of the store; empty for the file.
        state: the state directory.
        make: make what is not there, and let it be changed.

    Raises:
        NoStoreError: when there is none yet.
        StoreError: when it cannot be opened.
    """
    if url.startswith(SCHEMES):
        from hullwatch.store.postgresql import PostgresqlDatabase

        database: Database = PostgresqlDatabase(url, write=make)
    else:
        path = state / FILE
        if make:
            make_file(path)
        database = SqliteDatabase(path, make=make, write=make)
    if make and not database.has_table("contacts"):
        with database.transaction():
            for statement in _TABLES:
                database.write(statement.format(**database.types))
    if not database.has_table("contacts"):
        database.close()
        raise NoStoreError(f"No connections of workloads were noted in {database.name} yet.")
    return database


class Contacts:
    """Reads and writes them."""

    def __init__(self, database: Database, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        """Take the database, and how many are kept."""
        self._database = database
        self._most, self._most_of_one = most, most_of_one

    def put(self, found: Iterable[Contact]) -> None:
        """Keep contacts, new ones and such that are known.

        Raises:
            StoreError: when they cannot be written.
        """
        with self._database.transaction():
            self._database.write_many(_PUT, [clean(tuple(one)) for one in found])

    def all(self, namespace: str = "", since: int = 0) -> list[Contact]:
        """Return those of a namespace, or all, that were seen since a time (ns), in the order of their names."""
        where, values = ("at >= ? AND namespace = ?", (since, namespace)) if namespace else ("at >= ?", (since,))
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM contacts WHERE {where} ORDER BY {_KEY}",  # noqa: S608 - our names
            values,
        )
        return [Contact(*row) for row in rows]

    def foremost(self, namespace: str, most: int) -> list[Contact]:
        """Return some of a namespace: those to databases and vaults first, then those that were seen last."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM contacts WHERE namespace = ? ORDER BY store DESC, at DESC LIMIT ?",  # noqa: S608
            (clean(namespace), most),
        )
        return [Contact(*row) for row in rows]

    def make_room(self, now: int) -> int:
        """Remove what was not seen for too long, and what is too much; return how many.

        Raises:
            StoreError: when it cannot be written.
        """
        removed = self._database.write("DELETE FROM contacts WHERE at < ?", (now - KEEP,))
        chosen = f"SELECT {_KEY} FROM ({_RANKED}) AS ranked WHERE of_one > ? OR of_all > ?"  # noqa: S608 - our names
        return removed + self._database.write(
            f"DELETE FROM contacts WHERE ({_KEY}) IN ({chosen})",  # noqa: S608 - our names
            (self._most_of_one, self._most),
        )

    def close(self) -> None:
        """Close the database."""
        self._database.close()
