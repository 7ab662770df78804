"""The tree of a condition: what the parser makes and everything behind it works on."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hullwatch.rules.document import Scalar
    from hullwatch.rules.problem import Location

Result = TypeVar("Result")

OPERATOR_NAMES = (
    "=", "!=", "<", "<=", ">", ">=", "contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith",
    "glob", "iglob", "regex", "pmatch", "in", "intersects", "exists",
)  # fmt: skip
TRANSFORMER_NAMES = ("tolower", "toupper", "basename", "b64", "len", "concat", "join", "getopt", "val")


def _name(pattern: str) -> msgspec.Meta:
    """Limit a name, for trees that are read from the cache; what the grammar makes has no others."""
    return msgspec.Meta(pattern=rf"^({pattern})\Z")


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
        start, piece = self._pieces[bisect.bisect_right(self._pieces, offset, key=lambda one: one[0]) - 1]
        return piece.location(min(offset - start, max(len(piece.text) - 1, 0)))


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A character of a text."""

    source: SourceText
    offset: Annotated[int, msgspec.Meta(ge=0)]

    def location(self) -> Location:
        """Return the file, line and column."""
        return self.source.locate(self.offset)


class Text(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """A value as it was written; a quoted one is never the name of a list."""

    text: str
    quoted: bool
    place: Place


class FieldUse(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """A field by name, with the argument in brackets if there is one."""

    name: Annotated[str, _name(r"[a-zA-Z][a-zA-Z0-9_]*(\.[a-zA-Z][a-zA-Z0-9_]*)+")]
    argument: str | None
    place: Place


class Transformed(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """A transformer applied to arguments; ``index`` is what stands in brackets behind it."""

    name: Annotated[str, _name("|".join(TRANSFORMER_NAMES))]
    arguments: tuple[Argument, ...]
    index: str | None
    place: Place


class TextList(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """Values in parentheses, or the name of a list."""

    items: tuple[Text, ...]
    place: Place


Left = FieldUse | Transformed
Argument = FieldUse | Transformed | Text | TextList


class Check(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """A field, an operator and what it is compared with.

    ``right`` is None for ``exists``, one value, several for list operators and modifiers, or
    another field; ``modifier`` is ``oneof``, ``anyof``, ``allof`` or empty.
    """

    left: Left
    operator: Annotated[str, _name("|".join(OPERATOR_NAMES))]
    right: Text | TextList | Left | None
    modifier: Annotated[str, _name("oneof|anyof|allof|")]
    place: Place

    def written(self) -> list[str] | None:
        """Return the texts that stand on the right; None where there are none, or another field."""
        if isinstance(self.right, Text):
            return [self.right.text]
        return [item.text for item in self.right.items] if isinstance(self.right, TextList) else None


class MacroUse(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """The name of a macro."""

    name: Annotated[str, _name("[a-zA-Z][a-zA-Z0-9_]*")]
    place: Place


class Not(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """True when its part is not."""

    part: Expression


class And(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """True when all parts are."""

    parts: Annotated[tuple[Expression, ...], msgspec.Meta(min_length=1)]


class Or(msgspec.Struct, frozen=True, eq=False, array_like=True, tag=True):
    """True when one part is."""

    parts: Annotated[tuple[Expression, ...], msgspec.Meta(min_length=1)]


Expression = Check | MacroUse | Not | And | Or


_JOINED = (And, Or)  # made once: these functions are called for every node of every rule


def parts_of(node: Expression) -> tuple[Expression, ...]:
    """Return the nodes directly below one."""
    if isinstance(node, Check):  # as most are
        return ()
    if isinstance(node, _JOINED):
        return node.parts
    return (node.part,) if isinstance(node, Not) else ()


def in_order(root: Expression) -> list[Expression]:
    """Return every node once, parts before what they are part of, without recursion.

    Macros make the tree share nodes, so this is linear where a walk of the tree may not be.
    """
    order: list[Expression] = []
    opened: set[int] = set()
    done: set[int] = set()
    pending = [root]
    while pending:
        node = pending.pop()
        key = id(node)
        if key in done:
            continue
        if key not in opened and (parts := parts_of(node)):
            opened.add(key)
            pending.append(node)
            pending += parts[::-1]
            continue
        done.add(key)
        order.append(node)
    return order


def fold(root: Expression, combine: Callable[[Expression, tuple[Result, ...]], Result]) -> Result:
    """Compute a result for every node from those of its parts, and return the root's; parts come first."""
    return fold_in_order(in_order(root), combine)


def fold_in_order(order: Sequence[Expression], combine: Callable[[Expression, tuple[Result, ...]], Result]) -> Result:
    """Do the same with the nodes in order, for who needs them more than once."""
    results: dict[int, Result] = {}
    for node in order:
        parts = parts_of(node)
        results[id(node)] = combine(node, tuple([results[id(part)] for part in parts]) if parts else ())
    return results[id(order[-1])]
