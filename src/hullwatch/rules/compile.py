"""A resolved condition to a Python function, and to the event types that it can be true for.

Each check becomes an expression, the tree one function; values from the rules file enter only as
``repr()`` of text, numbers and bytes, or as objects that the code names ``k0``, ``k1``, ... A part
that is shared or too deep for Python's parser becomes a function of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hullwatch.events.event import Event
from hullwatch.fields.field import FieldType, Multiplicity
from hullwatch.rules import patterns
from hullwatch.rules.event_types import event_types
from hullwatch.rules.operators import LIST_OPERATORS, check_operator, field_test_code, test_code
from hullwatch.rules.problem import ProblemError
from hullwatch.rules.syntax import (
    And,
    Check,
    Expression,
    FieldUse,
    Not,
    Text,
    TextList,
    Transformed,
    fold,
    in_order,
    parts_of,
)
from hullwatch.rules.terms import Constants, Term, from_event, resolve, split_name
from hullwatch.rules.values import parse_value

if TYPE_CHECKING:
    from hullwatch.rules.problem import Code, Location
    from hullwatch.rules.terms import Lookup

MAXIMUM_CHECKS = 100_000  # of a condition with all its macros written out
MAXIMUM_HEIGHT = 1000  # of its tree
_INLINE_HEIGHT = 20  # of an expression: Python's parser stops at 200 parentheses


class Remark(NamedTuple):
    """Something that is valid and probably not what was meant."""

    sentence: str
    location: Location
    code: Code


class Compiled(msgspec.Struct, frozen=True):
    """A condition that can be asked.

    Attributes:
        tree: the resolved condition.
        matches: tells whether an event fulfils it.
        event_types: the names of the events that it can be true for; None if it names none.
        fields: the fields that it uses.
        remarks: for the warnings.
        code: the Python that it became, for tests and for the curious.
    """

    tree: Expression
    matches: Callable[[Event], bool]
    event_types: frozenset[str] | None
    fields: frozenset[str]
    remarks: tuple[Remark, ...]
    code: str


class _Size(NamedTuple):
    """How many nodes a part has with all macros written out, and how deep it is."""

    checks: int
    height: int


class _Part(NamedTuple):
    """A node's expression and how deep its parentheses are."""

    code: str
    height: int


def compile_condition(tree: Expression, name: str, lookup: Lookup = from_event) -> Compiled:
    """Return the function for a resolved tree; ``name`` is for Python's own messages only.

    Args:
        tree: without macros and lists.
        name: of the rule.
        lookup: gives the function of each field.

    Raises:
        ProblemError: for an unknown field or value, or an operator that does not fit.
    """
    _limit(tree)
    return _Compiler(lookup).compile(tree, name)


def _limit(tree: Expression) -> None:
    """Refuse conditions that macros blow up beyond any use."""

    def measure(_: Expression, parts: tuple[_Size, ...]) -> _Size:
        return _Size(1 + sum(part.checks for part in parts), 1 + max((part.height for part in parts), default=0))

    size = fold(tree, measure)
    if size.checks > MAXIMUM_CHECKS or size.height > MAXIMUM_HEIGHT:
        first = next(node for node in in_order(tree) if isinstance(node, Check))
        parts = min(size.checks, 10**9)
        sentence = f"The condition is too large: with its macros it has {parts} parts, {size.height} deep."
        raise ProblemError(sentence, first.place.location(), "LOAD_ERR_COMPILE_CONDITION")


class _Compiler:
    """Builds the source of one condition."""

    def __init__(self, lookup: Lookup) -> None:
        self._constants = Constants(lookup)
        self._functions: list[str] = []
        self._fields: set[str] = set()
        self._remarks: list[Remark] = []

    def compile(self, tree: Expression, name: str) -> Compiled:
        uses: dict[int, int] = {}
        for node in in_order(tree):
            for part in parts_of(node):
                uses[id(part)] = uses.get(id(part), 0) + 1

        def combine(node: Expression, parts: tuple[_Part, ...]) -> _Part:
            part = self._node(node, parts)
            shared = uses.get(id(node), 0) > 1 and not isinstance(node, Check)
            return self._own_function(part) if shared or part.height > _INLINE_HEIGHT else part

        root = fold(tree, combine)
        self._functions.append(f"def matches(e):\n    return {root.code}")
        code = "\n".join(self._functions)
        namespace: dict[str, Any] = dict(self._constants.namespace)
        exec(compile(code, f"<condition of {name!r}>", "exec"), namespace)  # noqa: S102 - made here, values only as repr
        return Compiled(
            tree=tree,
            matches=namespace["matches"],
            event_types=event_types(tree),
            fields=frozenset(self._fields),
            remarks=tuple(self._remarks),
            code=code,
        )

    def _own_function(self, part: _Part) -> _Part:
        name = f"part{len(self._functions)}"
        self._functions.append(f"def {name}(e):\n    return {part.code}")
        return _Part(f"{name}(e)", 1)

    def _node(self, node: Expression, parts: tuple[_Part, ...]) -> _Part:
        if isinstance(node, Check):
            return _Part(self._check(node), 4)
        height = 1 + max(part.height for part in parts)
        if isinstance(node, Not):
            return _Part(f"(not {parts[0].code})", height)
        word = " and " if isinstance(node, And) else " or "
        return _Part(f"({word.join(part.code for part in parts)})", height)

    def _check(self, check: Check) -> str:
        term = resolve(check.left, self._constants)
        self._note_fields(term)
        if term.field is not None and not term.field.filter:
            raise _error(check, f"The field {term.name} is for outputs only.")
        right = check.right
        beside = isinstance(right, FieldUse | Transformed)
        try:
            check_operator(check.operator, term, beside_field=beside)
        except ValueError as error:
            raise _error(check, str(error)) from None
        if term.multiplicity is Multiplicity.LIST and check.operator not in LIST_OPERATORS:
            sentence = f"{term.name} is a list: it takes in, intersects and exists, not {check.operator!r}."
            raise _error(check, sentence)
        if right is None:
            return self._exists(term)
        if isinstance(right, FieldUse | Transformed):
            return self._beside(check, term, right)
        if isinstance(right, Text):
            self._remark_text(check, right)
            return self._quantified(check.operator, term, test_code(check.operator, term, right, self._constants))
        if check.modifier:
            return self._modified(check, term, right)
        return self._list(check, term, right)

    def _note_fields(self, term: Term) -> None:
        for one in (term, *term.uses):
            if one.field is not None:
                self._fields.add(one.field.name)

    def _exists(self, term: Term) -> str:
        if term.multiplicity is Multiplicity.ANY:
            return f"(True if {term.code} else False)" if term.code != "None" else "False"
        return f"({term.code} is not None)" if term.code != "None" else "False"

    def _quantified(self, operator: str, term: Term, test: str) -> str:
        """Return a test of ``v`` as a test of the field: absent is false, several values as the field says."""
        if term.code == "None":
            return "False"
        if term.multiplicity is Multiplicity.ONE:
            return f"((v := {term.code}) is not None and {test})"
        word = "all" if term.multiplicity is Multiplicity.ENDS and operator == "!=" else "any"
        if term.multiplicity is Multiplicity.LIST and operator == "in":
            word = "all"
        return f"((t := {term.code}) is not None and {word}({test} for v in t))"

    def _list(self, check: Check, term: Term, right: TextList) -> str:
        if not right.items:
            return "False"
        if check.operator == "pmatch":
            try:
                prefix = patterns.path_prefix([item.text for item in right.items])
            except ValueError as error:
                raise _error(check, f"One of the patterns of {term.name} is none: {error}.") from None
            test = f"{self._constants.name(prefix)}(v)"
        elif term.type is FieldType.IPNET:
            tests = [test_code("=", term, item, self._constants) for item in right.items]
            test = f"({' or '.join(tests)})"
        else:
            field = term.field.name if term.field is not None else term.name
            values = frozenset(parse_value(item, term.type, field) for item in right.items)
            test = f"(v in {self._constants.name(values)})"
        return self._quantified(check.operator, term, test)

    def _modified(self, check: Check, term: Term, right: TextList) -> str:
        """Return a check of one operator against several values: oneof, anyof, allof."""
        tests = [test_code(check.operator, term, item, self._constants) for item in right.items]
        if not tests:
            return "False"
        joined = {
            "anyof": f"({' or '.join(tests)})",
            "allof": f"({' and '.join(tests)})",
            "oneof": f"(sum(({', '.join(tests)},)) == 1)",
        }[check.modifier]
        return self._quantified(check.operator, term, joined)

    def _beside(self, check: Check, term: Term, right: FieldUse | Transformed) -> str:
        other = resolve(right, self._constants)
        self._note_fields(other)
        for one in (term, other):
            if one.field is not None and not one.field.beside:
                raise _error(check, f"{one.name} cannot be compared with another field.")
            if one.multiplicity is not Multiplicity.ONE:
                raise _error(check, f"{one.name} has several values: it cannot be compared with another field.")
        if term.type is not other.type:
            kinds = f"{term.name} is a {term.type.value} and {other.name} is a {other.type.value}"
            sentence = f"{kinds}: they cannot be equal."
            raise _error(check, sentence)
        try:
            test = field_test_code(check.operator, term, self._constants)
        except ValueError as error:
            raise _error(check, str(error)) from None
        if "None" in {term.code, other.code}:
            return "False"
        return f"((v := {term.code}) is not None and (w := {other.code}) is not None and {test})"

    def _remark_text(self, check: Check, right: Text) -> None:
        if check.operator == "regex" and patterns.needs_no_regex(right.text):
            sentence = f"The pattern {right.text!r} needs no regex: use = or contains."
            self._remark(right, sentence, "LOAD_COMPILE_CONDITION")
        if not right.quoted and "." in right.text and split_name(right.text)[0] is not None:
            sentence = f"{right.text} is compared as text; for the field of that name write val({right.text})."
            self._remark(right, sentence, "LOAD_COMPILE_CONDITION")
        left = check.left.name
        if right.text == "<NA>" and left.startswith(("ka.", "jevt.")):
            self._remark(right, f"Compare {left} with exists instead of <NA>.", "LOAD_UNSAFE_NA_CHECK")

    def _remark(self, text: Text, sentence: str, code: Code) -> None:
        self._remarks.append(Remark(sentence, text.place.location(), code))


def _error(check: Check, sentence: str) -> ProblemError:
    return ProblemError(sentence, check.place.location(), "LOAD_ERR_COMPILE_CONDITION")
