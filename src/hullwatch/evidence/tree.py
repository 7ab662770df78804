"""The process tree around an alert: who belongs to it, and what is shown of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hullwatch.enrich.container import SHORT_ID
from hullwatch.evidence.account import Actor
from hullwatch.formats.falco import times
from hullwatch.formats.process_tree import Place, ProcessTree, Shown, arrange, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hullwatch.evidence.account import Account

MOST_SHOWN = 2000  # processes
MOST_BEFORE = 3  # earlier programs of one process that are shown


class Row(NamedTuple):
    """A process in its place."""

    actor: Actor
    place: Place


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
    for actors in children.values():
        actors.sort(key=lambda one: (one.started, one.key))
    below = {above: actors for above, actors in children.items() if above is not None}
    rows = [Row(*one) for one in arrange(children.get(None, []), below)]
    return Tree(rows, focus, left_out)


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


def shown_tree(tree: Tree, container: Callable[[str], str]) -> ProcessTree:
    """Return a tree as it is shown; ``container`` gives the name of one that is called by its id."""
    rows: list[Shown] = []
    for actor, place in tree.rows:
        where = f" in {container(actor.container)}" if actor.container else ""
        is_focus = actor is tree.focus
        kind = "focus" if is_focus else "inside" if actor.container else "box"
        mark = "the alert" if is_focus else ""
        rows.append(Shown(place, f"{title(actor)}{where}", span(actor), commands(actor), kind, mark))
    return ProcessTree(rows, tree.left_out)


def container_name(account: Account, full_id: str) -> str:
    """Return how a container is called: its name, if it is known, and the beginning of its id."""
    known = account.containers.get(full_id)
    short = full_id[:SHORT_ID]
    return f"{shown(known.name, 60)} ({short})" if known is not None and known.name else short
