"""Checks against values that an event has, or nearly has: most generated values would match nothing."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from hullwatch.fields.field import NUMBERS, TEXT, FieldType, Multiplicity
from hullwatch.rules.syntax import And, Check, MacroUse, Not, Or, Text, TextList
from tests.rules.oracle import field_value
from tests.rules.strategies import (
    ANSWERED,
    COMMON,
    EVENT_NAMES,
    ORDER,
    PLACE,
    TYPED,
    FieldChoice,
    checks,
    operators_of,
    values_of,
)

if TYPE_CHECKING:
    from hullwatch.events.event import Event
    from hullwatch.rules.syntax import Expression

Draw = Any
PATTERN_MARKS = "*?[]\\"
_TYPE_FIELDS = frozenset({"evt.type", "syscall.type"})


class Near:
    """What an event has and has not.

    Attributes:
        values: of the fields that it has, each as a tuple.
        common: those that rules name most.
        ends: those that stand for both ends of a connection.
        absent: the other fields.
        letters: text with letters beyond ASCII, which no operator folds.
    """

    def __init__(self, event: Event) -> None:
        self.event = event
        self.values: list[tuple[FieldChoice, tuple[Any, ...]]] = []
        self.absent: list[FieldChoice] = []
        for one in ANSWERED:
            found = field_value(one.use, event)
            if found in {None, ()}:
                self.absent.append(one)
            else:
                self.values.append((one, found if isinstance(found, tuple) else (found,)))  # pyright: ignore[reportUnknownArgumentType] - Any
        common = {one.use.name for one in COMMON}
        self.common = [pair for pair in self.values if pair[0].use.name in common]
        self.ends = [pair for pair in self.values if pair[0].entry.multiplicity is Multiplicity.ENDS]
        texts = [pair for pair in self.values if pair[0].type in TEXT and pair[0].entry.transformable]
        self.text_fields = [pair for pair in texts if pair[0].use.name not in _TYPE_FIELDS]
        self.letters = [pair for pair in self.text_fields if any(_has_letters(value) for value in pair[1])]


def _has_letters(value: bytes) -> bool:
    text = value.decode("utf-8", "replace")
    return text.swapcase().encode() != value.swapcase()


def _near_text(draw: Draw, value: bytes, operator: str) -> str:
    """Return the value, a part of it, or it in another case, as a pattern where one is wanted."""
    text = value.decode("utf-8", "replace")
    if operator == "icontains" and draw(st.booleans()):
        return text.swapcase()
    if operator == "pmatch" and draw(st.booleans()):
        text = text[: draw(st.integers(1, len(text)))] if text else text
        return "".join(one for one in text if one not in PATTERN_MARKS)
    start = draw(st.integers(0, 2) | st.integers(0, len(text)))
    end = draw(st.just(len(text)) | st.integers(0, len(text)))
    part = draw(st.sampled_from((text, text[start:end], text[:end], text[start:], text.swapcase(), f"{text}x")))
    if operator in {"glob", "iglob"}:
        quoted = "".join(f"\\{one}" if one in PATTERN_MARKS else one for one in part)
        return draw(st.sampled_from((quoted, f"*{quoted}", f"{quoted}*", f"*{quoted}*", f"?{quoted[1:]}")))
    if operator == "pmatch":
        return "".join(one for one in part if one not in PATTERN_MARKS)
    if operator == "regex":
        plain = "".join(one if one.isalnum() or one in "/ " else "." for one in part)
        return draw(st.sampled_from((plain, f"{plain}.*", f".*{plain}", f"({plain}|x)")))
    return part


def _near(draw: Draw, value: Any, choice: FieldChoice, operator: str) -> str:
    kind = choice.type
    if kind in TEXT and choice.use.name not in _TYPE_FIELDS:
        return _near_text(draw, value, operator)
    if kind is FieldType.IPADDR:
        return value.decode()
    if kind is FieldType.IPNET:
        address = ipaddress.ip_address(value)
        length = draw(st.just(address.max_prefixlen) | st.integers(1, address.max_prefixlen))
        return f"{address}/{length}"
    if kind in NUMBERS:
        return str(value + draw(st.sampled_from((-1, 0, 0, 1))))
    if kind is FieldType.BOOL:
        return "true" if value else "false"
    if kind is FieldType.BYTEBUF:
        return value[: draw(st.integers(1, 4))].hex() if operator in {"bcontains", "bstartswith"} else "cat"
    return value.decode()


def near_value(draw: Draw, choice: FieldChoice, present: tuple[Any, ...], operator: str) -> Text:
    """Return a value that the field nearly has, three times out of four; any other where it has none."""
    if present and draw(st.integers(0, 3)) > 0:
        text = _near(draw, draw(st.sampled_from(present)), choice, operator)
    else:
        text = draw(values_of(choice.type, operator, choice.use.name))
    return Text(text, quoted=operator not in ORDER, place=PLACE)


def draw_field(draw: Draw, near: Near) -> tuple[FieldChoice, tuple[Any, ...]]:
    """Return a field with its values: any, a common one, one of both ends, or one that the event has not."""
    absent = [(one, ()) for one in near.absent]
    kinds = [near.values, near.common, near.ends, near.ends, near.letters, absent]
    return draw(st.sampled_from(draw(st.sampled_from([one for one in kinds if one]))))


@st.composite
def near_checks(draw: Draw, near: Near, lists: tuple[str, ...] = ()) -> Check:
    """A check of a field, mostly against what the event has there; ``in`` may name one of the lists."""
    choice, present = draw_field(draw, near)
    operators = [one for one in operators_of(choice.type) if one != "exists"]
    if choice.entry.multiplicity is Multiplicity.ENDS:
        operators += ["!="] * 4  # asks both ends
    if choice.type in TEXT and choice.use.name not in _TYPE_FIELDS:
        operators += ["icontains"] * 2 + ["pmatch"] * 2
    operator = draw(st.sampled_from(operators))

    def some() -> TextList:
        items = [near_value(draw, choice, present, operator) for _ in range(draw(st.integers(1, 3)))]
        if lists and choice.type in TEXT and choice.use.name not in _TYPE_FIELDS and draw(st.booleans()):
            items.append(Text(draw(st.sampled_from(lists)), quoted=False, place=PLACE))
        return TextList(tuple(items), PLACE)

    if operator in {"in", "intersects", "pmatch"}:
        return Check(choice.use, operator, some(), "", PLACE)
    if operator not in ORDER and not choice.several and draw(st.booleans()):
        modifier = draw(st.sampled_from(("oneof", "anyof", "allof")))
        items = tuple(near_value(draw, choice, present, operator) for _ in range(draw(st.integers(1, 3))))
        return Check(choice.use, operator, TextList(items, PLACE), modifier, PLACE)
    return Check(choice.use, operator, near_value(draw, choice, present, operator), "", PLACE)


@st.composite
def near_type_checks(draw: Draw, near: Near) -> Check:
    """A check of the event's type, often against several types with its own among them."""
    if draw(st.integers(0, 4)) == 0:
        return draw(checks(TYPED, named=False))
    own = near.event.type.name
    names = st.sampled_from((own, own, *EVENT_NAMES))
    operator = draw(st.sampled_from(("=", "!=", "in", "intersects")))
    use = TYPED[0].use
    if operator in {"=", "!="}:
        return Check(use, operator, Text(draw(names), quoted=False, place=PLACE), "", PLACE)
    items = tuple(Text(draw(names), quoted=False, place=PLACE) for _ in range(draw(st.integers(1, 4))))
    return Check(use, operator, TextList(items, PLACE), "", PLACE)


def near_conditions(
    near: Near, lists: tuple[str, ...] = (), macros: tuple[str, ...] = (), others: tuple[Expression, ...] = ()
) -> st.SearchStrategy[Expression]:
    """Conditions of such checks, and of others: true and false for the event about as often."""
    leaves: st.SearchStrategy[Expression] = near_checks(near, lists) | near_type_checks(near)
    if macros:
        leaves |= st.sampled_from(macros).map(lambda name: MacroUse(name, PLACE))
    if others:
        leaves |= st.sampled_from(others)

    def extend(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(parts, min_size=2, max_size=3).map(tuple)
        return parts.map(Not) | several.map(And) | several.map(Or)

    return st.recursive(leaves, extend, max_leaves=5)
