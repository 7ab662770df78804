"""Why a rule matches an event or not: every part of its condition with its result, and the parts that decided."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from hullwatch.fields.field import FieldType
from hullwatch.rules.compile import compile_condition
from hullwatch.rules.describe import Part, fields_of, walk, write_check, write_left
from hullwatch.rules.output import value_text
from hullwatch.rules.syntax import Check, FieldUse, Transformed
from hullwatch.rules.terms import Constants, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hullwatch.events.event import Event
    from hullwatch.rules.describe import Description, RuleBook
    from hullwatch.rules.syntax import Left
    from hullwatch.rules.terms import Term

Result = Literal["true", "false", "absent"]
_SHOWN_VALUES = 5  # of a list, in the short form of a check
_PLACES = 1_000_000  # characters to walk for the places of checks: each costs as many as stand before it
MAXIMUM_VALUE = 4096  # characters of a field's value


class Value(msgspec.Struct, frozen=True):
    """What a field is for the event.

    Attributes:
        field: as the condition writes it.
        value: as text; None when it is absent.
        answered: False when the field has a value for no event here.
    """

    field: str
    value: str | None
    answered: bool = True


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the condition with what became of it.

    Attributes:
        depth: how far inside; 0 is the whole condition.
        kind: ``and``, ``or``, ``not`` or ``check``.
        text: the check, or the kind.
        short: the same with long lists cut.
        result: ``absent`` is a check that is false because a field has no value.
        decisive: whether the result of the whole rests on it.
        origins: the macros and exceptions that it stands for.
        values: of the check's fields.
        line: of the check, from 1; 0 where a condition is so long that its places are not looked up.
    """

    depth: int
    kind: Literal["and", "or", "not", "check"]
    text: str
    short: str
    result: Result
    decisive: bool
    origins: tuple[str, ...]
    values: tuple[Value, ...] = ()
    file: str = ""
    line: int = 0
    column: int = 0


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rule matches an event, or does not.

    Attributes:
        matches: whether the condition is true.
        lines: the condition's parts in order, each before its own parts.
        decided_by: the checks that the result rests on, each once.
        taken_by: the rule that comes first and matches as well, so that this one does not alert.
    """

    rule: str
    state: str
    event_type: str
    matches: bool
    lines: tuple[Line, ...]
    decided_by: tuple[Line, ...]
    taken_by: str | None


class _Verdict(msgspec.Struct, frozen=True):
    result: Result
    values: tuple[Value, ...] = ()


def explain(book: RuleBook, name: str, event: Event) -> Explanation:
    """Judge an event with every part of a rule's condition, also with those that an engine would skip.

    Raises:
        UsageError: when there is no such rule.
    """
    description = book.describe(name)
    lines = tuple(_lines(description.condition, _judge(description.condition, event)))
    checks: dict[tuple[str, str], Line] = {}
    for line in lines:
        if line.decisive and line.kind == "check":
            checks.setdefault((line.text, line.result), line)
    matches = lines[0].result == "true"
    return Explanation(
        rule=name,
        state=description.state,
        event_type=event.type.name,
        matches=matches,
        lines=lines,
        decided_by=tuple(checks.values()),
        taken_by=_taken_by(book, description, event) if matches else None,
    )


def _taken_by(book: RuleBook, description: Description, event: Event) -> str | None:
    if description.state != "enabled":
        return None
    first = next((rule for rule in book.rule_set.for_type(event.type.name) if rule.matches(event)), None)
    return first.name if first is not None and first.name != description.definition.name else None


def _judge(root: Part, event: Event) -> dict[int, _Verdict]:
    """Return the verdict of every part, by its identity."""
    verdicts: dict[int, _Verdict] = {}
    for part in reversed([part for part, _ in walk(root)]):  # parts before what they are part of
        if id(part) in verdicts:
            continue
        if part.check is not None:
            verdicts[id(part)] = _judge_check(part.check, event)
            continue
        results = [verdicts[id(one)].result == "true" for one in part.parts]
        true = not results[0] if part.kind == "not" else (all if part.kind == "and" else any)(results)
        verdicts[id(part)] = _Verdict("true" if true else "false")
    return verdicts


def _judge_check(check: Check, event: Event) -> _Verdict:
    """Ask one check with the same code that the engine runs."""
    sides = [check.left, check.right] if isinstance(check.right, FieldUse | Transformed) else [check.left]
    answered = all(entry.function is not None for entry in fields_of(check))
    values = tuple(Value(write_left(side), _value(side, event), answered) for side in sides)
    if compile_condition(check, "explained").matches(event):
        return _Verdict("true", values)
    return _Verdict("absent" if any(one.value is None for one in values) else "false", values)


def _value(left: Left, event: Event) -> str | None:
    constants = Constants()
    term = resolve(left, constants)
    code = compile(f"lambda e: {term.code}", "<explained value>", "eval")
    value = eval(code, constants.namespace)(event)  # noqa: S307 - made here, values only as repr
    return None if value is None else _text(term, value)[:MAXIMUM_VALUE]


def _text(term: Term, value: Any) -> str:
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType] - Any
        return f"({', '.join(_text(term, item) for item in items)})"
    if term.type is FieldType.IPNET and isinstance(value, bytes) and len(value) in {4, 16}:
        return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)
    if term.field is not None and not term.field.printable:  # no output shows it, and a condition may ask for it
        term = msgspec.structs.replace(term, field=None)
    return value_text(term, value)


def _lines(root: Part, verdicts: dict[int, _Verdict]) -> Iterator[Line]:
    """Yield the parts with their results; what decided is what has the result that its whole needs."""
    pending = [(root, 0, True)]
    left = _PLACES
    while pending:
        part, depth, decisive = pending.pop()
        verdict = verdicts[id(part)]
        left -= part.check.place.offset if part.check is not None else 0
        yield _line(part, depth, verdict, decisive=decisive, placed=left >= 0)
        true = verdict.result == "true"
        for one in reversed(part.parts):
            agrees = part.kind == "not" or (verdicts[id(one)].result == "true") is true
            pending.append((one, depth + 1, decisive and agrees))


def _line(part: Part, depth: int, verdict: _Verdict, *, decisive: bool, placed: bool) -> Line:
    place = part.check.place.location() if part.check is not None and placed else None
    return Line(
        depth=depth,
        kind=part.kind,
        text=write_check(part.check) if part.check is not None else part.kind,
        short=write_check(part.check, _SHOWN_VALUES) if part.check is not None else part.kind,
        result=verdict.result,
        decisive=decisive,
        origins=part.origins,
        values=verdict.values,
        file=place.file if place is not None else "",
        line=place.line if place is not None else 0,
        column=place.column if place is not None else 0,
    )
