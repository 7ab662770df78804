"""A condition over alerts as SQL, as far as it can be: what it asks of columns, the database looks up.

The SQL holds for every alert that the condition holds for, and where it is exact, for no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.rules.condition import condition_rules
from hullwatch.rules.syntax import And, Check, FieldUse, Not, Text, TextList, fold
from hullwatch.rules.value_events import from_values
from hullwatch.store.placing import PRIORITY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.rules.syntax import Expression

# Fields that every alert has in columns of its placement; their texts are the same as those that are judged.
COLUMNS = {
    "alert.rule": "rule",
    "alert.hostname": "hostname",
    "alert.workload": "workload",
    "alert.user": "person",
    "container.id": "container_id",
    "container.name": "container_name",
    "container.image": "container_image",
    "evt.source": "source",
    "k8s.ns.name": "namespace",
    "k8s.pod.name": "pod",
    "proc.name": "process",
}
PRIORITY_FIELD = "alert.priority"
MOST_PARAMETERS = 500


class Where(NamedTuple):
    """A condition of SQL over the table ``placements``.

    Attributes:
        sql: of it.
        parameters: in their order.
        exact: whether it holds for no alert that the condition does not hold for.
    """

    sql: str
    parameters: tuple[object, ...]
    exact: bool


EVERYTHING = Where("1 = 1", (), exact=False)
NOTHING = Where("1 = 0", (), exact=True)


def pushed_down(condition: str) -> Where:
    """Return what of a condition the database can look up.

    Raises:
        UsageError: when the condition is wrong, with the place.
    """
    tree = condition_rules(condition, lookup=from_values).rules[0].conditions[-1].tree
    where = fold(tree, _combine)
    return where if len(where.parameters) <= MOST_PARAMETERS else EVERYTHING


def _combine(node: Expression, parts: tuple[Where, ...]) -> Where:
    if isinstance(node, Check):
        return _check(node)
    if isinstance(node, Not):
        part = parts[0]
        return Where(f"NOT ({part.sql})", part.parameters, exact=True) if part.exact else EVERYTHING
    if isinstance(node, And):
        asked = [part for part in parts if part != EVERYTHING]
        return _joined(" AND ", asked, exact=len(asked) == len(parts)) if asked else EVERYTHING
    return EVERYTHING if EVERYTHING in parts else _joined(" OR ", parts, exact=True)


def _joined(word: str, parts: Sequence[Where], *, exact: bool) -> Where:
    return Where(
        f"({word.join(part.sql for part in parts)})",
        tuple(parameter for part in parts for parameter in part.parameters),
        exact=exact and all(part.exact for part in parts),
    )


def _check(check: Check) -> Where:
    left, right = check.left, check.right
    if check.modifier or not isinstance(left, FieldUse) or left.argument is not None:
        return EVERYTHING
    texts = _texts(right)
    # A text of nothing holds for what is there and empty, which a column cannot tell from what is not there.
    if texts is None or "" in texts:
        return EVERYTHING
    if left.name == PRIORITY_FIELD:
        return _priority(check.operator, texts)
    column, make = COLUMNS.get(left.name), _OPERATORS.get(check.operator)
    if column is None or make is None:
        return EVERYTHING
    return make(column, texts)


def _texts(right: object) -> list[str] | None:
    if isinstance(right, Text):
        return [right.text]
    return [item.text for item in right.items] if isinstance(right, TextList) else None


def _priority(operator: str, texts: Sequence[str]) -> Where:
    if operator not in {"=", "in"}:
        return EVERYTHING
    return _among("priority", [PRIORITY[text] for text in texts if text in PRIORITY])


def _among(column: str, values: Sequence[object]) -> Where:
    if not values:
        return NOTHING
    return Where(f"{column} IN (?{', ?' * (len(values) - 1)})", tuple(values), exact=True)


def _other_than(column: str, texts: Sequence[str]) -> Where:
    return Where(f"{column} <> ?", (texts[0],), exact=False)  # it does not hold for what is not there


def _contains(column: str, texts: Sequence[str]) -> Where:
    return Where(f"instr({column}, ?) > 0", (texts[0],), exact=True)


def _begins(column: str, texts: Sequence[str]) -> Where:
    return Where(f"substr({column}, 1, ?) = ?", (len(texts[0]), texts[0]), exact=True)


def _ends(column: str, texts: Sequence[str]) -> Where:
    size = len(texts[0])
    sql = f"(length({column}) >= ? AND substr({column}, length({column}) - ? + 1) = ?)"
    return Where(sql, (size, size, texts[0]), exact=True)


_OPERATORS: dict[str, Callable[[str, Sequence[str]], Where]] = {
    "=": _among,
    "in": _among,
    "!=": _other_than,
    "contains": _contains,
    "startswith": _begins,
    "endswith": _ends,
}
