"""Events as rows of a Parquet file: a column for each field, with its type; row group by row group."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, BinaryIO

from hullwatch.errors import CannotError
from hullwatch.extras import install
from hullwatch.formats.parquet_column import column, column_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hullwatch.rules.terms import Term

ROWS = 1 << 16  # of a row group
TEXT = 32 << 20  # characters of a row group, about


def need_pyarrow() -> None:
    """Import what writes Parquet.

    Raises:
        CannotError: when it is not installed.
    """
    try:
        importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise CannotError(
            f"Parquet is written by pyarrow, which is not installed: {install('parquet')}, or export to a "
            "file that ends in .ndjson."
        ) from error


class ParquetRows:
    """Takes rows and writes them.

    Attributes:
        unfit: values that did not fit their column's type and are absent in the file.
    """

    def __init__(self, stream: BinaryIO, terms: Sequence[Term], about: Mapping[str, str]) -> None:
        """Begin the file.

        Args:
            stream: to write to.
            terms: the fields, in the order of the columns.
            about: what the file says of itself.

        Raises:
            CannotError: when pyarrow is not installed.
        """
        need_pyarrow()
        self._arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
        self._schema = self._arrow.schema(
            [(term.name, column_type(self._arrow, term)) for term in terms], metadata=dict(about)
        )
        self._writer = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[dict[str, object]] = []
        self._text = 0
        self.unfit = 0

    def add(self, row: dict[str, object]) -> None:
        """Take a row: values by the names of the fields."""
        self._rows.append(row)
        self._text += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(self._rows) >= ROWS or self._text >= TEXT:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = [self._column([row.get(field.name) for row in self._rows], field.type) for field in self._schema]
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))
        self._rows.clear()
        self._text = 0

    def _column(self, values: list[object], kind: Any) -> Any:
        """Return a column; a value that is none of its type is absent, and counted."""
        made, unfit = column(self._arrow, values, kind)
        self.unfit += unfit
        return made

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        self._flush()
        self._writer.close()
