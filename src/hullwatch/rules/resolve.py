"""Names of lists and macros replaced by what they stand for, on the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hullwatch.rules.document import Scalar
from hullwatch.rules.grammar import parse_condition, unquote
from hullwatch.rules.problem import Location, ProblemError, did_you_mean
from hullwatch.rules.syntax import (
    And,
    Check,
    MacroUse,
    Not,
    Or,
    Place,
    SourceText,
    Text,
    TextList,
    Transformed,
    fold,
)
from hullwatch.rules.terms import MAXIMUM_TRANSFORMER_DEPTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hullwatch.rules.syntax import Argument, Expression

MAXIMUM_ITEMS = 200_000  # of a list with all lists in it


class ListDefinition(msgspec.Struct):
    """A list: its items as written, each with its place."""

    name: str
    items: list[Scalar]
    location: Location


class MacroDefinition(msgspec.Struct):
    """A macro; ``first`` and ``last`` count its first and its last definition among all items."""

    name: str
    condition: SourceText
    location: Location
    first: int
    last: int


class BrokenMacroError(Exception):
    """A macro that is used has an error of its own, which is reported where it stands."""


def item_text(item: Scalar) -> Text:
    """Return a list's item as a value; one in quotes of its own is never a list's name.

    Raises:
        ProblemError: for an escape in it that is not known.
    """
    source = SourceText(item)
    text = item.text.strip()
    if len(text) > 1 and text[0] in {'"', "'"} and text[-1] == text[0]:
        return Text(unquote(source, 0, text), quoted=True, place=Place(source, 0))
    return Text(text, quoted=False, place=Place(source, 0))


class Names:
    """All lists and macros of a set of files."""

    def __init__(self, lists: Mapping[str, ListDefinition], macros: Mapping[str, MacroDefinition]) -> None:
        """Resolve nothing yet."""
        self._lists = lists
        self._macros = macros
        self._items: dict[str, tuple[Text, ...]] = {}
        self._trees: dict[str, Expression | ProblemError] = {}
        self.used: set[str] = set()
        """``list x`` and ``macro x`` for everything that something refers to."""

    def items(self, name: str, within: tuple[str, ...] = ()) -> tuple[Text, ...]:
        """Return the values of a list, with the lists that it names replaced by theirs, at any depth.

        A list that names itself, directly or through others, has its own name as a value there.

        Raises:
            ProblemError: when they are too many.
        """
        if name in self._items:
            return self._items[name]
        items: list[Text] = []
        for item in self._lists[name].items:
            value = item_text(item)
            items += self._values(value, (*within, name))
            if len(items) > MAXIMUM_ITEMS:
                sentence = f"The list {name} has more than {MAXIMUM_ITEMS} values."
                raise ProblemError(sentence, value.place.location(), "LOAD_ERR_VALIDATE")
        if not within:
            self._items[name] = tuple(items)
        return tuple(items)

    def _values(self, value: Text, within: tuple[str, ...] = ()) -> tuple[Text, ...]:
        if value.quoted or value.text not in self._lists or value.text in within:
            return (value,)
        if len(within) > 100:
            sentence = f"Lists are nested more than 100 deep at {value.text}."
            raise ProblemError(sentence, value.place.location(), "LOAD_ERR_VALIDATE")
        self.used.add(f"list {value.text}")
        return self.items(value.text, within)

    def macro(self, name: str) -> Expression:
        """Return the resolved tree of a macro.

        Raises:
            ProblemError: when it has an error; always the same one.
        """
        self._resolve_macros_for(name)
        tree = self._trees[name]
        if isinstance(tree, ProblemError):
            raise tree
        return tree

    def _resolve_macros_for(self, name: str) -> None:
        """Resolve a macro and those it needs, innermost first, without recursion."""
        pending = [name]
        active: set[str] = set()
        parsed: dict[str, Expression] = {}
        while pending:
            current = pending[-1]
            if current in self._trees:
                pending.pop()
                continue
            definition = self._macros[current]
            try:
                if current not in parsed:
                    parsed[current] = parse_condition(definition.condition)
                tree = parsed[current]
                needed = self._needed(tree, definition)
                if current not in active and needed:
                    active.add(current)
                    for use in needed:
                        self._refuse_cycle(use, active)
                    pending += [use.name for use in needed]
                    continue
                self._trees[current] = self.resolve(tree, definition)
            except ProblemError as error:
                self._trees[current] = error
            except BrokenMacroError:
                self._trees[current] = self._broken(parsed[current], definition)
            active.discard(current)
            pending.pop()

    def _needed(self, tree: Expression, definition: MacroDefinition) -> list[MacroUse]:
        uses: list[MacroUse] = []

        def collect(node: Expression, _: tuple[None, ...]) -> None:
            if isinstance(node, MacroUse):
                self._find(node, definition)
                if node.name not in self._trees:
                    uses.append(node)

        fold(tree, collect)
        return uses

    def _refuse_cycle(self, use: MacroUse, active: set[str]) -> None:
        if use.name in active:
            sentence = f"The macro {use.name} is used in itself."
            raise ProblemError(sentence, use.place.location(), "LOAD_ERR_VALIDATE")

    def _broken(self, tree: Expression, definition: MacroDefinition) -> ProblemError:
        """Return the error of the first macro in a tree that has one."""
        errors: list[ProblemError] = []

        def collect(node: Expression, _: tuple[None, ...]) -> None:
            if isinstance(node, MacroUse) and isinstance(found := self._trees.get(node.name), ProblemError):
                errors.append(found)

        fold(tree, collect)
        return errors[0] if errors else ProblemError("A macro is broken.", definition.location, "LOAD_ERR_VALIDATE")

    def _find(self, use: MacroUse, user: MacroDefinition | None) -> MacroDefinition:
        """Return the macro of a name; a macro sees only those that were defined before it.

        Raises:
            ProblemError: when there is none.
        """
        definition = self._macros.get(use.name)
        if definition is None:
            near = did_you_mean(use.name, self._macros)
            raise ProblemError(f"There is no macro {use.name!r}{near}.", use.place.location(), "LOAD_ERR_VALIDATE")
        if user is not None and definition.first >= user.last:
            sentence = f"The macro {user.name} uses {use.name}, which is defined after it: change their order."
            raise ProblemError(sentence, use.place.location(), "LOAD_ERR_VALIDATE")
        return definition

    def resolve(self, tree: Expression, user: MacroDefinition | None = None) -> Expression:
        """Return a condition's tree without names of lists and macros.

        Raises:
            ProblemError: when a name is not defined or a list does not fit.
        """

        def replace(node: Expression, parts: tuple[Expression, ...]) -> Expression:
            if isinstance(node, MacroUse):
                self._find(node, user)
                self.used.add(f"macro {node.name}")
                if user is not None:
                    found = self._trees[node.name]
                    if isinstance(found, ProblemError):
                        raise BrokenMacroError
                    return found
                return self.macro(node.name)
            if isinstance(node, Check):
                return self._resolve_check(node)
            return Not(parts[0]) if isinstance(node, Not) else (And if isinstance(node, And) else Or)(parts)

        return fold(tree, replace)

    def _resolve_check(self, check: Check) -> Check:
        right = check.right
        if isinstance(check.left, Transformed):
            check = msgspec.structs.replace(check, left=self._resolve_transformed(check.left))
        if isinstance(right, Transformed):
            return msgspec.structs.replace(check, right=self._resolve_transformed(right))
        if isinstance(right, TextList):
            return msgspec.structs.replace(check, right=self._resolve_list(right))
        if isinstance(right, Text):
            values = self._values(right)
            if len(values) != 1:
                sentence = f"The list {right.text} has {len(values)} values and {check.operator!r} takes one: use 'in'."
                raise ProblemError(sentence, right.place.location(), "LOAD_ERR_COMPILE_CONDITION")
            return msgspec.structs.replace(check, right=values[0])
        return check

    def _resolve_list(self, written: TextList) -> TextList:
        return TextList(tuple(value for item in written.items for value in self._values(item)), written.place)

    def _resolve_transformed(self, use: Transformed, depth: int = 0) -> Transformed:
        """Return a transformer without names of lists; one that is nested too deep stays, to be refused later."""
        if depth > MAXIMUM_TRANSFORMER_DEPTH:
            return use
        arguments: list[Argument] = []
        for argument in use.arguments:
            if isinstance(argument, TextList):
                arguments.append(self._resolve_list(argument))
            elif isinstance(argument, Transformed):
                arguments.append(self._resolve_transformed(argument, depth + 1))
            else:
                arguments.append(argument)
        return msgspec.structs.replace(use, arguments=tuple(arguments))
