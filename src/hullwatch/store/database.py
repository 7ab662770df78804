"""What the store asks of a database: SQLite in the state directory, or PostgreSQL by a URL.

The SQL is the same for both: ``?`` for parameters, ``instr``, ``substr`` and ``length`` for text, ``ON CONFLICT``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from hullwatch.errors import CannotError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

FILE = "store.db"  # in the state directory
SCHEMES = ("postgresql://", "postgres://")

Row = tuple[Any, ...]


class StoreError(CannotError):
    """The database cannot do what it was asked for; the text is a sentence."""


class BrokenStoreError(StoreError):
    """What is in the database's file is no database, or a damaged one."""


class NoStoreError(StoreError):
    """There is no database yet."""


class Database(Protocol):
    """A database that is open. One thread uses it."""

    @property
    def name(self) -> str:
        """What it is for people: a path, or host and database, without a password."""
        ...

    @property
    def types(self) -> dict[str, str]:
        """What the types of the schema are here: ``number``, ``integer`` and ``bytes``."""
        ...

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query.

        Raises:
            StoreError: when it cannot be read.
        """
        ...

    def write(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement; return how many rows it changed.

        Raises:
            StoreError: when it cannot be written.
        """
        ...

    def write_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each row of parameters.

        Raises:
            StoreError: when it cannot be written.
        """
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context in which all is written, or nothing; nobody else writes meanwhile.

        Raises:
            StoreError: when somebody else writes for too long.
        """
        ...

    def has_table(self, name: str) -> bool:
        """Tell whether there is a table."""
        ...

    def used(self) -> int:
        """Return how many bytes what is kept takes."""
        ...

    def size(self) -> int:
        """Return how many bytes it takes on the disk, with what is free in it."""
        ...

    def shrink(self, *, whole: bool = False) -> None:
        """Give free space back: some of it, as much as is quick, or all, which may take a while."""
        ...

    def backup(self, version: int) -> Path | None:
        """Copy everything before its schema is changed; return the copy, or None where others see to that.

        Raises:
            StoreError: when it cannot be copied.
        """
        ...

    def problems(self) -> list[str]:
        """Return what is damaged, as the database says it; nothing when all is well."""
        ...

    def close(self) -> None:
        """Close it."""
        ...
