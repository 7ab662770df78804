"""The tables of what is known of a Kubernetes cluster: a file of their own beside the store.

Requests to run something in a container are where the alerts are: in the same file, or in PostgreSQL by the store's
URL, so that one instance that reads the audit log names the sessions that the sensors of all nodes see.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hullwatch.store.database import SCHEMES, NoStoreError, StoreError
from hullwatch.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.store.database import Database

FILE = "kubernetes.db"  # in the state directory
VERSION = 1
_META = "CREATE TABLE IF NOT EXISTS kubernetes_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_REQUESTS = (
    """CREATE TABLE IF NOT EXISTS exec_requests (
        number {number},
        audit TEXT NOT NULL UNIQUE,
        at {integer} NOT NULL,
        namespace TEXT NOT NULL,
        pod TEXT NOT NULL,
        body {bytes} NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS exec_requests_pod ON exec_requests (namespace, pod, at)",
    "CREATE INDEX IF NOT EXISTS exec_requests_at ON exec_requests (at)",
)
_STATE = (
    """CREATE TABLE IF NOT EXISTS objects (
        kind TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        uid TEXT NOT NULL,
        number {integer} NOT NULL,
        body {bytes} NOT NULL,
        PRIMARY KEY (kind, namespace, name)
    )""",
    "CREATE INDEX IF NOT EXISTS objects_uid ON objects (uid)",
    "CREATE INDEX IF NOT EXISTS objects_number ON objects (number)",
    """CREATE TABLE IF NOT EXISTS addresses (
        id {number},
        address TEXT NOT NULL,
        kind TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        uid TEXT NOT NULL,
        node TEXT NOT NULL,
        began {integer} NOT NULL,
        confirmed {integer} NOT NULL,
        ended {integer} NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS addresses_address ON addresses (address, began)",
    "CREATE INDEX IF NOT EXISTS addresses_uid ON addresses (uid)",
    "CREATE INDEX IF NOT EXISTS addresses_ended ON addresses (ended)",
)


def open_cluster(state: Path, *, make: bool = False, write: bool = False) -> Database:
    """Return the file of what is known of the cluster.

    Args:
        state: the state directory.
        make: make it if it is not there.
        write: whether it is to be changed.

    Raises:
        NoStoreError: when nothing is known yet.
        StoreError: when it cannot be opened, or is of a newer Hullwatch.
    """
    path = state / FILE
    if make:
        make_file(path)
    try:
        database = SqliteDatabase(path, make=make, write=write or make)
    except NoStoreError:
        raise NoStoreError(
            f"Nothing is known of a Kubernetes cluster: there is no {path}. It is made by 'hullwatch run' with "
            "kubernetes.api.credentials set, or by 'hullwatch k8s learn'."
        ) from None
    if make:
        prepare(database, _STATE + _REQUESTS)
    _check(database)
    return database


def open_requests(url: str, state: Path, *, make: bool = False) -> Database:
    """Return the database of requests: PostgreSQL where the store is there, else the file.

    Raises:
        NoStoreError: when there is none yet.
        StoreError: when it cannot be opened.
    """
    if not url.startswith(SCHEMES):
        return open_cluster(state, make=make, write=make)
    from hullwatch.store.postgresql import PostgresqlDatabase

    database = PostgresqlDatabase(url, write=make)
    if make:
        prepare(database, _REQUESTS)
    if not database.has_table("exec_requests"):
        database.close()
        raise NoStoreError(f"There are no requests from an audit log in {database.name} yet.")
    return database


def prepare(database: Database, statements: tuple[str, ...]) -> None:
    """Make the tables that are not there.

    Raises:
        StoreError: when they cannot be made.
    """
    if database.has_table("kubernetes_meta") and database.has_table("exec_requests"):
        return
    with database.transaction():
        for statement in (_META, *statements):
            database.write(statement.format(**database.types))
        database.write(
            "INSERT INTO kubernetes_meta (name, value) VALUES ('version', ?) ON CONFLICT (name) DO NOTHING",
            (str(VERSION),),
        )


def _check(database: Database) -> None:
    found = 0
    if database.has_table("kubernetes_meta"):
        found = int(database.read("SELECT value FROM kubernetes_meta WHERE name = 'version'")[0][0])
    if found != VERSION:
        database.close()
        raise StoreError(
            f"{database.name} was written by another Hullwatch (its version is {found}, and this one knows {VERSION}): "
            "remove it, it is made again from the cluster."
        )


def make_file(path: Path) -> None:
    """Make the file, for whoever the state directory belongs to, also where root does it."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(f"{path} cannot be made: {error.strerror}. User {os.geteuid()} has to be able to.") from error
    try:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)
