"""Reading kept events: a condition is looked up in the Parquet files by DuckDB, and judged here for the rest.

Hour by hour, and in the order of time: the files of an hour are opened as they are at one moment, its logs are read
here, and what both have is merged.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import heapq
import importlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.errors import CannotError, UsageError
from hullwatch.extras import install
from hullwatch.rules.condition import condition_rules
from hullwatch.rules.terms import from_event
from hullwatch.rules.value_events import ValueEvents, WrongValueError, from_values
from hullwatch.store.kept import folder
from hullwatch.store.kept.columns import ALERT, LATER, LISTS, NAMES, SOURCE, TIME
from hullwatch.store.kept.columns import terms as column_terms
from hullwatch.store.kept.log import LogReader
from hullwatch.store.kept.pushdown import EVERYTHING, Pushdown, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from hullwatch.fields.field import Field, FieldFunction
    from hullwatch.rules.value_events import ValueEvent
    from hullwatch.store.kept.folder import OpenFile

MEMORY = "512MB"  # of DuckDB
_AT_ONCE = 2048  # rows
_BATCH_FILES = 200  # open at the same time
_BATCH_SIZE = 64 << 20  # bytes of Parquet files that are asked at once
EVERY = "evt.num exists"  # the condition that all events fulfil
FORMAT = "%evt.num %evt.time %evt.cpu %container.name %proc.name (%proc.pid) %evt.type %evt.args"
FOREVER = (1 << 63) - 1
_FIXED = {"evt.dir": "<"}  # what is the same for each event, and needs no column
_OF_CALLS = "syscall"  # the source of an event that was kept before others were

Row = dict[str, Any]


class Wanted(NamedTuple):
    """Which events are wanted: a condition, from when until when (ns since the epoch), and whether SQL may be used."""

    condition: str
    form: str
    since: int = 0
    until: int = 1 << 63
    pushdown: bool = True


def from_kept(field: Field, argument: str | None) -> FieldFunction | None:
    """Return what gives a field of a kept event: its time as of any event, all else as it was written."""
    if field.name.startswith(("evt.time", "evt.datetime", "evt.rawtime")):
        return from_event(field, argument)
    return from_values(field, argument)


def check_folder(root: Path, hint: str = "") -> None:
    """Look whether there are kept events; ``hint`` is what people are told as well when there are none.

    Raises:
        CannotError: when nothing was kept yet, or it may not be read.
    """
    try:
        is_there = root.is_dir()
        if is_there:
            next(root.iterdir(), None)
    except PermissionError:
        raise CannotError(f"{root} belongs to another user: run it with sudo.") from None
    if not is_there:
        raise CannotError(
            f"No events were kept in {root}: 'events.keep' in the configuration says which are, such as "
            f'keep = "evt.type in (execve, connect)" below [events]. {hint}'.rstrip()
        )


class KeptReader:
    """Finds events.

    Args:
        root: the folder of kept events.
        wanted: which.

    Attributes:
        rule: the condition and the format as a rule.
        problems: what could not be read, as sentences.
        looked_at: how many events were judged here, not by DuckDB.
    """

    def __init__(self, root: Path, wanted: Wanted) -> None:
        """Compile the condition.

        Raises:
            UsageError: when it is wrong, or asks for what is not kept.
        """
        self._root = root
        self._wanted = wanted
        self.rule = condition_rules(wanted.condition, wanted.form, from_kept).rules[0]
        asked = _fields_of(self.rule.fields)
        printed = _fields_of(token.term.name for token in self.rule.output.fields)
        self._asked = frozenset(asked)
        self._needed = asked | printed
        terms = column_terms()
        where = Pushdown(terms).where(self.rule.conditions[-1].tree) if wanted.pushdown else EVERYTHING
        self._where = where
        self._fields = sorted(self._needed if not where.exact else printed)
        self.problems: list[str] = []
        self.looked_at = 0
        self._events = ValueEvents()

    def events(self) -> Iterator[ValueEvent]:
        """Yield the events that are wanted, in the order of their time.

        Raises:
            CannotError: when DuckDB is not installed, and there are Parquet files.
        """
        for batch in self._batches():
            yield from self._batch(batch)

    def _batches(self) -> Iterator[list[Path]]:
        """Yield the folders of hours that are asked together: one question costs some milliseconds at least."""
        batch: list[Path] = []
        number = size = 0
        for _, hour in folder.hours(self._root, self._wanted.since, self._wanted.until):
            found = folder.files(hour)
            batch.append(hour)
            number += len(found)
            size += sum(one.size if one.suffix == folder.PACKED else 4 * one.size for one in found)
            if number >= _BATCH_FILES or size >= _BATCH_SIZE:
                yield batch
                batch, number, size = [], 0, 0
        if batch:
            yield batch

    def _batch(self, hours: Iterable[Path]) -> Iterator[ValueEvent]:
        with contextlib.ExitStack() as stack:
            files = [one for hour in hours for one in stack.enter_context(folder.opened(hour))]
            packed = [one for one in files if one.file.suffix == folder.PACKED and self._is_whole(one)]
            logs = [one for one in files if one.file.suffix != folder.PACKED]
            written = sorted(self._in_logs(logs), key=_moment)
            yield from heapq.merge(self._in_tables(packed), written, key=_moment)

    # ---- Parquet files

    def _is_whole(self, one: OpenFile) -> bool:
        """Tell whether a file is what its name says; else say so."""
        size = os.fstat(one.descriptor).st_size
        magic = b"PAR1"
        if size > 12 and {os.pread(one.descriptor, 4, 0), os.pread(one.descriptor, 4, size - 4)} == {magic}:
            return True
        self.problems.append(f"{one.file.path} is damaged, and its events are left out.")
        return False

    def _in_tables(self, files: list[OpenFile]) -> Iterator[ValueEvent]:
        if not files:
            return
        wanted, where = self._wanted, self._where
        names = [TIME, *(name for name in self._fields if name != TIME)]
        columns = ", ".join(f'"{name}"' for name in names)
        since, until = max(wanted.since, -(1 << 62)), min(wanted.until, (1 << 63) - 1)
        sql = (
            f"SELECT {columns} FROM {_tables(self._needed)} "  # noqa: S608 - our own names, and ?
            f'WHERE "{TIME}" >= ? AND "{TIME}" <= ? AND {where.sql} ORDER BY "{TIME}"'
        )
        database, failure = duckdb_in_memory()
        cursor = database.cursor()
        try:
            cursor.execute(sql, [[one.path for one in files], since, until, *where.parameters])
            while rows := cursor.fetchmany(_AT_ONCE):
                yield from self._judged((dict(zip(names, row, strict=True)) for row in rows), where)
        except failure as error:
            which = ", ".join(str(one.file.path) for one in files[:3])
            raise CannotError(f"Kept events cannot be read from {which}: {str(error).splitlines()[0]}") from error

    # ---- logs

    def _in_logs(self, files: Iterable[OpenFile]) -> Iterator[ValueEvent]:
        for one in files:
            reader = LogReader(one.descriptor)
            yield from self._judged(_rows(reader, self._needed, self._wanted), EVERYTHING)
            if reader.problem and one.file.suffix != folder.OPEN and reader.problem.startswith("a frame"):
                self.problems.append(f"{one.file.path}: {reader.problem}; what is behind it is left out.")

    def _judged(self, rows: Iterable[Row], where: Where) -> Iterator[ValueEvent]:
        """Yield the events of rows that the condition holds for; where it is exact, all of them."""
        matches: Callable[[Any], bool] = self.rule.matches
        make, asked = self._events.make, self._asked
        for row in rows:
            moment = row.pop(TIME)
            try:
                if not where.exact:
                    self.looked_at += 1
                    event = make(_whole({name: row[name] for name in asked if name in row}))
                    event.time = moment
                    if not matches(event):
                        continue
                event = make(_whole(row))
            except WrongValueError:  # of a log that somebody else has written
                continue
            event.time = moment
            yield event


def _whole(row: Row) -> Row:
    """Return the values of an event with those that no column has."""
    if SOURCE in row and row[SOURCE] is None:
        row[SOURCE] = _OF_CALLS
    return row | _FIXED


def _tables(names: Iterable[str]) -> str:
    """Return what files are read as: one table that has the columns which the files of before do not have."""
    read = "read_parquet(?, union_by_name = true)"
    later = [f'NULL::{"VARCHAR[]" if name in LISTS else "VARCHAR"} AS "{name}"' for name in names if name in LATER]
    if not later:
        return read
    return f"(SELECT * FROM {read} UNION ALL BY NAME SELECT {', '.join(later)} WHERE false)"  # noqa: S608 - our own names


@functools.cache
def duckdb_in_memory() -> tuple[Any, type[Exception]]:
    """Return a database of DuckDB without a file, and what it raises.

    Raises:
        CannotError: when DuckDB is not installed.
    """
    try:
        duckdb: Any = importlib.import_module("duckdb")
    except ImportError as error:
        raise CannotError(f"Kept events are read by DuckDB, which is not installed: {install('events')}.") from error
    # Nothing is fetched from anywhere, and nothing written.
    config = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    made = duckdb.connect(":memory:", config=config | {"memory_limit": MEMORY, "temp_directory": ""})
    atexit.register(duckdb_in_memory.cache_clear)  # before the library looks for what was not given back, and says so
    return made, duckdb.Error


def _moment(event: ValueEvent) -> int:
    return event.time


def _fields_of(names: Iterable[str]) -> set[str]:
    """Return the columns that fields need.

    Raises:
        UsageError: for a field that is not kept.
    """
    found: set[str] = set()
    for name in names:
        if name in NAMES:
            found.add(name)
        elif name not in _FIXED and not name.startswith(("evt.time", "evt.datetime", "evt.rawtime")):
            kept = ", ".join(sorted({*NAMES, "evt.time"}))
            raise UsageError(f"{name[:80]} is not kept of events. Kept are: {kept}.")
    return found


def _rows(reader: LogReader, needed: set[str], wanted: Wanted) -> Iterator[Row]:
    """Yield the events of a log that are of the time, as rows of the columns that are needed."""
    own = [(place, name) for place, name in enumerate(reader.columns.event) if name in needed]
    around = [(place, name) for place, name in enumerate(reader.columns.process) if name in needed]
    processes: list[Row] = []
    for frame in reader.frames():
        processes += [{name: values[place] for place, name in around} for values in frame.processes]
        for event in frame.events:
            if not wanted.since <= event.time <= wanted.until or event.process >= len(processes):
                continue
            row: Row = {name: event.values[place] for place, name in own}
            row.update(processes[event.process])
            if event.rule:
                row[ALERT] = event.rule
            row[TIME] = event.time
            yield row
