"""A resolved condition to a Python function, and to the event types that it can be true for.

Each check becomes an expression (``check_code.py``), the tree one function. A part that is shared or too
deep for Python's parser becomes a function of its own. All is checked when the source is written; it is
compiled when the condition is first asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hullwatch.events.event import Event
from hullwatch.rules.check_code import CheckCompiler, Remark
from hullwatch.rules.event_types import event_types
from hullwatch.rules.generated import MAXIMUM_PUT_OFF, function_of, on_first_call
from hullwatch.rules.problem import ProblemError
from hullwatch.rules.syntax import (
    And,
    Check,
    Expression,
    Not,
    fold_in_order,
    in_order,
    parts_of,
)
from hullwatch.rules.terms import from_event

if TYPE_CHECKING:
    from hullwatch.rules.check_code import CheckCode
    from hullwatch.rules.terms import Lookup

MAXIMUM_CHECKS = 100_000  # of a condition with all its macros written out
MAXIMUM_HEIGHT = 1000  # of its tree
_INLINE_HEIGHT = 20  # of an expression: Python's parser stops at 200 parentheses


class Compiled(msgspec.Struct, eq=False):
    """A condition that can be asked.

    Attributes:
        tree: the resolved condition.
        matches: tells whether an event fulfils it; the first call replaces it by the function that it makes.
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


_CHECK_SIZE = _Size(1, 1)


class _Part(NamedTuple):
    """A node's expression and how deep its parentheses are."""

    code: str
    height: int


def compile_condition(
    tree: Expression, name: str, lookup: Lookup = from_event, *, checks: CheckCompiler | None = None
) -> Compiled:
    """Return the function for a resolved tree; ``name`` is for Python's own messages only.

    Args:
        tree: without macros and lists.
        name: of the rule.
        lookup: gives the function of each field.
        checks: writes the checks, with a lookup of its own; one for all conditions of a rule set saves time.

    Raises:
        ProblemError: for an unknown field or value, or an operator that does not fit.
    """
    order = in_order(tree)
    _limit(order)
    return _Compiler(checks or CheckCompiler(lookup)).compile(order, name)


def _limit(order: Sequence[Expression]) -> None:
    """Refuse conditions that macros blow up beyond any use."""

    def measure(_: Expression, parts: tuple[_Size, ...]) -> _Size:
        if not parts:
            return _CHECK_SIZE
        return _Size(1 + sum([part.checks for part in parts]), 1 + max([part.height for part in parts]))

    size = fold_in_order(order, measure)
    if size.checks > MAXIMUM_CHECKS or size.height > MAXIMUM_HEIGHT:
        first = next(node for node in order if isinstance(node, Check))
        parts = min(size.checks, 10**9)
        sentence = f"The condition is too large: with its macros it has {parts} parts, {size.height} deep."
        raise ProblemError(sentence, first.place.location(), "LOAD_ERR_COMPILE_CONDITION")


class _Compiler:
    """Builds the source of one condition."""

    def __init__(self, checks: CheckCompiler) -> None:
        self._checks = checks
        self._written: list[CheckCode] = []
        self._functions: list[str] = []

    def compile(self, order: Sequence[Expression], name: str) -> Compiled:
        uses: dict[int, int] = {}
        for node in order:
            for part in parts_of(node):
                uses[id(part)] = uses.get(id(part), 0) + 1

        def combine(node: Expression, parts: tuple[_Part, ...]) -> _Part:
            part = self._node(node, parts)
            shared = uses.get(id(node), 0) > 1 and not isinstance(node, Check)
            return self._own_function(part) if shared or part.height > _INLINE_HEIGHT else part

        root = fold_in_order(order, combine)
        self._functions.append(f"def matches(e):\n    return {root.code}")
        code = "\n".join(self._functions)
        namespace = self._checks.constants.namespace

        def make() -> Callable[[Event], bool]:
            return function_of(code, "matches", f"<condition of {name!r}>", namespace)

        def keep(made: Callable[[Event], bool]) -> None:
            compiled.matches = made

        compiled = Compiled(
            tree=order[-1],
            matches=make() if len(code) > MAXIMUM_PUT_OFF else on_first_call(make, keep),
            event_types=event_types(order),
            fields=frozenset[str]().union(*[written.fields for written in self._written]),
            remarks=tuple([remark for written in self._written for remark in written.remarks]),
            code=code,
        )
        return compiled

    def _own_function(self, part: _Part) -> _Part:
        name = f"part{len(self._functions)}"
        self._functions.append(f"def {name}(e):\n    return {part.code}")
        return _Part(f"{name}(e)", 1)

    def _node(self, node: Expression, parts: tuple[_Part, ...]) -> _Part:
        if isinstance(node, Check):
            written = self._checks.write(node)
            self._written.append(written)
            return _Part(written.code, 4)
        height = 1 + max([part.height for part in parts])
        if isinstance(node, Not):
            return _Part(f"(not {parts[0].code})", height)
        word = " and " if isinstance(node, And) else " or "
        return _Part(f"({word.join([part.code for part in parts])})", height)
