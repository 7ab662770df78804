"""The store in SQLite: a file in the state directory, in WAL mode, so that many read while one writes."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import urllib.parse
from typing import TYPE_CHECKING

from hullwatch.store.database import BrokenStoreError, NoStoreError, StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    from hullwatch.store.database import Row

PATIENCE = 10.0  # seconds for who writes at the moment
CACHE = 4 << 10  # KiB of pages
WAL_LIMIT = 8 << 20  # bytes that the log keeps on the disk when it has been taken over into the file
PAGES_AT_ONCE = 2000  # that are given back in one go
_TYPES = {"number": "INTEGER PRIMARY KEY", "integer": "INTEGER", "bytes": "BLOB"}
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class SqliteDatabase:
    """A file.

    Args:
        path: of it.
        make: make it if it is not there.
        write: let it be changed; a reader cannot even by mistake.
    """

    types = _TYPES

    def __init__(self, path: Path, *, make: bool = False, write: bool = True) -> None:
        """Open it.

        Raises:
            NoStoreError: when it is not there.
            StoreError: when it cannot be opened.
        """
        self.path = path
        _check_file(path, make=make)
        uri = f"file:{urllib.parse.quote(str(path))}?mode={'rwc' if make else 'rw'}"
        with self._told():
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=PATIENCE)
        try:
            with self._told():
                self._prepare(make=make, write=write)
        except StoreError:
            self._connection.close()
            raise

    def _prepare(self, *, make: bool, write: bool) -> None:
        run = self._connection.execute
        run("PRAGMA trusted_schema = OFF")  # whoever wrote the file may run nothing here
        run(f"PRAGMA cache_size = -{CACHE}")
        run("PRAGMA temp_store = MEMORY")
        if make:
            run("PRAGMA auto_vacuum = INCREMENTAL")  # of a file that has no table yet
            run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")  # a kill loses nothing; a power cut the last moments, and spoils nothing
        run(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        if not write:
            run("PRAGMA query_only = ON")

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        """Turn the library's errors into sentences."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _BROKEN:
                raise BrokenStoreError(f"The store {self.path} is damaged ({error}).") from error
            if code == sqlite3.SQLITE_CANTOPEN:
                raise StoreError(
                    f"The store {self.path} cannot be opened: {error}. User {os.geteuid()} has to be able to enter its "
                    "directory, and to read and write there."
                ) from error
            raise StoreError(f"The store {self.path} cannot be used: {error}.") from error

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query."""
        with self._told():
            return self._connection.execute(sql, parameters).fetchall()

    def write(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement; return how many rows it changed."""
        with self._told():
            return self._connection.execute(sql, parameters).rowcount

    def write_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each row of parameters."""
        with self._told():
            self._connection.executemany(sql, rows)

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """Write all that follows, or nothing."""
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            with contextlib.suppress(StoreError):  # after some errors it is rolled back already
                self.write("ROLLBACK")
            raise

    def has_table(self, name: str) -> bool:
        """Tell whether there is a table."""
        return bool(self.read("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)))

    def _pragma(self, name: str) -> int:
        return int(self.read(f"PRAGMA {name}")[0][0])

    def used(self) -> int:
        """Return how many bytes the pages have that are in use."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def size(self) -> int:
        """Return how many bytes the file and its log have."""
        sizes = 0
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                sizes += os.stat(f"{self.path}{suffix}").st_size  # noqa: PTH116 - the same name with something behind it
        return sizes

    def shrink(self, *, whole: bool = False) -> None:
        """Give free pages back to the file system."""
        pages = self._pragma("freelist_count") if whole else PAGES_AT_ONCE
        with self._told():  # as a script: it gives a row without columns for each page, at which `execute` stops
            self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")
        if whole:
            self.read("PRAGMA wal_checkpoint(TRUNCATE)")

    def backup(self, version: int) -> Path:
        """Copy the file beside itself."""
        target = self.path.with_name(f"{self.path.name}.version-{version}")
        try:
            target.unlink(missing_ok=True)
            with self._told(), contextlib.closing(sqlite3.connect(target)) as copy:
                self._connection.backup(copy)
            target.chmod(0o600)
        except OSError as error:
            raise StoreError(f"The store {self.path} cannot be copied to {target}: {error.strerror}.") from error
        return target

    def problems(self) -> list[str]:
        """Return what an integrity check finds."""
        found = [str(row[0]) for row in self.read("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def set_aside(path: Path) -> Path:
    """Rename a damaged file, with its log, so that another can be made; of several, the last is kept.

    Raises:
        StoreError: when it cannot be renamed.
    """
    target = path.with_name(f"{path.name}.damaged")
    try:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(f"{path.name}{suffix}").replace(f"{target}{suffix}")
    except OSError as error:
        raise StoreError(f"The damaged store {path} cannot be set aside: {error.strerror}.") from error
    return target


def _check_file(path: Path, *, make: bool) -> None:
    """Refuse what is no file: the state directory is the engine's user's, who could have put anything there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        if make:
            return
        raise NoStoreError(
            f"There is no store at {path}: it is made when 'hullwatch run' starts. (Another place: --state-directory.)"
        ) from None
    except OSError as error:
        advice = " Run it with sudo?" if isinstance(error, PermissionError) else ""
        raise StoreError(f"The store {path} cannot be read: {error.strerror}.{advice}") from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"The store {path} is no file: remove it.")
