"""Generated rules files for the oracle: conditions as text, with lists, macros and exceptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from hullwatch.rules.syntax import And, Check, FieldUse, MacroUse, Not, Or, Text, TextList
from tests.rules.near_values import near_conditions, near_value
from tests.rules.strategies import (
    LISTS,
    MACROS,
    PLACE,
    TRANSFORMABLE,
    FieldChoice,
    choice_of,
    conditions,
    draw_text,
    draw_texts,
    paths,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.rules.syntax import Argument, Expression
    from tests.rules.near_values import Near

Draw = Any
Entry = dict[str, Any]
ALWAYS = Check(FieldUse("evt.num", None, PLACE), "exists", None, "", PLACE)
_WRITTEN_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def write_text(text: Text, quote: str = '"') -> str:
    """Write a value, in quotes where it has them."""
    if not text.quoted:
        return text.text
    return quote + "".join(f"\\{one}" if one == quote else _WRITTEN_ESCAPES.get(one, one) for one in text.text) + quote


def write_left(left: Argument) -> str:
    """Write a field, a transformer or one of its arguments."""
    if isinstance(left, Text):
        return write_text(left, "'")
    if isinstance(left, TextList):
        return f"({', '.join(map(write_text, left.items))})"
    if isinstance(left, FieldUse):
        quote = '"' if left.argument is not None and " " in left.argument else ""
        return left.name if left.argument is None else f"{left.name}[{quote}{left.argument}{quote}]"
    index = "" if left.index is None else f"[{left.index}]"
    return f"{left.name}({', '.join(map(write_left, left.arguments))}){index}"


def write_right(check: Check) -> str:
    right = check.right
    if isinstance(right, FieldUse):
        return f"val({write_left(right)})"
    return "" if right is None else write_left(right) if not isinstance(right, Text) else write_text(right)


def write(node: Expression, around: int = 0) -> str:
    """Write a condition with as few parentheses as there may be; ``around`` is how tightly its place binds."""
    if isinstance(node, Check):
        return " ".join(filter(None, (write_left(node.left), node.operator, node.modifier, write_right(node))))
    if isinstance(node, MacroUse):
        return node.name
    if isinstance(node, Not):
        return f"not {write(node.part, 3)}"
    own, word = (2, " and ") if isinstance(node, And) else (1, " or ")
    text = word.join(write(part, own + 1) for part in node.parts)
    return f"({text})" if around > own else text


class Written(NamedTuple):
    """A rules file, and what the oracle needs to judge its rule."""

    file: str
    condition: Expression
    lists: dict[str, tuple[Text, ...]]
    macros: dict[str, Expression]


@st.composite
def rules(draw: Draw, near: Near | None = None) -> Written:
    """A rules file of lists, macros and one rule with exceptions, most of which later items change.

    Args:
        near: what values and conditions are to be near to.
    """
    entries: list[Entry] = []
    changes: list[Entry] = []
    field, present = draw(st.sampled_from(near.text_fields)) if near is not None and near.text_fields else (None, ())
    lists = _lists(draw, present, entries, changes)
    listed = tuple(_of_list(field, name) for name in LISTS) if field is not None else ()
    macros: dict[str, Expression] = {}
    for number, name in enumerate(MACROS[: draw(st.integers(0, 3))]):
        macros[name] = _define(draw, "macro", name, _conditions(near, MACROS[:number], listed), entries, changes)
    tried = draw(st.sampled_from(("lists", "exceptions", "all"))) if near is not None else "all"
    least, most = {"lists": (0, 0), "exceptions": (1, 2), "all": (0, 2)}[tried]
    exceptions = [_exception(draw, number, near) for number in range(draw(st.integers(least, most)))]
    trees = _conditions(near, tuple(macros), listed)
    if tried == "lists" and listed:
        trees = st.sampled_from(listed)
    elif tried == "exceptions":
        trees = st.just(ALWAYS)  # so that the exceptions decide
    condition = _define(draw, "rule", "tested", trees, entries, changes)
    if exceptions:
        entries[-1]["exceptions"] = [_split_values(draw, one[0], changes) for one in exceptions]
        condition = And((condition, *(Not(one[1]) for one in exceptions)))
    changes = draw(st.permutations(changes)) if len({_target(one) for one in changes}) == len(changes) else changes
    return Written(json.dumps([*entries, *changes], indent=1, ensure_ascii=False), condition, lists, macros)


def _target(change: Entry) -> tuple[str, ...]:
    """Return what a change is of: changes of the same thing keep their order."""
    return tuple(str(value) for key, value in change.items() if key in {"list", "macro", "rule"})


def _of_list(field: FieldChoice, name: str) -> Expression:
    """Return the check that a field is in a list."""
    return Check(field.use, "in", TextList((Text(name, quoted=False, place=PLACE),), PLACE), "", PLACE)


def _conditions(
    near: Near | None, macros: tuple[str, ...], listed: tuple[Expression, ...]
) -> st.SearchStrategy[Expression]:
    if near is None:
        return conditions(macros)
    return st.one_of([near_conditions(near, LISTS, macros, listed), st.just(ALWAYS), *map(st.just, listed)])


def _lists(
    draw: Draw, present: tuple[Any, ...], entries: list[Entry], changes: list[Entry]
) -> dict[str, tuple[Text, ...]]:
    """Define the lists, with some of the values that are there; return what they have in the end."""
    there = [value.decode("utf-8", "replace") for value in present]
    values = words | st.sampled_from(there) if there else words
    lists: dict[str, tuple[Text, ...]] = {}
    for number, name in enumerate(LISTS):
        inner = tuple(Text(other, quoted=False, place=PLACE) for other in LISTS[:number] if draw(st.booleans()))
        items = draw_texts(draw, values, named=False).items + inner
        more = draw_texts(draw, values, named=False).items
        written = [write_text(item) for item in more]
        lists[name] = items
        entries.append({"list": name, "items": [write_text(item) for item in items]})
        how = draw(st.sampled_from(("", "append", "append", "append: true", "replace", "again")))
        if how == "again":
            changes.append({"list": name, "items": written})
        elif how == "append: true":
            changes.append({"list": name, "items": written, "append": True})
        elif how:
            changes.append({"list": name, "items": written, "override": {"items": how}})
        if how:
            lists[name] = items + more if how.startswith("append") else more
    return lists


def _define(
    draw: Draw,
    kind: str,
    name: str,
    trees: st.SearchStrategy[Expression],
    entries: list[Entry],
    changes: list[Entry],
) -> Expression:
    """Define a macro or rule; return the condition that it has in the end."""
    tree = draw(trees)
    entry: Entry = {kind: name, "condition": write(tree)}
    if kind == "rule":
        entry |= {"desc": "d", "output": "x", "priority": "NOTICE", "warn_evttypes": False}
    entries.append(entry)
    how = draw(st.sampled_from(("", "", "", "and", "or", "replace")))
    if not how:
        return tree
    other = draw(trees)
    if how == "replace":
        changes.append({kind: name, "condition": write(other), "override": {"condition": "replace"}})
        return other
    changes.append({kind: name, "condition": f"{how} {write(other, 3)}", "override": {"condition": "append"}})
    if how == "or":
        return Or((tree, other))
    if isinstance(tree, Or):  # what is appended belongs to what stands before it
        return Or((*tree.parts[:-1], And((tree.parts[-1], other))))
    return And((tree, other))


def _split_values(draw: Draw, written: dict[str, Any], changes: list[Entry]) -> dict[str, Any]:
    """Return an exception, with some of its values in a later item that appends them."""
    values = written["values"]
    kept = draw(st.integers(0, len(values))) if draw(st.booleans()) else len(values)
    if kept == len(values):
        return written
    exceptions = [{"name": written["name"], "values": values[kept:]}]
    changes.append({"rule": "tested", "exceptions": exceptions, "override": {"exceptions": "append"}})
    return written | {"values": values[:kept]}


def _exception(draw: Draw, number: int, near: Near | None) -> tuple[dict[str, Any], Expression]:
    """Return an exception as it is written, and the condition that it stands for."""
    fields = _exception_fields(draw, near)

    def one(index: int, operator: str) -> Text:
        choice, present = fields[index]
        if near is None:
            return draw_text(draw, paths if operator == "pmatch" else words)
        if present and operator in {"=", "in"} and draw(st.booleans()):
            return Text(draw(st.sampled_from(present)).decode("utf-8", "replace"), quoted=True, place=PLACE)
        return near_value(draw, choice, present, operator)

    def some(index: int, operator: str) -> TextList:
        items = [one(index, operator) for _ in range(draw(st.sampled_from((0, 1, 2, 2, 3))))]
        if draw(st.integers(0, 3)) == 0:
            items.append(Text(draw(st.sampled_from(LISTS)), quoted=False, place=PLACE))
        return TextList(tuple(items), PLACE)

    cell: Callable[[Text | TextList], Any] = lambda value: (  # noqa: E731 - a table in short
        write_text(value) if isinstance(value, Text) else [write_text(item) for item in value.items]
    )

    def cell_of_row(value: Text | TextList) -> Any:
        """Write a list also as text: in parentheses, or a single value of it alone."""
        if isinstance(value, TextList) and value.items and draw(st.booleans()):
            return write_text(value.items[0]) if len(value.items) == 1 else write_left(value)
        return cell(value)

    written: dict[str, Any] = {"name": f"exception {number}"}
    if len(fields) == 1 and draw(st.booleans()):
        operator = draw(st.sampled_from(("in", "pmatch", "intersects")))
        values = some(0, operator)
        values = values if values.items else TextList((one(0, operator),), PLACE)
        written |= {"fields": write_left(fields[0][0].use), "comps": operator, "values": cell(values)}
        return written, Check(fields[0][0].use, operator, values, "", PLACE)
    compared = st.sampled_from(("=", "!=", "startswith", "contains", "in", "in", "in", "in", "pmatch"))
    comps = [draw(compared) for _ in fields]
    rows: list[list[Text | TextList]] = [
        [some(index, op) if op in {"in", "pmatch"} else one(index, op) for index, op in enumerate(comps)]
        for _ in range(draw(st.integers(1, 2)))
    ]
    written |= {"fields": [write_left(choice.use) for choice, _ in fields], "comps": comps}
    written["values"] = [[cell_of_row(value) for value in row] for row in rows]
    meant = [
        And(tuple(Check(f.use, op, value, "", PLACE) for (f, _), op, value in zip(fields, comps, row, strict=True)))
        for row in rows
    ]
    return written, Or(tuple(meant))


def _exception_fields(draw: Draw, near: Near | None) -> list[tuple[FieldChoice, tuple[Any, ...]]]:
    """Return one or two fields of text with the values that they have."""
    known = near.text_fields if near is not None else []
    count = draw(st.integers(1, 2))
    if known and draw(st.integers(0, 4)) > 0:
        return [draw(st.sampled_from(known)) for _ in range(count)]
    choices: list[FieldChoice] = [draw(st.sampled_from(TRANSFORMABLE)) for _ in range(count)]
    fields = [one for one in choices if one.use.name not in {"evt.type", "syscall.type"}]
    return [(one, ()) for one in fields or [choice_of("proc.name", None)]]
