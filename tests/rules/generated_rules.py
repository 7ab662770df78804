"""Generated rules files for the oracle: conditions as text, with lists, macros and exceptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from hullwatch.rules.syntax import And, Check, FieldUse, MacroUse, Not, Or, Text, TextList
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

Draw = Any
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
def rules(draw: Draw) -> Written:
    """A rules file of lists, macros and one rule with exceptions."""
    lists: dict[str, tuple[Text, ...]] = {}
    for number, name in enumerate(LISTS):
        inner = tuple(Text(other, quoted=False, place=PLACE) for other in LISTS[:number] if draw(st.booleans()))
        lists[name] = draw_texts(draw, words, named=False).items + inner
    macros: dict[str, Expression] = {}
    for number, name in enumerate(MACROS[: draw(st.integers(0, 3))]):
        macros[name] = draw(conditions(MACROS[:number]))
    condition = draw(conditions(tuple(macros)))
    entries: list[dict[str, Any]] = [
        {"list": name, "items": [write_text(item) for item in items]} for name, items in lists.items()
    ]
    entries += [{"macro": name, "condition": write(tree)} for name, tree in macros.items()]
    rule: dict[str, Any] = {"rule": "tested", "desc": "d", "condition": write(condition), "output": "x"}
    rule |= {"priority": "NOTICE", "warn_evttypes": False}
    exceptions = [_exception(draw, number) for number in range(draw(st.integers(0, 2)))]
    if exceptions:
        rule["exceptions"] = [one[0] for one in exceptions]
        condition = And((condition, *(Not(one[1]) for one in exceptions)))
    return Written(json.dumps([*entries, rule], indent=1, ensure_ascii=False), condition, lists, macros)


def _exception(draw: Draw, number: int) -> tuple[dict[str, Any], Expression]:
    """Return an exception as it is written, and the condition that it stands for."""
    choices: list[FieldChoice] = [draw(st.sampled_from(TRANSFORMABLE)) for _ in range(draw(st.integers(1, 2)))]
    fields = [one for one in choices if one.use.name not in {"evt.type", "syscall.type"}] or [
        choice_of("proc.name", None)
    ]
    cell: Callable[[Text | TextList], Any] = lambda one: (  # noqa: E731 - a table in short
        write_text(one) if isinstance(one, Text) else [write_text(item) for item in one.items]
    )
    written: dict[str, Any] = {"name": f"exception {number}"}
    if len(fields) == 1 and draw(st.booleans()):
        operator = draw(st.sampled_from(("in", "pmatch", "intersects")))
        values = draw_texts(draw, paths if operator == "pmatch" else words, named=True)
        values = values if values.items else TextList((draw_text(draw, words),), PLACE)
        written |= {"fields": write_left(fields[0].use), "comps": operator, "values": cell(values)}
        return written, Check(fields[0].use, operator, values, "", PLACE)
    comps = [draw(st.sampled_from(("=", "!=", "startswith", "contains", "in", "pmatch"))) for _ in fields]
    rows: list[list[Text | TextList]] = [
        [draw_texts(draw, paths, named=True) if op in {"in", "pmatch"} else draw_text(draw, words) for op in comps]
        for _ in range(draw(st.integers(1, 2)))
    ]
    written |= {"fields": [write_left(one.use) for one in fields], "comps": comps}
    written["values"] = [[cell(one) for one in row] for row in rows]
    meant = [
        And(tuple(Check(f.use, op, one, "", PLACE) for f, op, one in zip(fields, comps, row, strict=True)))
        for row in rows
    ]
    return written, Or(tuple(meant))
