"""A process tree as text: who started whom, and which of them matter. ``process_tree_svg`` draws the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from hullwatch.alerts.mask import CUT
from hullwatch.formats.escape import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_COMMAND = 300  # characters

Kind = Literal["box", "inside", "focus"]
"""How a process is drawn: as any, as one in a container, as one that the tree is about."""

Item = TypeVar("Item")


class Place(NamedTuple):
    """Where a process stands.

    Attributes:
        depth: how many stand above it.
        line: for each of those above, whether more of its children follow: where a line goes on downwards.
        last: whether it is the last child.
    """

    depth: int
    line: tuple[bool, ...]
    last: bool


class Shown(NamedTuple):
    """A process as it is shown, every text escaped.

    Attributes:
        place: where it stands.
        name: with its ids, and where it ran.
        note: from when to when it was there, or whatever else is told of it; may be empty.
        lines: what it ran, the last first.
        kind: how it is drawn.
        mark: what it has to do with what the tree is about; empty for nothing.
    """

    place: Place
    name: str
    note: str
    lines: list[str]
    kind: Kind = "box"
    mark: str = ""


class ProcessTree(NamedTuple):
    """Processes in the order in which they are shown, and how many were left out."""

    rows: list[Shown]
    left_out: int = 0


def arrange(roots: Sequence[Item], children: Mapping[Item, Sequence[Item]]) -> list[tuple[Item, Place]]:
    """Return things that stand above and below each other in the order in which they are shown, with their places."""
    rows: list[tuple[Item, Place]] = []
    waiting = [(one, Place(0, (), last)) for one, last in _with_last(roots)][::-1]
    while waiting:
        item, place = waiting.pop()
        rows.append((item, place))
        line = (*place.line, not place.last) if place.depth else ()
        waiting += [(one, Place(place.depth + 1, line, last)) for one, last in _with_last(children.get(item, ()))][::-1]
    return rows


def _with_last(items: Sequence[Item]) -> list[tuple[Item, bool]]:
    return [(one, place == len(items)) for place, one in enumerate(items, 1)]


def shown(text: str, longest: int = LONGEST_COMMAND) -> str:
    """Return a text from outside as it can stand in a line, escaped and cut."""
    return escape(text) if len(text) <= longest else escape(text[:longest]) + CUT


def tree_text(tree: ProcessTree, nothing: str = "No process is known.") -> str:
    """Return a tree as text; ``nothing`` is what is said of one without processes."""
    lines: list[str] = []
    for row in tree.rows:
        place = row.place
        stem = "".join("│  " if goes_on else "   " for goes_on in place.line)
        branch = ("└─ " if place.last else "├─ ") if place.depth else ""
        under = ("   " if place.last else "│  ") if place.depth else ""
        note = f", {row.note}" if row.note else ""
        mark = f"   <== {row.mark}" if row.mark else ""
        lines.append(f"{stem}{branch}{row.name}{note}{mark}")
        lines += [f"{stem}{under}   {command}" for command in row.lines]
    if tree.left_out:
        lines.append(f"{tree.left_out:,} more processes are not shown.")
    return "\n".join(lines) + "\n" if lines else f"{nothing}\n"
