"""Alerts as one readable line each, for people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hullwatch.alerts.audit import target_of
from hullwatch.alerts.mask import CUT
from hullwatch.config.values import format_duration
from hullwatch.fields.audit_event import SOURCE
from hullwatch.formats.escape import escape

if TYPE_CHECKING:
    from hullwatch.alerts.alert import Alert
    from hullwatch.alerts.collapse import Repeats
    from hullwatch.alerts.evidence import Earlier

RESET = "\x1b[0m"
DIM = "\x1b[2m"
BOLD = "\x1b[1m"
CYAN = "\x1b[36m"
_COLOURS = {
    "Emergency": "\x1b[1;97;41m",
    "Alert": "\x1b[1;97;41m",
    "Critical": "\x1b[1;31m",
    "Error": "\x1b[31m",
    "Warning": "\x1b[33m",
    "Notice": "\x1b[34m",
    "Informational": "\x1b[32m",
    "Debug": "\x1b[2m",
}
_TARGETS = (
    "fd.name",
    "fs.path.name",
    "log.text",
    "proc.exepath",
)  # what an earlier event was about: the first that it has
_SECOND = 1_000_000_000  # ns
_EXACT = 10  # seconds; what is longer ago is told without its parts
_METADATA = {
    "late": " [the container's metadata came late]",
    "missing": " [the container's metadata is missing]",
}
_NOTES = {"truncated": " [a value was too long and is cut]", "unreachable": " [the path is outside of its root]"}

_LONGEST_COMMAND = 120  # characters of an earlier event's command line; JSON has more of it


def text(alert: Alert, *, colour: bool = False, short_time: bool = False) -> str:
    r"""Return an alert as ``time priority rule | container (image) | message``, without a newline.

    The earlier events of a rule with state stand behind it on the same line, in brackets.

    Args:
        alert: what to write; every value is escaped, so that it cannot end the line or colour it.
        colour: with ANSI colours.
        short_time: ``HH:MM:SS.mmm`` instead of date, time and zone (both local).
    """
    before = f" [before: {'; '.join(map(escape, evidence(alert)))}]" if alert.evidence else ""
    return _line(alert, escape(alert.message) + before, colour=colour, short_time=short_time)


def text_with_evidence(alert: Alert, *, colour: bool = False, short_time: bool = False) -> str:
    """Return an alert as ``text`` does, with each earlier event on a line of its own, indented below it."""
    lines = [_line(alert, escape(alert.message), colour=colour, short_time=short_time)]
    dim, reset = (DIM, RESET) if colour else ("", "")
    lines += [f"    {dim}{escape(said)}{reset}" for said in evidence(alert)]
    return "\n".join(lines)


def evidence(alert: Alert) -> list[str]:
    """Return ``20s earlier: openat /opt/x by curl (curl -o /opt/x)`` of each earlier event, not escaped."""
    return [_earlier(one, alert) for one in alert.evidence]


def _earlier(event: Earlier, alert: Alert) -> str:
    when = int(str(event["evt.time"]))
    seconds = (alert.time - when) / _SECOND
    ago = f"{format_duration(round(seconds, 3) if seconds < _EXACT else round(seconds))} earlier"
    what = [str(event.get("evt.type", event.get("ka.verb", "an event")))]
    target = next((str(event[name]) for name in _TARGETS if name in event), "")
    what += [target] if target else _object(event)
    name, command = str(event.get("proc.name", event.get("ka.user.name", ""))), str(event.get("proc.cmdline", ""))
    what += [f"by {name}"] if name else []
    if len(command) > _LONGEST_COMMAND:
        command = command[:_LONGEST_COMMAND] + CUT
    what += [f"({command})"] if command not in {"", name} else []
    if event.get("container.id") != alert.container_id:
        what.append(f"in {event.get('container.name') or event.get('container.id')}")
    return f"{ago}: {' '.join(what)}"


def _object(event: Earlier) -> list[str]:
    """Return what an earlier call to the Kubernetes API was about."""
    place = [str(event[name]) for name in ("ka.target.namespace", "ka.target.name") if name in event]
    return [part for part in (str(event.get("ka.target.resource", "")), "/".join(place)) if part]


def repeats(line: Repeats, *, colour: bool = False, short_time: bool = False) -> str:
    """Return the line that says how often an alert came again, with the last of them."""
    times = "once more" if line.count == 1 else f"{line.count:,} more times"
    span = format_duration(max(1, round(line.seconds)))
    said = f"{times} in {span}, the last: {escape(line.last.message)}"
    return _line(line.last, said, colour=colour, short_time=short_time)


def _line(alert: Alert, said: str, *, colour: bool, short_time: bool) -> str:
    when = _time(alert.time, short=short_time)
    labels = "".join(f" [{escape(key)}={escape(value)}]" for key, value in alert.labels.items())
    notes = "".join(said for note, said in _NOTES.items() if note in alert.notes)
    capture = f" [capture: {escape(alert.capture)}]" if alert.capture else ""
    ending = _METADATA.get(alert.metadata, "") + notes + labels + capture
    priority, rule, place = escape(alert.priority), escape(alert.rule), container(alert)
    if not colour:
        return f"{when} {priority} {rule} | {place} | {said}{ending}"
    paint = priority_colour(alert.priority)
    ending = f"{DIM}{ending}{RESET}" if ending else ""
    return f"{DIM}{when}{RESET} {paint}{priority}{RESET} {BOLD}{rule}{RESET} | {CYAN}{place}{RESET} | {said}{ending}"


def priority_colour(priority: str) -> str:
    """Return the ANSI colour of a priority; empty for one that has none."""
    return _COLOURS.get(priority, "")


def container(alert: Alert) -> str:
    """Return ``name (image)`` of an alert's container, its id while that is all that is known, or ``host``.

    Of a call to the Kubernetes API it is what the call is about.
    """
    if alert.source == SOURCE:
        return escape(target_of(alert))
    name = escape(alert.container_name or alert.container_id)
    return f"{name} ({escape(alert.container_image)})" if alert.container_image else name


def _time(nanoseconds: int, *, short: bool) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    local = time.localtime(seconds)
    if short:
        return f"{time.strftime('%H:%M:%S', local)}.{rest // 1_000_000:03d}"
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{rest // 1_000_000:03d}{time.strftime('%z', local)}"
