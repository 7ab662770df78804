"""Why a rule matches an event or not: every part of its condition with its result, and the parts that decided."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from hullwatch.fields.field import FieldType
from hullwatch.rules.compile import compile_condition
from hullwatch.rules.describe import Part, fields_of, walk, write_check, write_left
from hullwatch.rules.group_keys import left_of
from hullwatch.rules.output import value_text
from hullwatch.rules.sources import API, LOGS
from hullwatch.rules.syntax import Check, FieldUse, Transformed
from hullwatch.rules.terms import Constants, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hullwatch.events.event import Event
    from hullwatch.rules.describe import Description, RuleBook
    from hullwatch.rules.document import Scalar
    from hullwatch.rules.problem import Location
    from hullwatch.rules.syntax import Left
    from hullwatch.rules.terms import Lookup, Term

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
        remembers: what a rule with state asks for besides, as lines for people.
        grouped: what a rule with state groups the event by; one that is absent keeps the event out.
        step: which step of a sequence this is, from 1; 0 for a rule with one condition.
        steps: of a sequence each step by itself; the rest is then that of the last step that matches, or of the last.
    """

    rule: str
    state: str
    event_type: str
    matches: bool
    lines: tuple[Line, ...]
    decided_by: tuple[Line, ...]
    taken_by: str | None
    remembers: tuple[str, ...] = ()
    step: int = 0
    grouped: tuple[Value, ...] = ()
    steps: tuple[Explanation, ...] = ()


class _Verdict(msgspec.Struct, frozen=True):
    result: Result
    values: tuple[Value, ...] = ()


class _Side(NamedTuple):
    """A field or transformer of a check, ready to be read.

    Attributes:
        written: as the condition writes it.
        read: its value for an event, as text; None when it is absent.
    """

    written: str
    read: Callable[[Event], str | None]


class _Question(NamedTuple):
    """A check, ready to be asked and shown."""

    matches: Callable[[Event], bool]
    sides: tuple[_Side, ...]
    answered: bool
    text: str
    short: str


class Explainer:
    """Says why rules match events or not; what it compiled for one event it has for the next."""

    def __init__(self, book: RuleBook) -> None:
        """Take the rules; those of a book that was loaded with ``from_values`` judge such events."""
        self._book = book
        self._lookup = book.lookup  # of the rule that is being explained
        self._questions: dict[tuple[int, Lookup], tuple[Check, _Question]] = {}  # by the check's identity
        self._places: dict[int, Location] = {}  # the same
        self._orders: dict[int, list[Part]] = {}  # by the condition's identity

    def explain(self, name: str, event: Event) -> Explanation:
        """Judge an event with every part of a rule's condition, also with those that an engine would skip.

        Raises:
            UsageError: when there is no such rule.
        """
        description = self._book.describe(name)
        stateful = description.definition.stateful
        if stateful is None:
            found = self._explain(description, description.condition, event)
            return msgspec.structs.replace(
                found, taken_by=self._taken_by(description, event) if found.matches else None
            )
        remembers = tuple(stateful.describe())
        if stateful.threshold is not None:
            grouped = self._grouped(description, [*stateful.by, *filter(None, [stateful.threshold.distinct])], event)
            found = self._explain(description, description.condition, event)
            return msgspec.structs.replace(found, remembers=remembers, grouped=grouped)
        steps: list[Explanation] = []
        for number, (step, written) in enumerate(zip(description.steps, stateful.steps, strict=True), start=1):
            found = self._explain(description, step.condition, event)
            grouped = self._grouped(description, [*stateful.by, *written.by], event)
            steps.append(msgspec.structs.replace(found, step=number, grouped=grouped))
        told = next((one for one in reversed(steps) if one.matches), steps[-1])
        return msgspec.structs.replace(told, remembers=remembers, steps=tuple(steps))

    def _grouped(self, description: Description, written: list[Scalar], event: Event) -> tuple[Value, ...]:
        lookup = self._book.lookup_of(description.definition)
        return tuple(Value(one.text, _side(left_of(one), lookup).read(event)) for one in written)

    def _explain(self, description: Description, condition: Part, event: Event) -> Explanation:
        """Judge an event with one condition of a rule."""
        self._lookup = self._book.lookup_of(description.definition)
        lines = tuple(self._lines(condition, self._judge(condition, event)))
        checks: dict[tuple[str, str], Line] = {}
        for line in lines:
            if line.decisive and line.kind == "check":
                checks.setdefault((line.text, line.result), line)
        return Explanation(
            rule=description.definition.name,
            state=description.state,
            event_type=event.type.name,
            matches=lines[0].result == "true",
            lines=lines,
            decided_by=tuple(checks.values()),
            taken_by=None,
        )

    def _taken_by(self, description: Description, event: Event) -> str | None:
        if description.state != "enabled":
            return None
        rules = self._book.rule_set
        own = {API: rules.of_api, LOGS: rules.of_logs}.get(description.definition.source)
        asked = rules.for_type(event.type.name) if own is None else [one for one in own if one.stateful is None]
        first = next((rule for rule in asked if rule.matches(event)), None)
        return first.name if first is not None and first.name != description.definition.name else None

    def _judge(self, root: Part, event: Event) -> dict[int, _Verdict]:
        """Return the verdict of every part, by its identity."""
        verdicts: dict[int, _Verdict] = {}
        for part in self._order(root):
            if part.check is not None:
                verdicts[id(part)] = _ask(self._question(part.check), event)
                continue
            results = [verdicts[id(one)].result == "true" for one in part.parts]
            true = not results[0] if part.kind == "not" else (all if part.kind == "and" else any)(results)
            verdicts[id(part)] = _Verdict("true" if true else "false")
        return verdicts

    def _order(self, root: Part) -> list[Part]:
        """Return every part once, each before what it is part of."""
        found = self._orders.get(id(root))
        if found is None:
            parts = {id(part): part for part in reversed([part for part, _ in walk(root)])}
            found = self._orders[id(root)] = list(parts.values())
        return found

    def _question(self, check: Check) -> _Question:
        """Return a check as the same code that the engine runs."""
        lookup = self._lookup
        found = self._questions.get((id(check), lookup))
        if found is None:
            sides = [check.left, check.right] if isinstance(check.right, FieldUse | Transformed) else [check.left]
            question = _Question(
                matches=compile_condition(check, "explained", lookup).matches,
                sides=tuple(_side(side, lookup) for side in sides),
                answered=all(lookup(entry, None) is not None for entry in fields_of(check)),
                text=write_check(check),
                short=write_check(check, _SHOWN_VALUES),
            )
            found = self._questions[id(check), lookup] = (check, question)
        return found[1]

    def _place(self, check: Check) -> Location:
        found = self._places.get(id(check))
        if found is None:
            found = self._places[id(check)] = check.place.location()
        return found

    def _lines(self, root: Part, verdicts: dict[int, _Verdict]) -> Iterator[Line]:
        """Yield the parts with their results; what decided is what has the result that its whole needs."""
        pending = [(root, 0, True)]
        left = _PLACES
        while pending:
            part, depth, decisive = pending.pop()
            verdict = verdicts[id(part)]
            left -= part.check.place.offset if part.check is not None else 0
            yield self._line(part, depth, verdict, decisive=decisive, placed=left >= 0)
            true = verdict.result == "true"
            for one in reversed(part.parts):
                agrees = part.kind == "not" or (verdicts[id(one)].result == "true") is true
                pending.append((one, depth + 1, decisive and agrees))

    def _line(self, part: Part, depth: int, verdict: _Verdict, *, decisive: bool, placed: bool) -> Line:
        place = self._place(part.check) if part.check is not None and placed else None
        question = self._question(part.check) if part.check is not None else None
        return Line(
            depth=depth,
            kind=part.kind,
            text=question.text if question is not None else part.kind,
            short=question.short if question is not None else part.kind,
            result=verdict.result,
            decisive=decisive,
            origins=part.origins,
            values=verdict.values,
            file=place.file if place is not None else "",
            line=place.line if place is not None else 0,
            column=place.column if place is not None else 0,
        )


def explain(book: RuleBook, name: str, event: Event) -> Explanation:
    """Judge a single event with a rule, as ``Explainer.explain`` does."""
    return Explainer(book).explain(name, event)


def _ask(question: _Question, event: Event) -> _Verdict:
    values = tuple(Value(side.written, side.read(event), question.answered) for side in question.sides)
    if question.matches(event):
        return _Verdict("true", values)
    return _Verdict("absent" if any(one.value is None for one in values) else "false", values)


def _side(left: Left, lookup: Lookup) -> _Side:
    constants = Constants(lookup)
    term = resolve(left, constants)
    code = compile(f"lambda e: {term.code}", "<explained value>", "eval")
    function = eval(code, constants.namespace)  # noqa: S307 - made here, values only as repr

    def read(event: Event) -> str | None:
        value = function(event)
        return None if value is None else _text(term, value)[:MAXIMUM_VALUE]

    return _Side(write_left(left), read)


def _text(term: Term, value: Any) -> str:
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType] - Any
        return f"({', '.join(_text(term, item) for item in items)})"
    if term.type is FieldType.IPNET and isinstance(value, bytes) and len(value) in {4, 16}:
        return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)
    if term.field is not None and not term.field.printable:  # no output shows it, and a condition may ask for it
        term = msgspec.structs.replace(term, field=None)
    return value_text(term, value)
