"""The process tree around an alert: who belongs to it, and the tree as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.alerts.mask import CUT
from hullwatch.enrich.container import SHORT_ID
from hullwatch.evidence.account import Actor
from hullwatch.formats.escape import escape
from hullwatch.formats.falco import times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.evidence.account import Account

MOST_SHOWN = 2000  # processes
LONGEST_COMMAND = 300  # characters
MOST_BEFORE = 3  # earlier programs of one process that are shown


class Row(NamedTuple):
    """A process in its place.

    Attributes:
        actor: the process.
        depth: how many stand above it.
        line: for each of those above, whether more of its children follow: where a line goes on downwards.
        last: whether it is the last child.
    """

    actor: Actor
    depth: int
    line: tuple[bool, ...]
    last: bool


class Tree(NamedTuple):
    """Processes in the order in which they are shown, the focus, and how many were left out."""

    rows: list[Row]
    focus: Actor | None
    left_out: int


def tree_of(account: Account, most: int = MOST_SHOWN) -> Tree:
    """Return the processes that an alert has to do with.

    Of an alert in a container they are all in it and those above them; of one on the host the process itself, those
    above it, and what its parent has started. When there are too many, those nearest to the alert stay.

    Args:
        account: of the capture.
        most: how many are shown.
    """
    focus = account.focus
    kept = _family(account)
    left_out = max(0, len(kept) - most)
    if left_out:
        near = set(_above(focus)) if focus is not None else set[Actor]()
        order = sorted(kept, key=lambda one: (one not in near, focus not in _above(one), one.started, one.key))
        kept = set(order[:most])
    children: dict[Actor | None, list[Actor]] = {}
    for actor in kept:
        children.setdefault(actor.parent if actor.parent in kept else None, []).append(actor)
    for below in children.values():
        below.sort(key=lambda one: (one.started, one.key))
    rows: list[Row] = []
    waiting = [Row(one, 0, (), last) for one, last in _with_last(children.get(None, []))][::-1]
    while waiting:
        row = waiting.pop()
        rows.append(row)
        line = (*row.line, not row.last) if row.depth else ()
        below = [Row(one, row.depth + 1, line, last) for one, last in _with_last(children.get(row.actor, []))]
        waiting += below[::-1]
    return Tree(rows, focus, left_out)


def _with_last(actors: list[Actor]) -> list[tuple[Actor, bool]]:
    return [(one, place == len(actors)) for place, one in enumerate(actors, 1)]


def _family(account: Account) -> set[Actor]:
    focus = account.focus
    actors = account.actors.values()
    if focus is None:
        inside: Iterable[Actor] = [one for one in actors if one.events]
    elif focus.container:
        inside = [one for one in actors if one.container == focus.container]
    else:
        top = focus.parent if focus.parent is not None and focus.parent.key.pid > 1 else focus
        inside = [one for one in actors if top in _above(one)]
    return {above for one in inside for above in _above(one)}


def _above(actor: Actor | None) -> list[Actor]:
    """Return a process and those above it."""
    line: list[Actor] = []
    while actor is not None:
        line.append(actor)
        actor = actor.parent
    return line


def shown(text: str, longest: int = LONGEST_COMMAND) -> str:
    """Return a text from outside as it can stand in a line, escaped and cut."""
    return escape(text) if len(text) <= longest else escape(text[:longest]) + CUT


def title(actor: Actor) -> str:
    """Return the name and the ids of a process."""
    name = shown(actor.runs[-1].name or actor.runs[-1].command, 60) if actor.runs else "?"
    ids = [f"pid {actor.key.pid}"]
    if actor.user is not None:
        ids.append(f"uid {actor.user}")
    return f"{name} ({', '.join(ids)})"


def span(actor: Actor) -> str:
    """Return from when to when a process was there."""
    begin = f"since {clock(actor.started)}" if actor.started else "running before"
    return f"{begin}, {actor.status} at {clock(actor.ended)}" if actor.ended else begin


def clock(nanoseconds: int) -> str:
    """Return a time in UTC, to the millisecond."""
    return times(nanoseconds)[1][:23].replace("T", " ")


def commands(actor: Actor) -> list[str]:
    """Return what a process ran, the last first."""
    runs = actor.runs[::-1]
    lines = [shown(runs[0].command or runs[0].path)] if runs else []
    lines += [f"before: {shown(run.command or run.path)}" for run in runs[1 : 1 + MOST_BEFORE]]
    more = len(runs) - 1 - MOST_BEFORE + actor.more_runs
    return lines if more <= 0 else [*lines, f"before: {more} more programs"]


def tree_text(tree: Tree, container: Callable[[str], str]) -> str:
    """Return a tree as text; ``container`` gives the name of one that is called by its id."""
    lines: list[str] = []
    for row in tree.rows:
        actor = row.actor
        stem = "".join("│  " if goes_on else "   " for goes_on in row.line)
        branch = ("└─ " if row.last else "├─ ") if row.depth else ""
        under = ("   " if row.last else "│  ") if row.depth else ""
        where = f" in {container(actor.container)}" if actor.container else ""
        mark = "   <== the alert" if actor is tree.focus else ""
        lines.append(f"{stem}{branch}{title(actor)}{where}, {span(actor)}{mark}")
        lines += [f"{stem}{under}   {command}" for command in commands(actor)]
    if tree.left_out:
        lines.append(f"{tree.left_out:,} more processes are not shown.")
    return "\n".join(lines) + "\n" if lines else "The capture has no process of the alert.\n"


def container_name(account: Account, full_id: str) -> str:
    """Return how a container is called: its name, if it is known, and the beginning of its id."""
    known = account.containers.get(full_id)
    short = full_id[:SHORT_ID]
    return f"{shown(known.name, 60)} ({short})" if known is not None and known.name else short
