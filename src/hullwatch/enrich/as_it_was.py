"""Processes as they are now, for events that are judged later: by then those above may run something else."""

from __future__ import annotations

from hullwatch.enrich.process import Process

KEPT_ABOVE = 32  # processes above one; those further up are seen as they are when they are asked for


def as_it_is(process: Process, kept: dict[Process, Process]) -> Process:
    """Return a process that stays what it is now, with those above it; it is nobody's child.

    Args:
        process: of the event.
        kept: what was returned before, to be used again where nothing has changed; it is added to.
    """
    line = [process]
    while len(line) <= KEPT_ABOVE and line[-1].parent is not None:
        line.append(line[-1].parent)
    above = line[-1].parent
    for one in reversed(line):
        copy = kept.get(one)
        if copy is None or copy.program is not one.program or copy.parent is not above:
            copy = kept[one] = _copy(one, above)
        above = copy
    assert above is not None
    return above


def _copy(process: Process, above: Process | None) -> Process:
    copy = Process(process.key, None, process.program, process.container_id)
    copy.parent = above  # which does not count it among its children: nobody has to forget it
    copy.depth = process.depth
    copy.vpid = process.vpid
    copy.alive = process.alive
    return copy
