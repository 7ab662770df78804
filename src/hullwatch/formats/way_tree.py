"""Ways to a goal as a tree: the goal is its root, and each place stands below the one that it gets to first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hullwatch.posture.paths import Place, Way

MOST_CHILDREN = 30
MOST_ROWS = 600


class Row(NamedTuple):
    """A place in the tree.

    Attributes:
        depth: 0 for the goal.
        place: as people read it.
        why: how one gets from it to the place above.
        start: whether somebody begins there.
        last: for each depth below the root, whether nothing follows there.
        more: places that are left out here; the row then stands for them.
    """

    depth: int
    place: str
    why: str
    start: bool
    last: tuple[bool, ...]
    more: int = 0


def way_tree(goal: str, ways: dict[Place, Way], starts: list[Place]) -> list[Row]:
    """Return the rows from the goal down; of starts without end as many as fit."""
    below: dict[Place, dict[Place, str]] = {}
    beginning = set(starts)
    root: Place | None = None
    for start in starts:
        place = start
        while place in ways:
            step = ways[place].step
            known = place in below.setdefault(step.end, {})
            below[step.end][place] = step.why
            place = step.end
            if known:
                break
        if place not in ways:
            root = place
    rows = [Row(0, goal, "", start=False, last=())]
    if root is not None:
        _add(rows, root, below, beginning, ())
    return rows


def _add(
    rows: list[Row], above: Place, below: dict[Place, dict[Place, str]], starts: set[Place], last: tuple[bool, ...]
) -> None:
    found = sorted(below.get(above, {}).items())
    shown = found[:MOST_CHILDREN]
    for number, (place, why) in enumerate(shown, 1):
        if len(rows) >= MOST_ROWS:
            rows.append(Row(len(last) + 1, "", "", start=False, last=(*last, True), more=len(found) - number + 1))
            return
        ending = (*last, number == len(found))
        rows.append(Row(len(ending), place.words, why, place in starts, ending))
        _add(rows, place, below, starts, ending)
    if len(found) > len(shown):
        rows.append(Row(len(last) + 1, "", "", start=False, last=(*last, True), more=len(found) - len(shown)))


def tree_lines(rows: list[Row]) -> list[str]:
    """Return the tree as lines of text, not escaped."""
    lines: list[str] = []
    for row in rows:
        if not row.depth:
            lines.append(row.place)
            continue
        before = "".join("   " if ended else "│  " for ended in row.last[:-1])
        branch = "└─ " if row.last[-1] else "├─ "
        if row.more:
            lines.append(f"{before}{branch}{row.more:,} more")
            continue
        mark = "* " if row.start else ""
        lines.append(f"{before}{branch}{mark}{row.place}: {row.why}")
    return lines
