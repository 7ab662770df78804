"""Logs into Parquet files: the logs of an hour and what was made of them before become one file, by one renaming."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import io
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from hullwatch.errors import CannotError
from hullwatch.extras import install
from hullwatch.formats.parquet_column import column, column_type
from hullwatch.store.kept import folder
from hullwatch.store.kept.columns import ALERT, NAMES, OF_EVENT, OF_PROCESS, TIME, terms
from hullwatch.store.kept.log import LogReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hullwatch.store.kept.folder import KeptFile
    from hullwatch.store.kept.log import Frame

ROWS = 1 << 14  # of a row group
AT_ONCE = 1 << 12  # events of a log that are objects of Python at the same time, which are large
SMALL = 16 << 20  # bytes of a Parquet file that is written again with what has come since
PEOPLES_TIME = "evt.time"
LOCK = "packing.lock"
_NEW = ".new"
_DELTA = "DELTA_BINARY_PACKED"
_MODULES = ("pyarrow.parquet", "pyarrow.compute")


class Packed(NamedTuple):
    """What was done: Parquet files that were made, the events in them, logs of which only a part could be read."""

    files: int
    events: int
    damaged: int


def preload() -> None:
    """Import what writes Parquet, also what the libraries import only when they are used.

    Raises:
        CannotError: when it is not installed.
    """
    try:
        for module in _MODULES:
            importlib.import_module(module)
    except ImportError as error:
        raise CannotError(f"Kept events are packed by pyarrow, which is not installed: {install('events')}.") from error
    arrow, parquet = (importlib.import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
    terms()  # of the fields, which are found by imports
    with io.BytesIO() as stream:
        table = arrow.concat_tables([arrow.table({"a": [2, 1]})]).sort_by([("a", "ascending")])
        parquet.write_table(table, stream)
        parquet.ParquetFile(io.BytesIO(stream.getvalue())).read_row_group(0)


def pack(root: Path) -> Packed:
    """Pack every log that is complete; does nothing while another process does it.

    Raises:
        CannotError: when pyarrow is not installed.
        OSError: when the disk does not take it; the logs are as they were.
    """
    preload()
    lock = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Packed(0, 0, 0)
        return _Packer().all(root)
    finally:
        os.close(lock)


class _Packer:
    """Packs hours."""

    def __init__(self) -> None:
        self._arrow: Any = importlib.import_module("pyarrow")
        self._parquet: Any = importlib.import_module("pyarrow.parquet")
        known = terms()
        arrow = self._arrow
        self.kinds: dict[str, Any] = {name: column_type(arrow, known[name]) for name in NAMES}
        self.kinds[TIME] = arrow.int64()
        time = (PEOPLES_TIME, arrow.timestamp("ns", tz="UTC"))
        self.schema: Any = arrow.schema([time, *self.kinds.items()])
        texts = [name for name, kind in self.kinds.items() if kind == arrow.string()]
        numbers = ("evt.num", TIME, PEOPLES_TIME)
        self._options = {
            "compression": "zstd", "use_dictionary": texts, "column_encoding": dict.fromkeys(numbers, _DELTA),
            "write_page_index": True,
        }  # fmt: skip

    def all(self, root: Path) -> Packed:
        made = events = damaged = 0
        for _, hour in folder.hours(root):
            for left in (*hour.glob(f"*{_NEW}"), *folder.replaced(hour)):
                left.unlink(missing_ok=True)
            sources = self._sources(folder.files(hour))
            if sources:
                number, broken = self._hour(hour, sources)
                made, events, damaged = made + 1, events + number, damaged + broken
        return Packed(made, events, damaged)

    def _sources(self, found: Sequence[KeptFile]) -> list[KeptFile]:
        """Return what becomes one file: logs, from the first on that is complete, and the small files before them."""
        logs = [one for one in found if one.suffix == folder.CLOSED]
        writing = [one.first for one in found if one.suffix == folder.OPEN]
        logs = [one for one in logs if not writing or one.first < min(writing)]
        if not logs:
            return []
        before = [one for one in found if one.suffix == folder.PACKED and one.last < logs[0].first]
        small: list[KeptFile] = []
        while before and before[-1].size + sum(one.size for one in small) <= SMALL:
            small.insert(0, before.pop())
        return [*small, *logs]

    def _hour(self, hour: Path, sources: list[KeptFile]) -> tuple[int, int]:
        """Write the file of some sources and let it take their place; return its events, and how many were damaged."""
        target = hour / f"{sources[0].first}-{sources[-1].last}"
        temporary = target.with_name(target.name + _NEW)
        events = damaged = 0
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                writer = self._parquet.ParquetWriter(stream, self.schema, **self._options)
                with contextlib.closing(writer):
                    rows = _Rows(self._arrow, writer)
                    for one in sources:
                        damaged += self._add(rows, one)
                    events = rows.finish()
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if events:
            temporary.rename(hour / f"{target.name}.{events}{folder.PACKED}")
            _sync(hour)
        else:
            temporary.unlink()
        for one in sources:
            if one.path.name != f"{target.name}.{events}{folder.PACKED}":
                one.path.unlink(missing_ok=True)
        return events, damaged

    def _add(self, rows: _Rows, one: KeptFile) -> bool:
        """Add the events of a source; return whether some of it could not be read."""
        if one.suffix == folder.PACKED:
            with one.path.open("rb") as stream:
                file = self._parquet.ParquetFile(stream)
                for group in range(file.num_row_groups):
                    rows.add(file.read_row_group(group).select(self.schema.names).cast(self.schema))
            return False
        descriptor = os.open(one.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            reader = LogReader(descriptor)
            for table in self._tables(reader):
                rows.add(table)
        finally:
            os.close(descriptor)
        return bool(reader.problem)

    def _tables(self, reader: LogReader) -> Iterator[Any]:
        """Yield the events of a log as tables."""
        processes: list[Any] = []
        frames: list[Frame] = []
        for frame in reader.frames():
            frames.append(frame)
            if sum(len(one.events) for one in frames) >= AT_ONCE:
                yield self._table(reader, processes, frames)
                frames.clear()
        if frames:
            yield self._table(reader, processes, frames)

    def _table(self, reader: LogReader, processes: list[Any], frames: list[Frame]) -> Any:
        """Return the events of some frames; ``processes`` has those of the log until now, and takes the new ones."""
        arrow = self._arrow
        events = [event for frame in frames for event in frame.events]
        fresh = [process for frame in frames for process in frame.processes]
        if fresh:
            around = dict(zip(reader.columns.process, zip(*fresh, strict=True), strict=True))
            columns_of = [self._column(around.get(name), name, len(fresh)) for name in OF_PROCESS]
            processes[:] = [arrow.concat_tables([*processes, arrow.table(columns_of, names=OF_PROCESS)])]
        times = arrow.array([event.time for event in events], arrow.int64())
        columns: dict[str, Any] = {
            TIME: times,
            PEOPLES_TIME: times.cast(self.schema.field(PEOPLES_TIME).type),
            ALERT: arrow.array([event.rule or None for event in events], arrow.string()),
        }
        own = dict(zip(reader.columns.event, zip(*(event.values for event in events), strict=True), strict=True))
        for name in OF_EVENT:
            columns[name] = self._column(own.get(name), name, len(events))
        used = arrow.array([event.process for event in events], arrow.int32())
        done_by = processes[0].combine_chunks().take(used)
        columns |= {name: done_by.column(name) for name in OF_PROCESS}
        return arrow.table([columns[name] for name in self.schema.names], schema=self.schema)

    def _column(self, values: Sequence[object] | None, name: str, number: int) -> Any:
        if values is None:  # a log of a version that did not have it
            return self._arrow.nulls(number, self.kinds[name])
        return column(self._arrow, values, self.kinds[name])[0]


class _Rows:
    """Takes tables, and writes row groups whose events are in the order of their time."""

    def __init__(self, arrow: Any, writer: Any) -> None:
        self._arrow = arrow
        self._compute: Any = importlib.import_module("pyarrow.compute")
        self._writer = writer
        self._tables: list[Any] = []
        self._waiting = 0
        self._written = 0

    def add(self, table: Any) -> None:
        self._tables.append(table)
        self._waiting += table.num_rows
        if self._waiting >= 2 * ROWS:
            self._write(self._waiting - ROWS)

    def _write(self, number: int) -> None:
        """Write so many of the events that wait, the earliest; those that come a little late are among the rest."""
        table = self._arrow.concat_tables(self._tables)
        times = table.column(TIME)
        if not self._compute.all(self._compute.less_equal(times.slice(0, len(times) - 1), times.slice(1))).as_py():
            table = table.sort_by([(TIME, "ascending")])
        self._writer.write_table(table.slice(0, number), row_group_size=ROWS)
        self._tables = [table.slice(number)]
        self._waiting -= number
        self._written += number

    def finish(self) -> int:
        """Write what is left; return how many events were written."""
        if self._waiting:
            self._write(self._waiting)
        return self._written


def _sync(place: Path) -> None:
    """Have a renaming on the disk, for a power cut."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
