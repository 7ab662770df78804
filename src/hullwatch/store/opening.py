"""Finding and opening the store: by URL, or in the state directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hullwatch.store.database import FILE, SCHEMES, BrokenStoreError, NoStoreError
from hullwatch.store.schema import VERSION, upgrade, version
from hullwatch.store.sqlite import SqliteDatabase, set_aside

if TYPE_CHECKING:
    from pathlib import Path

    from hullwatch.store.database import Database


def open_to_keep(url: str, state: Path) -> tuple[Database, str]:
    """Return the store open for its keeper, made if it is not there; and what people should know of it, if anything.

    A file that is damaged is set aside, and another one is made: what comes from now on is to be kept.

    Raises:
        StoreError: when it cannot be opened.
    """
    if url.startswith(SCHEMES):
        return _postgresql(url, write=True), ""
    path, said = state / FILE, ""
    try:
        database = SqliteDatabase(path, make=True)
        version(database)
    except BrokenStoreError as error:
        aside = set_aside(path)
        said = f"{error} It was renamed to {aside}, and a new one is made."
        database = SqliteDatabase(path, make=True)
    return database, said


def open_to_read(url: str, state: Path) -> Database:
    """Return the store open for looking at it.

    Raises:
        NoStoreError: when nothing was kept yet.
        StoreError: when it cannot be opened, or has another version.
    """
    database = _postgresql(url, write=False) if url.startswith(SCHEMES) else SqliteDatabase(state / FILE, write=False)
    return _current(database)


def open_to_decide(url: str, state: Path) -> Database:
    """Return the store open for writing decisions.

    Raises:
        NoStoreError: when nothing was kept yet.
        StoreError: when it cannot be opened, or has another version.
    """
    database = _postgresql(url, write=True) if url.startswith(SCHEMES) else SqliteDatabase(state / FILE)
    if 0 < version(database) < VERSION:
        upgrade(database)
    return _current(database)


def _current(database: Database) -> Database:
    found = version(database)
    if found == 0:
        database.close()
        raise NoStoreError(
            f"There is nothing in the store {database.name} yet: it is made when 'hullwatch run' starts."
        )
    if found < VERSION:
        database.close()
        raise NoStoreError(
            f"The store {database.name} is of an older Hullwatch: it is brought up to date when 'hullwatch run' "
            "starts, or by 'hullwatch store upgrade'."
        )
    return database


def _postgresql(url: str, *, write: bool) -> Database:
    from hullwatch.store.postgresql import PostgresqlDatabase

    return PostgresqlDatabase(url, write=write)
