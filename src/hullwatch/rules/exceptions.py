"""Exceptions of rules: fields, comparisons and rows of values that a rule's condition leaves out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from hullwatch.rules.document import Mapping, Node, Scalar, Sequence
from hullwatch.rules.grammar import parse_left, parse_operator, parse_single, parse_values
from hullwatch.rules.problem import ProblemError
from hullwatch.rules.scalars import item_error, nonempty
from hullwatch.rules.syntax import And, Check, Not, Or, Place, SourceText, Text, TextList

if TYPE_CHECKING:
    from hullwatch.rules.syntax import Expression

Warn = Callable[..., None]
MAXIMUM_CHECKS = 100_000  # that a rule's exceptions write out, as of a condition
_LIST_OPERATORS = frozenset({"in", "intersects", "pmatch"})


class ExceptionDefinition(msgspec.Struct):
    """An exception: ``single`` when its fields are one text instead of a list."""

    name: Scalar
    fields: list[Scalar]
    comparisons: list[Scalar]  # empty for the default: "=" for each field, "in" for a single one
    values: list[Node]
    single: bool


def read_exceptions(node: Node | None, label: str, warn: Warn) -> list[ExceptionDefinition]:
    """Return the exceptions of a rule's definition.

    Raises:
        ProblemError: when they do not have the right form.
    """
    definitions: list[ExceptionDefinition] = []
    append_exceptions(definitions, node, label, warn, defining=True)
    return definitions


def append_exceptions(
    definitions: list[ExceptionDefinition], node: Node | None, label: str, warn: Warn, *, defining: bool = False
) -> None:
    """Add exceptions, or values to exceptions that are there.

    Raises:
        ProblemError: when they do not have the right form.
    """
    if node is None or (isinstance(node, Scalar) and not node.text):
        return
    if not isinstance(node, Sequence):
        raise item_error("'exceptions' is a list of maps with 'name', 'fields', 'comps' and 'values'.", node)
    for entry in node.items:
        if not isinstance(entry, Mapping):
            raise item_error("An exception is a map with 'name', 'fields', 'comps' and 'values'.", entry)
        name = nonempty(entry, "name")
        earlier = next((one for one in definitions if one.name.text == name.text), None)
        if earlier is not None and defining:
            sentence = f"Two exceptions are called {name.text!r}: both count."
            warn(sentence, name.location(), "LOAD_EXCEPTION_NAME_NOT_UNIQUE", label)
        if earlier is None or defining:
            definitions.append(_read(entry, name, with_values=not defining, label=label, warn=warn))
            continue
        for key in ("fields", "comps"):
            if entry.key(key) is not None:
                raise _invalid(f"The exception {name.text!r} is there already: only values can be added to it.", entry)
        values = _nodes(entry.get("values"))
        if not values:
            warn(f"The exception {name.text!r} adds no values.", name.location(), "LOAD_APPEND_NO_VALUES", label)
        earlier.values = earlier.values + values


def _read(entry: Mapping, name: Scalar, *, with_values: bool, label: str, warn: Warn) -> ExceptionDefinition:
    fields, comparisons = entry.get("fields"), entry.get("comps")
    if fields is None:
        raise item_error(f"The exception {name.text!r} needs 'fields'.", entry)
    single = isinstance(fields, Scalar)
    values = _nodes(entry.get("values"))
    if with_values and not values:
        warn(f"The exception {name.text!r} has no values.", name.location(), "LOAD_APPEND_NO_VALUES", label)
    if single and isinstance(comparisons, Sequence):
        raise _invalid("'fields' is one field, so 'comps' is one operator and no list.", comparisons)
    if not single and isinstance(comparisons, Scalar) and comparisons.text:
        raise _invalid("'fields' is a list, so 'comps' is a list of the same length.", comparisons)
    definition = ExceptionDefinition(name, _scalars(fields), _scalars(comparisons), values, single)
    if definition.comparisons and len(definition.comparisons) != len(definition.fields):
        counts = f"{len(definition.fields)} fields and {len(definition.comparisons)} comps"
        sentence = f"The exception {name.text!r} has {counts}."
        raise _invalid(sentence, entry)
    return definition


def exclude_exceptions(condition: Expression, definitions: list[ExceptionDefinition]) -> Expression:
    """Return ``condition and not (exception 1) and not (exception 2) ...``.

    Raises:
        ProblemError: when an exception's parts do not fit together.
    """
    cells = sum(len(one.values) * len(one.fields) for one in definitions if not one.single)
    if cells > MAXIMUM_CHECKS:  # refused before millions of nodes are made of them
        largest = max(definitions, key=lambda one: len(one.values))
        sentence = f"The exceptions compare {cells} values, {MAXIMUM_CHECKS} are the most: use a list and 'in'."
        raise _invalid(sentence, largest.name)
    excluded = [Not(_single(one) if one.single else _rows(one)) for one in definitions if one.values]
    return And((condition, *excluded)) if excluded else condition


def _single(definition: ExceptionDefinition) -> Expression:
    """Return ``field in (value, ...)``."""
    field = definition.fields[0]
    left = parse_left(SourceText(field))
    operator, modifier = parse_operator(SourceText(definition.comparisons[0])) if definition.comparisons else ("in", "")
    if operator not in _LIST_OPERATORS and not modifier:
        sentence = f"An exception with one field takes an operator for lists, such as in or pmatch, not {operator}."
        raise _invalid(sentence, definition.comparisons[0])
    values: list[Text] = []
    for value in definition.values:
        if not isinstance(value, Scalar):
            raise _invalid("An exception with one field has a plain list of values.", value)
        values += _items(value)
    right = TextList(tuple(values), values[0].place if values else left.place)
    return Check(left, operator, right, modifier, left.place)


def _rows(definition: ExceptionDefinition) -> Expression:
    """Return ``(a = 1 and b = 2) or (a = 3 and b = 4) ...``."""
    lefts = [parse_left(SourceText(field)) for field in definition.fields]
    operators = [parse_operator(SourceText(one)) for one in definition.comparisons] or [("=", "")] * len(lefts)
    rows: list[Expression] = []
    for row in definition.values:
        cells = row.items if isinstance(row, Sequence) else None
        if cells is None or len(cells) != len(lefts):
            found = "one value" if cells is None else f"{len(cells)} values"
            name = definition.name.text
            raise _invalid(f"The exception {name!r} has {len(lefts)} fields, and this row {found}.", row)
        checks: list[Expression] = []
        for left, (operator, modifier), cell in zip(lefts, operators, cells, strict=True):
            right = _right(operator, modifier, cell)
            checks.append(Check(left, operator, right, modifier, _place(cell)))
        rows.append(checks[0] if len(checks) == 1 else And(tuple(checks)))
    return rows[0] if len(rows) == 1 else Or(tuple(rows))


def _right(operator: str, modifier: str, cell: Node) -> Text | TextList:
    listed = operator in _LIST_OPERATORS or bool(modifier)
    if isinstance(cell, Sequence):
        if not listed:
            raise _invalid(f"A list needs a list operator in 'comps', such as 'in', and this is {operator!r}.", cell)
        values = [value for one in cell.items for value in (_items(one) if isinstance(one, Scalar) else ())]
        return TextList(tuple(values), _place(cell))
    if not isinstance(cell, Scalar):
        raise _invalid("A value of an exception is text or a list.", cell)
    if listed:
        return TextList(tuple(_items(cell)), _place(cell))
    value = parse_single(SourceText(cell)) if cell.text.startswith(('"', "'")) else None
    return value if isinstance(value, Text) else Text(cell.text, quoted=" " in cell.text, place=_place(cell))


def _items(value: Scalar) -> list[Text]:
    """Return a value of a list: itself, or the values in parentheses that it consists of."""
    text = value.text.strip()
    if text.startswith("(") and text.endswith(")"):
        return list(parse_values(SourceText(value)).items)
    if text.startswith(('"', "'")):
        parsed = parse_single(SourceText(value))
        if isinstance(parsed, Text):
            return [parsed]
    return [Text(value.text, quoted=" " in value.text, place=_place(value))]


def _place(node: Node) -> Place:
    scalar = node if isinstance(node, Scalar) else Scalar("", node.source, node.index)
    return Place(SourceText(scalar), 0)


def _scalars(node: Node | None) -> list[Scalar]:
    if node is None:
        return []
    if isinstance(node, Scalar):
        return [node] if node.text else []
    found = [one for one in _nodes(node) if isinstance(one, Scalar)]
    if isinstance(node, Mapping) or len(found) != len(_nodes(node)):
        raise item_error("'fields' and 'comps' are text or lists of text.", node)
    return found


def _nodes(node: Node | None) -> list[Node]:
    if node is None or (isinstance(node, Scalar) and not node.text):
        return []
    if not isinstance(node, Sequence):
        raise item_error("'values' is a list.", node)
    return list(node.items)


def _invalid(sentence: str, node: Node) -> ProblemError:
    return ProblemError(sentence, node.location(), "LOAD_ERR_VALIDATE")
