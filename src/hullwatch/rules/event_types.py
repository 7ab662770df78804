"""Which events a condition can be true for, read from its checks of ``evt.type``; the same for other fields."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from hullwatch.rules.syntax import And, Check, FieldUse, Not, Text, TextList, fold_in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hullwatch.rules.syntax import Expression


class TypeSet(NamedTuple):
    """The named types or, with ``rest``, all but them."""

    names: frozenset[str]
    rest: bool = False

    def complement(self) -> TypeSet:
        """Return all types that are not in it."""
        return TypeSet(self.names, not self.rest)

    def union(self, other: TypeSet) -> TypeSet:
        """Return the types that are in one of both."""
        return self.complement().intersection(other.complement()).complement()

    def intersection(self, other: TypeSet) -> TypeSet:
        """Return the types that are in both."""
        if self.rest and other.rest:
            return TypeSet(self.names | other.names, rest=True)
        if self.rest:
            return TypeSet(other.names - self.names)
        return TypeSet(self.names - other.names if other.rest else self.names & other.names)


EVERY = TypeSet(frozenset(), rest=True)
NONE = TypeSet(frozenset())


class Outcome(NamedTuple):
    """For which types a condition can be true, and for which it can be false."""

    true: TypeSet
    false: TypeSet


_ANY = Outcome(EVERY, EVERY)  # what most checks tell of the type: nothing


def event_types(order: Sequence[Expression]) -> frozenset[str] | None:
    """Return the names of the events that a condition can be true for; None if it names no types.

    The result may be larger than it need be, never smaller.

    Args:
        order: the condition's nodes as ``syntax.in_order`` gives them.
    """
    return possible_values(order, "evt.type")


def possible_values(order: Sequence[Expression], field: str) -> frozenset[str] | None:
    """Return the values of a field that a condition can be true for; None if it names none.

    The result may be larger than it need be, never smaller.

    Args:
        order: the condition's nodes as ``syntax.in_order`` gives them.
        field: without an argument, that has one value in each event.
    """
    possible = fold_in_order(order, functools.partial(_combine, field)).true
    return None if possible.rest else possible.names


def _combine(field: str, node: Expression, parts: tuple[Outcome, ...]) -> Outcome:
    if isinstance(node, Check):
        return _check(field, node)
    if isinstance(node, Not):
        return Outcome(parts[0].false, parts[0].true) if parts[0] is not _ANY else _ANY
    told = [part for part in parts if part is not _ANY]
    if not told:
        return _ANY
    if isinstance(node, And):
        true, false = EVERY, NONE if len(told) == len(parts) else EVERY
        for part in told:
            true, false = true.intersection(part.true), false.union(part.false)
        return Outcome(true, false)
    true, false = NONE if len(told) == len(parts) else EVERY, EVERY
    for part in told:
        true, false = true.union(part.true), false.intersection(part.false)
    return Outcome(true, false)


def _check(field: str, check: Check) -> Outcome:
    if not isinstance(check.left, FieldUse) or check.left.name != field or check.modifier:
        return _ANY
    names: TypeSet | None = None
    if isinstance(check.right, Text) and check.operator in {"=", "!="}:
        names = TypeSet(frozenset({check.right.text}))
    elif isinstance(check.right, TextList) and check.operator in {"in", "intersects"}:
        names = TypeSet(frozenset(item.text for item in check.right.items))
    if names is None:
        return _ANY
    return Outcome(names.complement(), names) if check.operator == "!=" else Outcome(names, names.complement())
