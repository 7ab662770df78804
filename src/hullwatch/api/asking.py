"""How times and numbers are written in questions, on a command line and in a URL."""

from __future__ import annotations

import datetime as dt
import re
import time

from hullwatch.config.values import nearest, parse_duration, parse_priority, parse_time
from hullwatch.enrich.kubernetes.plain import address
from hullwatch.enrich.kubernetes.resources import BY_KIND, BY_NAME
from hullwatch.errors import UsageError
from hullwatch.store.reading import FOREVER, Wanted

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?", re.ASCII)


def moment(written: str | None, otherwise: int) -> int:
    """Return a time as ns since the epoch: so long ago (``24h``), a date with time, a time of the last day, a number.

    Raises:
        UsageError: when it is none of these.
    """
    if not written:
        return otherwise
    if written.isascii() and written.isdigit() and len(written) <= 19:
        return int(written)
    try:
        if _CLOCK.fullmatch(written):
            return _last(written)
        if "-" in written or ":" in written:
            return parse_time(written)
        return time.time_ns() - int(parse_duration(written) * 1e9)
    except UsageError:
        raise UsageError(
            f'"{written[:40]}" is no time: write how long ago (24h), a date with time (2026-11-28T10:30), '
            "or a time of the last day (10:30)."
        ) from None


def _last(clock: str) -> int:
    """Return when it was so late the last time, by the clock of this host."""
    now = dt.datetime.now().astimezone()
    hour, then = clock.rjust(5, "0"), now.date()
    if hour > now.strftime("%H:%M:%S")[: len(hour)]:
        then -= dt.timedelta(days=1)
    return parse_time(f"{then}T{hour}")


def limit_of(number: int, name: str = "-n") -> int:
    """Return how many are wanted; 0 stands for all.

    Raises:
        UsageError: when it is less than nothing.
    """
    if number < 0:
        raise UsageError(f"{name} is 0 or more, not {number}.")
    return number or FOREVER


def kind_of(written: str) -> str:
    """Return the kind of Kubernetes objects that a word means: ``Pod``, ``pod``, ``pods``.

    Raises:
        UsageError: when there is none.
    """
    by_word = {name.lower(): name for name in BY_KIND} | {one.name: one.kind for one in BY_NAME.values()}
    found = by_word.get(written.lower(), "")
    if not found:
        raise UsageError(f'"{written[:80]}" is no kind of object that is followed{nearest(written, BY_KIND)}.')
    return found


def address_of(written: str) -> str:
    """Return an address of IPv4 or IPv6 in its shortest form.

    Raises:
        UsageError: when it is none.
    """
    found = address(written)
    if not found:
        raise UsageError(f'"{written[:80]}" is no address of IPv4 or IPv6.')
    return found


def wanted_of(
    condition: str,
    since: str | None,
    until: str | None,
    rules: tuple[str, ...],
    priority: str | None,
    issue: str = "",
    incident: str = "",
) -> Wanted:
    """Return which alerts are wanted.

    Raises:
        UsageError: when something is written in no known way.
    """
    least = parse_priority(priority) if priority else ""
    return Wanted(condition, moment(since, 0), moment(until, FOREVER), rules, least, issue, incident)
