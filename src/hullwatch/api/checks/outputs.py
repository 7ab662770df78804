"""Do outputs deliver, or does something wait, and was something left out?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from hullwatch.api.checks.check import Check
from hullwatch.config.values import format_duration
from hullwatch.outputs.state import FOLDER, OutputStatus, read_status

if TYPE_CHECKING:
    from collections.abc import Collection

NAME = "output"


def outputs(configured: Collection[str], state: Path) -> list[Check]:
    """Check how it went with each output.

    Args:
        configured: names of outputs.
        state: the state directory.
    """
    if not configured:
        return [Check(NAME, "ok", "There are no outputs: alerts go to standard output and the store.")]
    try:
        status = read_status(state / FOLDER)
    except PermissionError:
        return [Check(NAME, "warn", "Only root may look at the outputs' queues.", "sudo hullwatch doctor")]
    if status is None:
        return [Check(NAME, "ok", f"Nothing was delivered yet to {', '.join(sorted(configured))}.")]
    runs = Path(f"/proc/{status.pid}").exists()
    found = [_one(one, runs=runs) for one in status.outputs if one.name in configured]
    for one in status.outputs:
        if one.name not in configured and one.depth:
            sentence = f"{one.name} is not configured any more; {one.depth:,} messages wait in its queue."
            found.append(Check(NAME, "warn", sentence, f"rm -r {state / FOLDER / one.name}   # or configure it again"))
    return found


def _one(one: OutputStatus, *, runs: bool) -> Check:
    sentence = f"{one.name} ({one.type}): {one.delivered:,} messages were delivered, {one.depth:,} wait"
    if one.state == "off":
        return Check(NAME, "ok", f"{one.name} ({one.type}) is off; {one.depth:,} messages wait.")
    if not runs:
        return Check(NAME, "ok", f"{sentence}; nothing is delivered now.")
    if one.dropped:
        said = ", ".join(f"{reason} {number:,}" for reason, number in sorted(one.dropped.items())[:5])
        sentence += f", some were left out: {said}"
    if one.state == "failing":
        since = f" for {_since(one.last_delivered)}" if one.last_delivered else " since the start"
        said = f"{sentence}. Nothing was delivered{since}: {one.last_error}"
        return Check(NAME, "warn", said, f"hullwatch outputs test {one.name}")
    if one.dead_letters:
        said = f"{sentence}. Its receiver has refused {one.dead_letters:,}: {one.last_error}"
        return Check(NAME, "warn", said, f"hullwatch outputs retry {one.name}   # when the receiver takes them")
    fix = f"hullwatch config explain outputs   # a larger queue_size for {one.name} lasts longer" if one.dropped else ""
    return Check(NAME, "warn" if one.dropped else "ok", f"{sentence}.", fix)


def _since(when: int) -> str:
    return format_duration(max(1, round((time.time_ns() - when) / 1e9)))
