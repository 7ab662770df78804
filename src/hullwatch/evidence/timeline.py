"""What the processes around an alert did, a line for each event, for people who have no Hullwatch at hand."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hullwatch.evidence.account import all_events
from hullwatch.fields.catalogue import catalogue
from hullwatch.formats.falco import times
from hullwatch.formats.process_tree import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hullwatch.alerts.mask import Masker
    from hullwatch.captures.reader import CaptureReader
    from hullwatch.enrich.process import ProcessKey
    from hullwatch.events.event import Event

MOST_BEFORE = 3000  # events before the alert
MOST_AFTER = 2000
LONGEST_LINE = 400  # characters


def timeline(
    reader: CaptureReader, keys: Collection[ProcessKey], time: int, masker: Masker, tell: Callable[[int], None]
) -> str:
    """Return the lines.

    Args:
        reader: of the capture.
        keys: of the processes whose events are told.
        time: of the alert, ns since the epoch.
        masker: hides secrets.
        tell: called with the number of events so far.

    Raises:
        UsageError: when the capture contradicts itself.
    """
    before: deque[str] = deque(maxlen=MOST_BEFORE)
    after: list[str] = []
    numbers = [0, 0]
    for event, _ in all_events(reader, tell):
        if event.process is None or event.process.key not in keys:
            continue
        is_after = event.time > time
        numbers[is_after] += 1
        if not is_after:
            before.append(_line(event, masker, is_alert=event.time == time))
        elif len(after) < MOST_AFTER:
            after.append(_line(event, masker, is_alert=False))
    lines = [f"... {numbers[0] - len(before):,} events before"] if numbers[0] > len(before) else []
    lines += [*before, *after]
    if numbers[1] > len(after):
        lines.append(f"... {numbers[1] - len(after):,} events behind")
    return "\n".join(lines) + "\n" if lines else "No event of these processes is in the capture.\n"


def _line(event: Event, masker: Masker, *, is_alert: bool) -> str:
    program, process = event.program, event.process
    name = program.comm if program is not None else "?"
    pid = process.key.pid if process is not None else 0
    if event.type.layout.name == "program" and program is not None:
        what = " ".join((program.exe, *program.args))
    else:
        args = catalogue()["evt.args"].function
        what = str((args(event) if args is not None else None) or "")
    # The whole is looked at before it is cut: a secret that is cut off would not be known as one.
    text = masker.text(what, name)
    mark = "   <== the alert" if is_alert else ""
    return f"{times(event.time)[1]} {shown(name)} ({pid}) {event.type.name} {shown(text, LONGEST_LINE)}{mark}"
