"""A condition over kept events as SQL, as far as it can be: what it asks of columns, DuckDB looks up.

The SQL holds for every event that the condition holds for, and where it is exact, for no other. A column that is NULL
is a field that is absent: a check of it is false, and so is one of NULL where nothing negates it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.fields.field import NUMBERS, TEXT, FieldType
from hullwatch.rules.problem import ProblemError
from hullwatch.rules.syntax import And, Check, FieldUse, Not, Text, TextList, fold
from hullwatch.rules.values import parse_value
from hullwatch.store.kept.columns import LISTS, NAMES, SOURCE, TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.rules.syntax import Expression
    from hullwatch.rules.terms import Term

MOST_PARAMETERS = 2000
_LARGEST = 1 << 63


class Where(NamedTuple):
    """A condition of SQL.

    Attributes:
        sql: of it.
        parameters: in their order.
        exact: whether it holds for no event that the condition does not hold for.
    """

    sql: str
    parameters: tuple[object, ...]
    exact: bool


EVERYTHING = Where("true", (), exact=False)
NOTHING = Where("false", (), exact=True)


class Pushdown:
    """Makes SQL of conditions.

    Args:
        terms: the fields that are columns, by name.
    """

    def __init__(self, terms: dict[str, Term]) -> None:
        """Take the fields."""
        self._terms = {name: term for name, term in terms.items() if name in NAMES and name != TIME}

    def where(self, tree: Expression) -> Where:
        """Return what of a condition DuckDB can look up."""
        found = fold(tree, self._combine)
        return found if len(found.parameters) <= MOST_PARAMETERS else EVERYTHING

    def _combine(self, node: Expression, parts: tuple[Where, ...]) -> Where:
        if isinstance(node, Check):
            return self._check(node)
        if isinstance(node, Not):
            part = parts[0]
            return Where(f"NOT coalesce({part.sql}, false)", part.parameters, exact=True) if part.exact else EVERYTHING
        if isinstance(node, And):
            asked = [part for part in parts if part != EVERYTHING]
            return _joined(" AND ", asked, exact=len(asked) == len(parts)) if asked else EVERYTHING
        return EVERYTHING if EVERYTHING in parts else _joined(" OR ", parts, exact=True)

    def _check(self, check: Check) -> Where:
        left, right = check.left, check.right
        if check.modifier or not isinstance(left, FieldUse) or left.argument is not None:
            return EVERYTHING
        term = self._terms.get(left.name)
        if term is None or left.name in LISTS:
            return EVERYTHING
        column = f'"{left.name}"' if left.name != SOURCE else f"coalesce(\"{SOURCE}\", 'syscall')"
        if check.operator == "exists":
            return Where(f"{column} IS NOT NULL", (), exact=True)
        texts = _texts(right)
        make = _operator(check.operator, term)
        if texts is None or make is None:
            return EVERYTHING
        try:
            values = [parse_value(text, term.type, left.name) for text in texts]
        except ProblemError:
            return EVERYTHING
        if not all(isinstance(value, str) or (isinstance(value, int) and abs(value) < _LARGEST) for value in values):
            return EVERYTHING
        return make(column, values)


def _joined(word: str, parts: Sequence[Where], *, exact: bool) -> Where:
    return Where(
        f"({word.join(part.sql for part in parts)})",
        tuple(parameter for part in parts for parameter in part.parameters),
        exact=exact and all(part.exact for part in parts),
    )


def _texts(right: object) -> list[Text] | None:
    if isinstance(right, Text):
        return [right]
    return list(right.items) if isinstance(right, TextList) else None


def _among(column: str, values: Sequence[object]) -> Where:
    if not values:
        return NOTHING
    if len(values) == 1:
        return Where(f"{column} = ?", tuple(values), exact=True)
    return Where(f"{column} IN (?{', ?' * (len(values) - 1)})", tuple(values), exact=True)


def _compared(operator: str) -> Callable[[str, Sequence[object]], Where]:
    return lambda column, values: Where(f"{column} {operator} ?", (values[0],), exact=True)


def _called(function: str) -> Callable[[str, Sequence[object]], Where]:
    return lambda column, values: Where(f"{function}({column}, ?)", (values[0],), exact=True)


_EQUAL = {"=": _among, "in": _among, "!=": _compared("<>")}
_OF_NUMBERS = _EQUAL | {operator: _compared(operator) for operator in ("<", "<=", ">", ">=")}
_OF_TEXTS = _EQUAL | {
    "contains": _called("contains"),
    "startswith": _called("starts_with"),
    "endswith": _called("ends_with"),
}


def _operator(operator: str, term: Term) -> Callable[[str, Sequence[object]], Where] | None:
    if term.type in TEXT:
        return _OF_TEXTS.get(operator)
    if term.type in NUMBERS and term.type is not FieldType.DOUBLE:
        return _OF_NUMBERS.get(operator)
    if term.type in {FieldType.BOOL, FieldType.IPADDR}:
        return _EQUAL.get(operator)
    return None
