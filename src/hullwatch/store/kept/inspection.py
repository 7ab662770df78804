"""What there is of kept events, and whether it is sound."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

from hullwatch.store.kept import folder
from hullwatch.store.kept.log import LogReader, count
from hullwatch.store.kept.reading import duckdb_in_memory

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from hullwatch.store.kept.folder import OpenFile


class KeptSummary(msgspec.Struct, frozen=True):
    """How much is kept: hours, Parquet files, logs, events, bytes, and the begin of the first and the last hour, ns."""

    hours: int
    tables: int
    logs: int
    events: int
    size: int
    first: int
    last: int


def summary(root: Path) -> KeptSummary:
    """Return how much is kept."""
    hours = folder.hours(root)
    files = [one for _, hour in hours for one in folder.files(hour)]
    tables = [one for one in files if one.suffix == folder.PACKED]
    logs = [one for one in files if one.suffix != folder.PACKED]
    events = sum(one.events for one in tables) + sum(count(one.path) for one in logs)
    ends = (hours[0][0], hours[-1][0]) if hours else (0, 0)
    return KeptSummary(len(hours), len(tables), len(logs), events, folder.size(root), *ends)


def problems(root: Path) -> Iterator[str]:
    """Yield what is wrong, as sentences; reads all of it.

    Raises:
        CannotError: when there are Parquet files, and DuckDB is not installed.
    """
    for _, hour in folder.hours(root):
        with folder.opened(hour) as files:
            for one in files:
                found = _table_problem(one) if one.file.suffix == folder.PACKED else _log_problem(one)
                if found:
                    yield f"{one.file.path}: {found}."


def _table_problem(one: OpenFile) -> str:
    database, failure = duckdb_in_memory()
    try:
        sql = "SELECT count(*), bit_xor(hash(everything)) FROM read_parquet(?) everything"
        events = database.cursor().execute(sql, [one.path]).fetchall()[0][0]
    except failure as error:
        return str(error).splitlines()[0].rstrip(".").replace(one.path, "it")
    return "" if events == one.file.events else f"it has {events:,} events, and its name says {one.file.events:,}"


def _log_problem(one: OpenFile) -> str:
    reader = LogReader(one.descriptor)
    for _ in reader.frames():
        pass
    return reader.problem if one.file.suffix != folder.OPEN else ""


@contextlib.contextmanager
def as_owner(root: Path) -> Generator[None]:
    """Be the user for a while whom a folder belongs to: what root makes in it, its owner could not read."""
    about = root.stat()
    if os.geteuid() != 0 or about.st_uid == 0:
        yield
        return
    group = os.getegid()
    os.setegid(about.st_gid)
    os.seteuid(about.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
