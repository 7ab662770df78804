"""The tree of a condition: what the parser makes and everything behind it works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from hullwatch.rules.document import Scalar
    from hullwatch.rules.problem import Location

Result = TypeVar("Result")


class SourceText:
    """A condition's or an output's text with the way back to the files that it came from.

    Overrides append text of other files, so it may consist of several pieces.
    """

    def __init__(self, piece: Scalar) -> None:
        """Start with one piece."""
        self.text = piece.text
        self._pieces = [(0, piece)]
        self._start = 0  # of a part, in the text that it is a part of

    def append(self, piece: Scalar) -> SourceText:
        """Return this text with a blank and another piece behind it, as the language says."""
        joined = SourceText(self._pieces[0][1])
        joined.text = f"{self.text} {piece.text}"
        joined._pieces = [*self._pieces, (len(self.text) + 1, piece)]
        return joined

    def part(self, start: int, end: int) -> SourceText:
        """Return some characters of this text, which know their place as well."""
        part = SourceText(self._pieces[0][1])
        part.text, part._pieces, part._start = self.text[start:end], self._pieces, self._start + start
        return part

    def locate(self, offset: int) -> Location:
        """Return the file, line and column of a character."""
        offset += self._start
        start, piece = [one for one in self._pieces if one[0] <= offset][-1]
        return piece.location(min(offset - start, max(len(piece.text) - 1, 0)))


class Place(msgspec.Struct, frozen=True):
    """A character of a text."""

    source: SourceText
    offset: int

    def location(self) -> Location:
        """Return the file, line and column."""
        return self.source.locate(self.offset)


class Text(msgspec.Struct, frozen=True, eq=False):
    """A value as it was written; a quoted one is never the name of a list."""

    text: str
    quoted: bool
    place: Place


class FieldUse(msgspec.Struct, frozen=True, eq=False):
    """A field by name, with the argument in brackets if there is one."""

    name: str
    argument: str | None
    place: Place


class Transformed(msgspec.Struct, frozen=True, eq=False):
    """A transformer applied to arguments; ``index`` is what stands in brackets behind it."""

    name: str
    arguments: tuple[Argument, ...]
    index: str | None
    place: Place


class TextList(msgspec.Struct, frozen=True, eq=False):
    """Values in parentheses, or the name of a list."""

    items: tuple[Text, ...]
    place: Place


Left = FieldUse | Transformed
Argument = FieldUse | Transformed | Text | TextList


class Check(msgspec.Struct, frozen=True, eq=False):
    """A field, an operator and what it is compared with.

    ``right`` is None for ``exists``, one value, several for list operators and modifiers, or
    another field; ``modifier`` is ``oneof``, ``anyof``, ``allof`` or empty.
    """

    left: Left
    operator: str
    right: Text | TextList | Left | None
    modifier: str
    place: Place


class MacroUse(msgspec.Struct, frozen=True, eq=False):
    """The name of a macro."""

    name: str
    place: Place


class Not(msgspec.Struct, frozen=True, eq=False):
    """True when its part is not."""

    part: Expression


class And(msgspec.Struct, frozen=True, eq=False):
    """True when all parts are."""

    parts: tuple[Expression, ...]


class Or(msgspec.Struct, frozen=True, eq=False):
    """True when one part is."""

    parts: tuple[Expression, ...]


Expression = Check | MacroUse | Not | And | Or


def parts_of(node: Expression) -> tuple[Expression, ...]:
    """Return the nodes directly below one."""
    if isinstance(node, And | Or):
        return node.parts
    return (node.part,) if isinstance(node, Not) else ()


def in_order(root: Expression) -> list[Expression]:
    """Return every node once, parts before what they are part of, without recursion.

    Macros make the tree share nodes, so this is linear where a walk of the tree may not be.
    """
    order: list[Expression] = []
    seen: set[int] = set()
    pending: list[tuple[Expression, bool]] = [(root, False)]
    while pending:
        node, done = pending.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            pending.append((node, True))
            pending += [(part, False) for part in reversed(parts_of(node))]
    return order


def fold(root: Expression, combine: Callable[[Expression, tuple[Result, ...]], Result]) -> Result:
    """Compute a result for every node from those of its parts, and return the root's."""
    results: dict[int, Result] = {}
    for node in in_order(root):
        results[id(node)] = combine(node, tuple(results[id(part)] for part in parts_of(node)))
    return results[id(root)]
