"""Checks against values that an event has, or nearly has: most generated values would match nothing."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from hullwatch.fields.field import NUMBERS, TEXT, FieldType
from hullwatch.rules.syntax import Check, Text, TextList
from tests.rules.oracle import field_value
from tests.rules.strategies import (
    ANSWERED,
    COMMON,
    ORDER,
    PLACE,
    FieldChoice,
    operators_of,
    values_of,
)

if TYPE_CHECKING:
    from hullwatch.events.event import Event

Draw = Any
PATTERN_MARKS = "*?[]\\"


def _near_text(draw: Draw, value: bytes, operator: str) -> str:
    """Return the value, a part of it, or it in another case, as a pattern where one is wanted."""
    text = value.decode("utf-8", "replace")
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
    if kind in TEXT and choice.use.name not in {"evt.type", "syscall.type"}:
        return _near_text(draw, value, operator)
    if kind is FieldType.IPADDR:
        return value.decode()
    if kind is FieldType.IPNET:
        address = ipaddress.ip_address(value)
        length = draw(st.integers(1, address.max_prefixlen))
        return f"{address}/{length}"
    if kind in NUMBERS:
        return str(value + draw(st.sampled_from((-1, 0, 0, 1))))
    if kind is FieldType.BOOL:
        return "true" if value else "false"
    if kind is FieldType.BYTEBUF:
        return value[: draw(st.integers(1, 4))].hex() if operator in {"bcontains", "bstartswith"} else "cat"
    return value.decode()


@st.composite
def near_checks(draw: Draw, event: Event) -> Check:
    """A check of a field that the event has, mostly against what it has there."""
    fields = [one for one in (*ANSWERED, *COMMON * 4) if field_value(one.use, event) not in {None, ()}]
    choice = draw(st.sampled_from(fields))
    found = field_value(choice.use, event)
    present: tuple[Any, ...] = found if isinstance(found, tuple) else (found,)  # pyright: ignore[reportUnknownVariableType] - Any
    operator = draw(st.sampled_from([one for one in operators_of(choice.type) if one != "exists"]))
    others = values_of(choice.type, operator, choice.use.name)

    def one() -> Text:
        near = draw(st.integers(0, 3)) > 0
        text = _near(draw, draw(st.sampled_from(present)), choice, operator) if near else draw(others)
        return Text(text, quoted=operator not in ORDER, place=PLACE)

    def some() -> TextList:
        return TextList(tuple(one() for _ in range(draw(st.integers(1, 3)))), PLACE)

    if operator in {"in", "intersects", "pmatch"}:
        return Check(choice.use, operator, some(), "", PLACE)
    if operator not in ORDER and not choice.several and draw(st.booleans()):
        return Check(choice.use, operator, some(), draw(st.sampled_from(("oneof", "anyof", "allof"))), PLACE)
    return Check(choice.use, operator, one(), "", PLACE)
