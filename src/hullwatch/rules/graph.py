"""All conditions of a rule set as one graph, in which equal parts are one node.

Conditions are brought into negation normal form: ``not`` stands only at a check, and a node is a literal
(a check, or its negation) or an ``and`` or ``or`` of nodes. Nodes are numbers, so that equal is ``==``;
the negated check is a node of its own. In the language a check of an absent field is false and its
negation true (reference/falco-language.md), so two values suffice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from hullwatch.rules.syntax import And, Check, FieldUse, Not, Or, Text, TextList, Transformed, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.rules.syntax import Argument, Expression

FALSE = 0
TRUE = 1


class Node(NamedTuple):
    """A node: a constant, a literal (``atom`` and whether it has to be true), or the parts of an and/or."""

    kind: Literal["constant", "literal", "and", "or"]
    atom: int = -1
    positive: bool = True
    parts: tuple[int, ...] = ()


class _Both(NamedTuple):
    """A part of a condition and its negation."""

    true: int
    false: int


class Graph:
    """Nodes and atoms; ``checks[atom]`` is the check, ``nodes[number]`` the node."""

    def __init__(self) -> None:
        """Start with the two constants."""
        self.nodes: list[Node] = [Node("constant"), Node("constant")]
        self.checks: list[Check] = []
        self._numbers: dict[Node, int] = {}
        self._atoms: dict[tuple[object, ...], int] = {}

    def add(self, tree: Expression) -> int:
        """Return the node of a resolved condition."""
        return fold(tree, self._combine).true

    def _combine(self, node: Expression, parts: tuple[_Both, ...]) -> _Both:
        if isinstance(node, Check):
            atom = self._atom(node)
            return _Both(self.literal(atom, positive=True), self.literal(atom, positive=False))
        if isinstance(node, Not):
            return _Both(parts[0].false, parts[0].true)
        true, false = [part.true for part in parts], [part.false for part in parts]
        if isinstance(node, And):
            return _Both(self.all_of(true), self.any_of(false))
        if isinstance(node, Or):
            return _Both(self.any_of(true), self.all_of(false))
        raise TypeError(f"a resolved condition has no {type(node).__name__}")

    def _atom(self, check: Check) -> int:
        key = check_key(check)
        atom = self._atoms.get(key)
        if atom is None:
            atom = self._atoms[key] = len(self.checks)
            self.checks.append(check)
        return atom

    def literal(self, atom: int, *, positive: bool) -> int:
        """Return the node of a check that has to be true, or false."""
        return self._number(Node("literal", atom, positive))

    def all_of(self, parts: Iterable[int]) -> int:
        """Return the node that is true when all parts are."""
        return self._join("and", parts, TRUE, FALSE)

    def any_of(self, parts: Iterable[int]) -> int:
        """Return the node that is true when one part is."""
        return self._join("or", parts, FALSE, TRUE)

    def _join(self, kind: Literal["and", "or"], parts: Iterable[int], neutral: int, decisive: int) -> int:
        flat: set[int] = set()
        for part in parts:
            node = self.nodes[part]
            flat.update(node.parts if node.kind == kind else (part,))
        flat.discard(neutral)
        if decisive in flat or self._contradicts(flat):
            return decisive
        if not flat:
            return neutral
        return self._number(Node(kind, parts=tuple(sorted(flat)))) if len(flat) > 1 else flat.pop()

    def _contradicts(self, parts: set[int]) -> bool:
        """Tell whether a check and its negation are both among the parts."""
        for part in parts:
            node = self.nodes[part]
            if node.kind == "literal" and self._numbers.get(node._replace(positive=not node.positive)) in parts:
                return True
        return False

    def _number(self, node: Node) -> int:
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = len(self.nodes)
            self.nodes.append(node)
        return number

    def replace(self, root: int, literal: Callable[[Node], int | None], known: dict[int, int]) -> int:
        """Return a node with its literals replaced and simplified.

        Args:
            root: the node.
            literal: gives the node that stands for a literal; None keeps it.
            known: results by node; kept between calls with the same ``literal``.
        """
        for number in self.below(root, known):
            node = self.nodes[number]
            if node.kind == "literal":
                new = literal(node)
                known[number] = number if new is None else new
            elif node.kind == "constant":
                known[number] = number
            else:
                parts = [known[part] for part in node.parts]
                known[number] = self.all_of(parts) if node.kind == "and" else self.any_of(parts)
        return known[root]

    def below(self, root: int, known: dict[int, int] | None = None) -> list[int]:
        """Return a node and everything below it, parts first; what is in ``known`` is left out."""
        # A part is made before what it is part of, so its number is smaller: sorting is an order.
        skip = known or {}
        found: set[int] = set()
        pending = [root]
        while pending:
            number = pending.pop()
            if number not in found and number not in skip:
                found.add(number)
                pending += self.nodes[number].parts
        return sorted(found)

    def atoms(self, root: int) -> frozenset[int]:
        """Return the checks below a node."""
        return frozenset(node.atom for number in self.below(root) if (node := self.nodes[number]).kind == "literal")


def check_key(check: Check) -> tuple[object, ...]:
    """Return what makes two checks the same one; where they are written does not."""
    return (_key(check.left), check.operator, check.modifier, None if check.right is None else _key(check.right))


def _key(argument: Argument) -> tuple[object, ...]:
    if isinstance(argument, FieldUse):
        return ("field", argument.name, argument.argument)
    if isinstance(argument, Text):
        return ("text", argument.text)
    if isinstance(argument, TextList):
        return ("list", *(item.text for item in argument.items))
    return ("call", argument.name, argument.index, *(_key(one) for one in argument.arguments))


def field_uses(check: Check) -> list[FieldUse]:
    """Return the fields of a check, inside transformers and on the right side too."""
    found: list[FieldUse] = []
    pending: list[Argument] = [check.left]
    if isinstance(check.right, FieldUse | Transformed):
        pending.append(check.right)
    while pending:
        one = pending.pop()
        if isinstance(one, FieldUse):
            found.append(one)
        elif isinstance(one, Transformed):
            pending += one.arguments
    return found
