"""Times as people read them: local, as alerts and the flags of verbs have them; the zone is said once, above."""

from __future__ import annotations

import time

_SECOND = 1_000_000_000  # ns


def zone(nanoseconds: int) -> str:
    """Return the local zone at a time, ns since the epoch: ``CET``."""
    return time.strftime("%Z", time.localtime(nanoseconds // _SECOND))


def recent(nanoseconds: int) -> str:
    """Return a time of this year to the minute, ``11-28 20:06``, and the date of one before: lists are narrow."""
    then = time.localtime(nanoseconds // _SECOND)
    return time.strftime("%m-%d %H:%M" if then.tm_year == time.localtime().tm_year else "%Y-%m-%d", then)


def second(nanoseconds: int) -> str:
    """Return a time to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nanoseconds // _SECOND))


def exact(nanoseconds: int) -> str:
    """Return a time to the millisecond."""
    return f"{second(nanoseconds)}.{nanoseconds // 1_000_000 % 1000:03}"
