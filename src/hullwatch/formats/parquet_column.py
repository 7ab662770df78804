"""A field as a column of Parquet: its type, and values that have none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hullwatch.fields.field import FieldType, Multiplicity
from hullwatch.rules.output import is_hexadecimal, is_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.rules.terms import Term

_TYPES = {
    FieldType.BOOL: "bool_", FieldType.INT16: "int16", FieldType.INT32: "int32", FieldType.INT64: "int64",
    FieldType.UINT32: "uint32", FieldType.UINT64: "uint64", FieldType.PORT: "uint16", FieldType.DOUBLE: "float64",
    FieldType.RELTIME: "int64",
}  # fmt: skip
"""Of fields with one value, by the names of pyarrow's functions; all others are text."""


def column_type(arrow: Any, term: Term) -> Any:
    """Return the type of a field's column.

    Args:
        arrow: the module ``pyarrow``.
        term: the field.
    """
    if is_time(term):
        return arrow.timestamp("ns", tz="UTC")
    if term.multiplicity is Multiplicity.LIST:
        return arrow.list_(arrow.string())
    if term.multiplicity is not Multiplicity.ONE or is_hexadecimal(term):
        return arrow.string()
    if term.type is FieldType.ABSTIME:
        return arrow.timestamp("ns", tz="UTC")
    return getattr(arrow, _TYPES.get(term.type, "string"))()


def column(arrow: Any, values: Sequence[object], kind: Any) -> tuple[Any, int]:
    """Return a column, and how many values are absent in it because they are none of its type."""
    try:
        return arrow.array(values, kind), 0
    except (arrow.ArrowException, OverflowError, TypeError, ValueError):
        fitting = [_fitting(arrow, value, kind) for value in values]
    unfit = sum(one is None and value is not None for one, value in zip(fitting, values, strict=True))
    return arrow.array(fitting, kind), unfit


def _fitting(arrow: Any, value: object, kind: Any) -> object:
    try:
        arrow.scalar(value, kind)
    except (arrow.ArrowException, OverflowError, TypeError, ValueError):
        return None
    return value
