"""What engines say, cut to bounded sizes; what is left out is told."""

from __future__ import annotations

import datetime as dt
import re
from typing import TypeVar

MAXIMUM_TEXT = 4096  # characters of one value
MAXIMUM_ENTRIES = 256  # labels, mounts, ports, arguments

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII)

_T = TypeVar("_T")


def bounded(text: str) -> str:
    """Return at most 4,096 characters of a text."""
    return text[:MAXIMUM_TEXT]


def first(entries: list[_T], what: str, left_out: list[str]) -> list[_T]:
    """Return at most 256 entries; a sentence about the others is added to ``left_out``."""
    if len(entries) > MAXIMUM_ENTRIES:
        left_out.append(f"{len(entries) - MAXIMUM_ENTRIES} of {len(entries)} {what} are left out")
    return entries[:MAXIMUM_ENTRIES]


def words(given: list[str] | str | None, what: str, left_out: list[str]) -> tuple[str, ...]:
    """Return an argument vector, which engines also write as one text."""
    listed = [given] if isinstance(given, str) else given or []
    return tuple(bounded(word) for word in first(listed, what, left_out))


def table(given: dict[str, str], what: str, left_out: list[str]) -> dict[str, str]:
    """Return labels in the order of their names."""
    return {bounded(key): bounded(value) for key, value in first(sorted(given.items()), what, left_out)}


def nanoseconds(text: str) -> int:
    """Return a time such as ``2026-11-21T23:50:39.117573603Z`` in ns since the epoch, 0 when it is none."""
    found = _TIME.fullmatch(text)
    if found is None:
        return 0
    try:
        moment = dt.datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    except ValueError:
        return 0
    seconds = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)
    return max(seconds * 1_000_000_000 + int((found[2] or "0").ljust(9, "0")), 0)
